"""The boot network as pages and commands see it."""

import sys
import time

import pytest

from netboot.boot.told.events import (
    DhcpStarted,
    ForeignOffer,
    OfferSent,
    RequestIgnored,
    RequestsCounted,
)
from netboot.diagnose.asking.firmware import KINDS
from netboot.errors import InvalidInput, OperatorFault
from netboot.operations.boots import network
from tests.captures import reader

MAC, CHECK = "52:54:00:00:00:01", "02:6e:62:00:00:01"


@pytest.fixture
def busy(site):
    """A site whose journal has something of everything."""
    for event in (
        DhcpStarted(at=1.0, interface="old", address="10.0.0.9", ports="67, 4011"),
        DhcpStarted(at=2.0, interface="eth0", address="10.0.0.2", ports="4011", notes="a\n\nb"),
        OfferSent(at=3.0, mac=MAC, file="snponly.efi", image="PE", version=4, reason="default"),
        RequestIgnored(at=4.0, mac=MAC, reason="no default image for arm64"),
        RequestIgnored(at=5.0, mac=CHECK, reason="asked by a check"),
        ForeignOffer(at=6.0, mac=MAC, server="10.0.0.7", file="evil"),
        ForeignOffer(at=8.0, mac=CHECK, server="10.0.0.7", file="evil"),
        ForeignOffer(at=7.0, mac=MAC, server="10.0.0.8"),
    ):
        site.journal.emit(event)
    assert site.journal.flush()
    return site


def test_each_request_is_told_with_its_answer_or_the_reason_for_silence(busy):
    """Newest first; what a check asked is told by the check."""
    ignored, answered = network.decisions(busy)

    assert (ignored.ignored, ignored.reason) == (True, "no default image for arm64")
    assert (answered.file, answered.label, answered.reason) == ("snponly.efi", "PE v4", "default")
    assert [ignored] == network.decisions(busy, ignored_only=True)
    assert [ignored] == network.decisions(busy, 1)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("arm64", ["no default image for arm64"]),
        ("NO IMAGE", ["no default image for arm64"]),
        (MAC, ["no default image for arm64", "default"]),
        ("snponly PE", ["default"]),
        ("reason", []),
        ("%", []),
        ("_", []),
    ],
)
def test_decisions_are_searched_by_their_words(busy, search, found):
    """Of MAC, address, file, image and reason; not of the names that fields have."""
    assert found == [one.reason for one in network.decisions(busy, search=search)]


def test_other_boot_servers_are_told_once_each(busy):
    """With the first and the last time, the newest first."""
    newest, other = network.other_servers(busy)

    assert (
        newest.server,
        newest.file,
        newest.mac,
        newest.first,
        newest.last,
    ) == ("10.0.0.7", "evil", CHECK, 6.0, 8.0)
    assert other.server == "10.0.0.8"


def test_what_is_served_is_what_was_said_last(busy):
    """Each note is a paragraph."""
    serving = network.serving(busy)

    assert (
        serving.interface,
        serving.address,
        serving.ports,
        serving.notes,
    ) == ("eth0", "10.0.0.2", "4011", ("a", "b"))


def test_what_came_in_is_counted_since_the_start(busy):
    """The newest numbers of each process, added up; those of the run before are none of it."""
    for at, service, process, counts in (
        (1.5, "proxyDHCP", 0, '{"answered": 99}'),
        (9.0, "proxyDHCP", 0, '{"answered": 3}'),
        (10.0, "proxyDHCP", 0, '{"answered": 4, "malformed": 1}'),
        (10.0, "TFTP", 0, '{"requests": 2}'),
        (10.0, "TFTP", 1, '{"requests": 5}'),
        (10.0, "odd", 0, "[1"),
    ):
        busy.journal.emit(RequestsCounted(at=at, service=service, process=process, counts=counts))
    assert busy.journal.flush()

    assert network.serving(busy).counts == {
        "proxyDHCP": {"answered": 4, "malformed": 1},
        "TFTP": {"requests": 7},
        "odd": {},
    }


