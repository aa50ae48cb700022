"""What DHCP servers do for a machine: in time, alone, and with a way to the boot server."""

from dataclasses import replace

import pytest

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.evidence import Evidence
from netboot.diagnose.judging.addresses import addresses, reaches
from netboot.diagnose.judging.findings import Level

SERVER = "10.0.0.2"
ADDRESS = Reply(
    1, "10.0.0.1", 67, 2, "10.0.0.1", "10.0.0.99", "0.0.0.0", "", "", mask="255.255.255.0"
)
ELSEWHERE = replace(ADDRESS, server="10.0.0.3", offered="192.168.1.20")


def told(*offers: Reply, server: str = SERVER) -> list[tuple[Level, str]]:
    """The findings on these offers."""
    evidence = Evidence(kind=KINDS[1], offers=offers)
    return [(one.level, one.words) for one in addresses(evidence, server)]


def test_an_address_is_told_with_the_time_that_it_took() -> None:
    """Milliseconds where all is well."""
    assert told(replace(ADDRESS, after=0.0123)) == [
        (Level.OK, "10.0.0.1 offers the address 10.0.0.99 after 12 ms")
    ]


QUEUED = (
    "slow: first offer after 3.1 s, and 9.2 s to this machine because several ask at once;"
    " such firmware keeps asking for 60 s, and takes it"
)


@pytest.mark.parametrize(
    ("key", "after", "first", "level", "words"),
    [
        ("uefi-x64", 3.1, 3.1, Level.WARNING,
         "slow: first offer after 3.1 s; such firmware keeps asking for 60 s, and takes it"),
        ("ipxe-x64", 3.1, 3.1, Level.WARNING,
         "slow: first offer after 3.1 s; iPXE keeps asking for 15 s, and takes it"),
        ("ipxe-x64", 20.0, 20.0, Level.FAULT,
         "slow: first offer after 20.0 s; iPXE gives up after 15 s"),
        ("bios", 9.2, 3.1, Level.WARNING,
         QUEUED),
        ("bios", 9.2, 0.1, Level.WARNING,
         "slow: first offer after 9.2 s; such firmware keeps asking for 60 s, and takes it"),
    ],
)  # fmt: skip
def test_a_slow_server_is_told_with_what_firmware_makes_of_it(
    key: str, after: float, first: float, level: Level, words: str
) -> None:
    kind = next(one for one in KINDS if one.key == key)
    evidence = Evidence(kind=kind, offers=(replace(ADDRESS, after=after),), first_offer=first)
    (_, finding) = addresses(evidence, SERVER)

    assert (level, words) == (finding.level, finding.words)
    assert "no-ping" in finding.cure


def test_no_address_names_the_code_on_the_screen() -> None:
    """E51 without any offer, E52 with a boot server's alone."""
    boot = replace(ADDRESS, offered="0.0.0.0", vendor_class="PXEClient")

    assert told() == [(Level.FAULT, "no DHCP server offers an address [PXE-E51]")]
    assert told(boot) == [(Level.FAULT, "no DHCP server offers an address [PXE-E52]")]


def test_a_pair_of_servers_is_worth_a_word_and_a_stranger_a_warning() -> None:
    """Told apart by the network of what they offer."""
    pair = told(ADDRESS, replace(ADDRESS, server="10.0.0.3", offered="10.0.0.120"))
    assert pair[-1] == (
        Level.INFO, "2 DHCP servers offer addresses of the same network: 10.0.0.1, 10.0.0.3"
    )  # fmt: skip

    levels = [level for level, words in told(ADDRESS, ELSEWHERE) if "different networks" in words]
    assert levels == [Level.WARNING]


@pytest.mark.parametrize(
    ("reply", "reached"),
    [
        (ADDRESS, True),
        (ELSEWHERE, False),
        (replace(ELSEWHERE, router="192.168.1.1"), True),
        (replace(ELSEWHERE, mask=""), True),
        (replace(ELSEWHERE, mask="nonsense"), True),
    ],
)
def test_without_a_router_only_the_own_network_is_reached(reply: Reply, *, reached: bool) -> None:
    """What cannot be told is not called broken."""
    assert reaches(reply, SERVER) is reached


def test_a_missing_router_is_a_fault_that_names_who_should_give_it() -> None:
    """The machine would have an address and no way to its file."""
    (finding,) = (
        one
        for one in addresses(Evidence(kind=KINDS[1], offers=(ELSEWHERE,)), SERVER)
        if one.level is Level.FAULT
    )

    assert "without a router: the machine cannot reach 10.0.0.2" in finding.words
    assert finding.cure == "Configure option 3 (router) for this network on 10.0.0.3."
