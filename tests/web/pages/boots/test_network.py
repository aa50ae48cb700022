"""The boot network on a page."""

import json
import time

import pytest
from markupsafe import escape

from netboot.boot.answer.quirks import QUIRKS
from netboot.boot.told.events import (
    DhcpStarted,
    ForeignOffer,
    NetworksChanged,
    OfferSent,
    RequestIgnored,
)
from netboot.errors import InvalidInput, NotFound
from netboot.operations.boots import network
from tests.captures import reader
from tests.web.conftest import htmx
from tests.web.support import uploading

MAC = "52:54:00:00:00:09"
RESULT = {
    "interface": "eth0",
    "address": "10.0.0.2",
    "server": "10.0.0.2",
    "to_do": [{"cure": "Open UDP port 69 on the server.", "titles": ["64-bit UEFI PC"]}],
    "verdicts": [
        {
            "kind": "uefi-x64",
            "title": "64-bit UEFI PC",
            "outcome": "fails",
            "findings": [
                {"level": "ok", "words": "10.0.0.1 offers the address 10.0.0.9", "cure": ""},
                {
                    "level": "fault",
                    "words": "nothing comes by TFTP for <b>snponly.efi</b>",
                    "cure": "Open UDP port 69 on the server.",
                },
            ],
        },
        {"kind": "bios", "title": "BIOS PC", "outcome": "boots", "findings": []},
    ],
}


@pytest.fixture
def told(furnished):
    """A site that answered, ignored, and heard another server."""
    for event in (
        DhcpStarted(
            at=1.0,
            interface="eth7",
            address="10.0.0.2",
            ports="4011",
            notes="UDP port 67 is taken by dnsmasq (process 8)",
        ),
        OfferSent(
            at=2.0,
            mac=MAC,
            file="snponly.efi",
            image="PE",
            version=4,
            reason="default for x64",
            warning="3 DISCOVERs in 12 s and no REQUEST",
        ),
        RequestIgnored(at=3.0, mac=MAC, reason="the relay 10.2.0.1 is not among the allowed"),
        ForeignOffer(at=4.0, mac=MAC, server="10.0.0.66", file="evil.efi"),
    ):
        furnished.journal.emit(event)
    assert furnished.journal.flush()
    return furnished


def test_the_reason_for_each_ignored_request_is_shown(told, make_client):
    """And what was answered, with why; the filter leaves that out."""
    viewer = make_client(told, "viewer")
    everything = viewer.get("/network/").text
    ignored = viewer.get("/network/?show=ignored").text

    assert "The relay 10.2.0.1 is not among the allowed." in everything
    assert "Default for x64." in everything
    assert "3 DISCOVERs in 12 s and no REQUEST." in everything
    assert "The relay 10.2.0.1 is not among the allowed." in ignored
    assert "Default for x64." not in ignored


@pytest.mark.parametrize(
    ("search", "shown"),
    [
        (MAC, 2),
        ("RELAY 10.2.0.1", 1),
        ("snponly", 1),
        ("among allowed", 1),
        ("no such words", 0),
        ("100%", 0),
        ('"', 0),
    ],
)
def test_requests_are_searched_by_machine_file_and_reason(told, make_client, search, shown):
    """All words must stand there; nothing that was typed is a pattern."""
    viewer = make_client(told, "viewer")
    text = viewer.get("/network/", query_string={"search": search}).text

    assert shown == text.count('<td data-label="Reason">')
    assert ("No matching requests" in text) is (shown == 0)
    live = network.decisions(told, search=search)
    assert shown == len(live)


def test_what_we_serve_and_who_else_does_is_shown(told, make_client):
    """Port 67 is taken, by whom; another server was heard."""
    text = make_client(told, "viewer").get("/network/").text

    assert "eth7" in text
    assert "UDP port 67 is taken by dnsmasq (process 8)." in text
    assert "10.0.0.66" in text
    assert "evil.efi" in text