def test_before_the_first_start_nothing_is_known(site):
    """And no check can say where to ask."""
    assert network.serving(site) is None
    assert network.decisions(site) == []
    with pytest.raises(OperatorFault, match="never served") as refused:
        list(network.run_check(site))
    assert "--interface eth0" in refused.value.hint


def test_the_kinds_on_offer_are_those_of_the_check():
    """Their names are repeated, since scapy is not loaded for a page."""
    assert tuple((kind.key, kind.title) for kind in KINDS) == network.KINDS


@pytest.mark.parametrize("asked", [{"kinds": ("amiga",)}, {"patience": 99}])
def test_a_check_that_cannot_be_is_refused(site, asked):
    """Before it is queued."""
    with pytest.raises(InvalidInput):
        network.ask_check(site, **asked)
    assert network.list_checks(site) == []


def test_a_check_is_a_job(site):
    """Its title says what is asked."""
    job = network.ask_check(site, ("uefi-x64", "bios"), patience=10, whole=True)

    assert job.title == "Network check: 64-bit UEFI PC, BIOS PC"
    assert job.arguments == {"kinds": ["uefi-x64", "bios"], "patience": 10, "whole": True}
    assert [job] == network.list_checks(site)


def follow(script):
    """What is told by a check that is this script."""
    return network.follow_check([sys.executable, "-c", script])


def test_what_a_check_tells_comes_line_by_line():
    """A library's own words in between are passed over."""
    events = list(follow("print('{\"event\": \"asking\"}'); print('scapy!'); print('{\"a\": 1}')"))

    assert [one for one in events if one.get("event") != "silent"] == [
        {"event": "asking"},
        {"a": 1},
    ]


def test_a_check_that_cannot_run_fails_with_its_own_words():
    """Message and hint, as on a terminal."""
    script = (
        "import sys; print('netboot check: no port\\n  -> Be root.', file=sys.stderr); sys.exit(2)"
    )

    assert list(follow(script))[-1] == {"event": "failed", "reason": "no port", "hint": "Be root."}


def test_who_stops_asking_ends_the_check():
    """The process is gone when the generator is closed."""
    began = time.monotonic()
    events = follow("import time; print('{}', flush=True); time.sleep(600)")
    next(events)
    events.close()

    assert time.monotonic() - began < 60


def told(path):
    """What the telling of a recording ends with."""
    return [one for one in network.explain_capture(path) if one.get("event") != "silent"][-1]


def test_a_recording_is_told_by_the_check_itself():
    """In a process of its own; the very words of the command line."""
    story = told(reader.FOLDER / "uefi64-edk2-native-snponly.pcap")

    assert story["event"] == "story"
    assert [one["failed"] for one in story["machines"]] == [False]
    assert story["machines"][0]["lines"][0]["words"] == "DISCOVER: 64-bit UEFI PC"


def test_a_recording_that_cannot_be_read_says_why(tmp_path):
    """By its own name, with a hint."""
    path = tmp_path / "boot.pcap"
    path.write_bytes(b"\xd4\xc3\xb2\xa1xyz")
    failure = told(path)

    assert failure["event"] == "failed"
    assert failure["reason"].startswith("boot.pcap is not a valid capture file")
    assert "Wireshark" in failure["hint"]


def test_a_recording_is_a_job(site):
    """Its title says which."""
    path = site.data / "boot.pcap"
    path.write_bytes((reader.FOLDER / "uefi64-edk2-native-snponly.pcap").read_bytes())
    job = network.ask_capture(site, path)

    assert ("Recorded boot: boot.pcap", {"path": str(path)}) == (job.title, job.arguments)
    assert [job] == network.list_captures(site)


def test_a_recording_that_is_too_large_is_refused_with_the_way_to_a_smaller_one(site, monkeypatch):
    """Before anybody reads it."""
    monkeypatch.setattr(network, "LARGEST_CAPTURE", 1 << 20)
    path = site.data / "boot.pcap"
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(2 << 20))

    with pytest.raises(InvalidInput, match="has 2 MiB; at most 1 MiB are read") as refused:
        network.ask_capture(site, path)
    assert "tcpdump -s 400" in refused.value.hint
    assert network.list_captures(site) == []
