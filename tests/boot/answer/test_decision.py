"""One decision, and a memo that gives what the decision itself would."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netboot.boot.answer.client import BootClient, identify
from netboot.boot.answer.decision import Decision, Decisions, Facts, decide
from netboot.boot.answer.quirks import ASK_BOOT_SERVER, DIRECT, MOST_ATTEMPTS
from netboot.images.architecture import Architecture
from tests.support.boot_requests import BOTH, SETTINGS, X64, ipxe, published, request, version

MACS = [bytes.fromhex(f"52540077000{number}") for number in range(1, 6)]
NAMES = [mac.hex(":") for mac in MACS]
KINDS = [0, 6, 7, 9, 11, 15, 16, 20, 2, 4711]
LOADERS = ("bootmgfw.efi", "bootmgfw_EX.efi")


def client_of(packet):
    found = identify(packet)
    assert isinstance(found, BootClient)
    return found


clients = st.builds(
    lambda make, mac, code, word: client_of(
        make(mac=mac, architecture=code, vendor_class=b"%bClient:Arch:%05d" % (word, code))
    ),
    st.sampled_from([request, request, ipxe]),
    st.sampled_from(MACS),
    st.sampled_from(KINDS) | st.just(7),
    st.sampled_from([b"PXE", b"HTTP"]),
)
chains = st.lists(st.sampled_from(["native", "linux", "wimboot"]), unique=True)
versions = st.builds(
    lambda architecture, chains, files, image, number, loaders, authority, preferred: replace(
        version(architecture, chains=tuple(chains), files=files, image=image, number=number),
        uefi_loaders=tuple(sorted(loaders.items())),
        authority=authority,
        preferred=preferred,
    ),
    st.sampled_from(Architecture) | st.just(Architecture.X64),
    chains | st.just(["native", "wimboot"]),
    st.sampled_from([(*LOADERS, "pxeboot.n12"), ("bootmgfw.efi",), ()]),
    st.sampled_from(["one", "one", "two", "three"]),
    st.integers(1, 3),
    st.dictionaries(st.sampled_from(["2011", "2023"]), st.sampled_from(LOADERS)),
    st.sampled_from(["", "2011", "2023"]),
    st.sampled_from([(), (("uefi", "native"),), (("bios", "wimboot"),)]),
)
HELD_2011 = replace(
    version(chains=("native", "wimboot"), files=("bootmgfw.efi",), image="one"),
    uefi_loaders=(("2011", "bootmgfw.efi"),),
)
contents = st.builds(
    lambda held, common, defaults, assignments, authorities, wimboot: replace(
        published(*held, *common, defaults=defaults, assignments=assignments),
        authorities=authorities,
        supplied={"wimboot": None} if wimboot else {},
    ),
    st.lists(versions, max_size=4),
    st.sampled_from([[], [HELD_2011]]),
    st.dictionaries(st.sampled_from(Architecture), st.sampled_from(["two", "gone"])).map(
        lambda defaults: {Architecture.X64: "one"} | defaults
    ),
    st.dictionaries(st.sampled_from(NAMES[:3]), st.sampled_from(["one", "three", "gone"])),
    st.dictionaries(st.sampled_from(NAMES[1:4]), st.sampled_from(["2023", "2011"]), min_size=1),
    st.booleans(),
)


@settings(max_examples=300)
@given(
    st.lists(contents, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), clients), min_size=4, max_size=20),
    st.sampled_from(["", "2011", "2023"]),
)
def test_the_memo_says_what_the_decision_says_of_this_very_machine(contents, asked, authority):
    """Whoever asked before, in every order, also when what is published comes back."""
    site = replace(SETTINGS, authority=authority)
    decisions = Decisions(site)
    for number, client in asked:
        content = contents[number % len(contents)]
        facts = Facts(client.mac, client.architecture_code, client.stage, client.speaks_http)

        assert decisions.of(client, content) == decide(facts, content, site)


@given(clients)
def test_facts_and_client_agree_on_all_that_a_decision_reads(client):
    """Architecture and firmware follow from the code of option 93."""
    facts = Facts(client.mac, client.architecture_code, client.stage, client.speaks_http)

    assert (facts.architecture, facts.firmware) == (client.architecture, client.firmware)


def test_a_decision_of_one_kind_is_made_once():
    """Two machines that policy does not name share it."""
    decisions = Decisions(SETTINGS)
    first, second = (decisions.of(client_of(request(mac=mac)), BOTH) for mac in MACS[:2])

    assert first is second


def test_the_memo_is_bounded():
    """A hostile client makes up five thousand architecture codes."""
    decisions = Decisions(SETTINGS)
    for code in range(5000):
        decisions.of(client_of(request(architecture=code)), BOTH)

    assert len(decisions._made) <= 1024


@pytest.mark.parametrize(("attempt", "shape"), [(1, DIRECT), (2, DIRECT), (3, ASK_BOOT_SERVER)])
def test_the_form_follows_the_attempt(attempt, shape):
    """After two offers that the machine did not take it gets the other form."""
    made = Decisions(SETTINGS).of(client_of(request()), published(X64))

    assert isinstance(made, Decision)
    assert made.form(attempt).shape is shape
    assert made.form(attempt + MOST_ATTEMPTS).shape is made.forms[-1].shape