NETWORKS = [
    {"name": "eth0", "interface": "eth0", "address": "10.1.0.2", "state": "serves",
     "subnets": ["10.1.0.0/24"], "heard": 1234, "answered": 1200, "last": 5.0,
     "relays": ["10.8.0.1"], "response_delay": 2.5, "only_known": True, "block_size": 1380},
    {"name": "eth9", "interface": "eth9", "state": "waits",
     "reason": "there is no network interface eth9"},
    {"name": "10.9.0.0/24", "state": "not allowed", "of_another_release": 1},
]  # fmt: skip


@pytest.fixture
def several(furnished):
    """A site whose boot services told of three networks."""
    furnished.journal.emit(NetworksChanged(at=6.0, networks=json.dumps(NETWORKS)))
    assert furnished.journal.flush()
    return furnished


def test_each_network_is_shown_with_its_state_and_what_was_heard_there(several, make_client):
    text = make_client(several, "viewer").get("/network/").text

    for shown in ("10.1.0.0/24", "1,234", "1,200 answered", "10.8.0.1", "Offers after 2.5 s",
                  "Known machines only", "TFTP blocks up to 1380 bytes", "Waits",
                  "There is no network interface eth9.", "Not allowed"):  # fmt: skip
        assert shown in text, shown
    assert 'name="network"' not in text  # there is one to check


def test_the_api_lists_the_networks_and_checks_one_by_its_name(several, make_client):
    operator = make_client(several, "operator")
    found = operator.get("/api/v1/network/networks").json["items"]
    job = network.ask_check(several, network="eth0")

    assert [one["state"] for one in found] == ["serves", "waits", "not allowed"]
    assert (found[0]["relays"], found[0]["heard"]) == (["10.8.0.1"], 1234)
    assert job.title == "Network check: all kinds of machine, on eth0"
    for name, words in (("eth9", "cannot be checked from this host"), ("eth1", "no network")):
        with pytest.raises((InvalidInput, NotFound), match=words):
            network.ask_check(several, network=name)


def test_how_firmware_is_answered_stands_there_with_its_sources(furnished, make_client):
    """Each row of the table."""
    text = make_client(furnished, "viewer").get("/network/").text

    assert len(QUIRKS) == sum(str(escape(quirk.source)) in text for quirk in QUIRKS)


def test_an_operator_has_the_network_checked(furnished, make_client):
    """The job waits for the worker; the page goes on to where it is shown."""
    operator = make_client(furnished, "operator")
    form = {"kind": "uefi-x64", "patience": "10", "whole": "1"}
    answer = operator.post("/network/", data=form, headers=htmx())

    assert answer.headers["HX-Redirect"] == "/network/"
    (job,) = network.list_checks(furnished)
    assert job.arguments == {"kinds": ["uefi-x64"], "patience": 10, "whole": True}
    assert "Network check: 64-bit UEFI PC" in operator.get("/network/").text


def test_a_viewer_may_not(furnished, make_client):
    """It makes packets."""
    assert make_client(furnished, "viewer").post("/network/").status_code == 403
    assert network.list_checks(furnished) == []


@pytest.mark.parametrize("form", [{}, {"patience": "x"}, {"patience": "4", "kind": "amiga"}])
def test_what_is_not_on_offer_is_refused(furnished, make_client, form):
    """With a message, not with a page that broke."""
    answer = make_client(furnished, "operator").post("/network/", data=form, headers=htmx())

    assert answer.status_code == 400
    assert network.list_checks(furnished) == []


def test_verdicts_are_shown_with_findings_and_cures(furnished, make_client):
    """Escaped: what servers say is not ours."""
    job = network.ask_check(furnished)
    furnished.jobs.finish(job.id, "succeeded", result=RESULT)
    for path in ("/network/", f"/jobs/{job.id}"):
        text = make_client(furnished, "viewer").get(path).text

        assert "Recommended actions" in text
        assert "Open UDP port 69 on the server." in text
        assert "Nothing comes by TFTP for &lt;b&gt;snponly.efi&lt;/b&gt;." in text
        assert "Boots" in text


def test_verdicts_are_shown_while_the_check_goes_on(furnished, make_client):
    """As they come."""
    job = network.ask_check(furnished)
    furnished.jobs.claim("worker", ("check_network",))
    partial = {"verdicts": RESULT["verdicts"][1:]}
    furnished.jobs.report(job.id, progress=0.4, stage="BIOS PC", result=partial)
    text = make_client(furnished, "viewer").get("/network/").text

    assert 'value="40"' in text
    assert "Boots" in text


def test_earlier_checks_are_listed_with_how_they_ended(furnished, make_client):
    """The newest in full, the others in a line."""
    for result in (RESULT, {**RESULT, "verdicts": RESULT["verdicts"][1:]}, RESULT):
        job = network.ask_check(furnished)
        furnished.jobs.finish(job.id, "succeeded", result=result)
    text = make_client(furnished, "viewer").get("/network/").text

    assert "1 failed" in text
    assert "Passed" in text


def test_another_boot_server_needs_attention(furnished, make_client):
    """On the first page too, for a day."""
    now = time.time()
    for server, at in (("10.0.0.66", now - 60), ("10.0.0.67", now - 2 * 24 * 3600)):
        furnished.journal.emit(ForeignOffer(at=at, mac=MAC, server=server))
    assert furnished.journal.flush()
    text = make_client(furnished, "viewer").get("/").text

    assert "10.0.0.66" in text
    assert "10.0.0.67" not in text


STORY = {
    "machines": [
        {
            "mac": MAC,
            "failed": True,
            "finding": "x.efi was refused by 10.0.0.2: <b>no</b>",
            "lines": [{"at": 0.25, "words": "TFTP: asks 10.0.0.2 for <i>x.efi</i>"}],
        }
    ],
    "notes": ["only the first 512 MiB were read"],
}


def test_an_operator_has_a_recording_read(furnished, make_client):
    """It is handed to the worker, and the page goes on to where the story will stand."""
    operator = make_client(furnished, "operator")
    recording = (reader.FOLDER / "uefi64-edk2-native-snponly.pcap").read_bytes()
    upload = uploading.send(operator, "boot.pcap", recording)
    answer = operator.post("/network/captures", data={"upload": upload}, headers=htmx())

    assert answer.headers["HX-Redirect"] == "/network/#recorded-boots"
    (job,) = network.list_captures(furnished)
    assert (job.kind, job.title) == ("read_capture", "Recorded boot: boot.pcap")
    assert "Recorded boot: boot.pcap" in operator.get("/network/").text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a network recording"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_recording_is_refused_at_once(furnished, make_client, data, words):
    """With the way to make one; the file is not kept."""
    operator = make_client(furnished, "operator")
    upload = uploading.send(operator, "boot.pcap", data)
    answer = operator.post("/network/captures", data={"upload": upload}, headers=htmx())

    assert answer.status_code == 400
    assert words in answer.text
    assert "Wireshark" in answer.text
    assert network.list_captures(furnished) == []
    assert [path for path in (furnished.data / "uploads").rglob("*") if path.is_file()] == []


def test_a_viewer_may_have_no_recording_read(furnished, make_client):
    """But sees what others had read."""
    viewer = make_client(furnished, "viewer")

    assert viewer.post("/network/captures", data={"upload": "0" * 32}).status_code == 403


def test_the_story_of_a_recording_is_shown(furnished, make_client):
    """Machine by machine, escaped: what packets say is not ours."""
    for path in ("earlier.pcap", "boot.pcap"):
        job = furnished.jobs.submit("read_capture", {}, title=f"Recorded boot: {path}")
        furnished.jobs.finish(job.id, "succeeded", result=STORY)
    for path in ("/network/", f"/jobs/{job.id}"):
        text = make_client(furnished, "viewer").get(path).text

        assert "asks 10.0.0.2 for &lt;i&gt;x.efi&lt;/i&gt;." in text
        assert "X.efi was refused by 10.0.0.2: &lt;b&gt;no&lt;/b&gt;." in text
        assert "+0.250 s" in text
        assert "Only the first 512 MiB were read." in text
    assert "1 stopped" in make_client(furnished, "viewer").get("/network/").text
