import dataclasses
import json
import math
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netboot import pe_reports as module
from netboot.boot.files.names import Refusal
from netboot.boot.told.events import PeReported
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.pe_reports import ReportTokens, read_report

SECRET = "s" * 48
MAC = "52:54:00:77:00:01"
VERSION = ContentVersion("Lab PE x64", 7, Architecture.X64, "sha256:0", 0.0, (), ("linux",))
TOKENS = ReportTokens(SECRET)
TOKEN = TOKENS.issue(VERSION, MAC)
GOOD = {
    "mac": "52:54:00:77:00:02",
    "ip": "10.77.0.101/24",
    "image": "Lab PE x64",
    "version": 6,
    "driver": "e1000.inf",
    "device": "8086:100e",
    "arch": "x64",
    "firmware": "bios",
    "missing": "none",
    "disks": "sda",
    "devices": "8086:100e,1af4:1001",
    "uptime": 12.5,
}


PUBLISHED = dataclasses.replace(
    PublishedContent.empty(),
    kept=MappingProxyType({("Lab PE x64", 7): VERSION}),
    names=MappingProxyType({"lab-pe-x64": "Lab PE x64"}),
)


def read(said, token=TOKEN, ip="10.77.0.101", published=PUBLISHED):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return read_report(TOKENS, token, body, ip, published)


def test_a_token_inside_a_version_holds_while_its_image_is_served(monkeypatch):
    """A year later as well; once the image is gone, the reason is told."""
    import itsdangerous.timed

    token = TOKENS.issue_for("lab-pe-x64", 7)
    assert token == TOKENS.issue_for("lab-pe-x64", 7)
    now = itsdangerous.timed.time.time()
    monkeypatch.setattr(itsdangerous.timed.time, "time", lambda: now + 365 * 86400)
    event = read(GOOD, token)
    assert (event.image, event.mac, event.way) == ("Lab PE x64", "52:54:00:77:00:02", "")
    assert (read({}, token).image, read({}, token).version) == ("Lab PE x64", 7)

    refusal = read(GOOD, token, published=PublishedContent.empty())
    assert isinstance(refusal, Refusal)
    assert "is no longer served here" in refusal.reason


def test_tokens_of_one_kind_are_none_of_another():
    """A brief one does not become a lasting one by being written into an image."""
    lasting, written = TOKENS.issue_lasting(VERSION, "usb"), TOKENS.issue_for("lab-pe-x64", 7)

    assert (TOKENS.read_for(TOKEN), TOKENS.read_for(lasting)) == (None, None)
    assert (TOKENS.read(written), TOKENS.read_lasting(written)) == (None, None)


def test_a_medium_of_a_version_that_is_not_kept_any_more_reports_by_its_new_name():
    """The point has forgotten the version, not what the image is called."""
    token = TOKENS.issue_lasting(dataclasses.replace(VERSION, number=3), "usb")
    renamed = dataclasses.replace(
        PUBLISHED, names=MappingProxyType({"lab-pe-x64": "Lab PE, renamed"})
    )

    assert (
        read(GOOD, token, published=renamed).image,
        read(GOOD, token, published=renamed).version,
        read(GOOD, token, published=renamed).way,
    ) == ("Lab PE, renamed", 6, "usb")


def test_what_the_machine_found_inside_its_wim_counts():
    """It runs version 6 though it was sent version 7: that is what is noted."""
    event = read(GOOD)

    assert (
        event.image,
        event.version,
        event.driver,
        event.device,
        event.uptime,
    ) == ("Lab PE x64", 6, "e1000.inf", "8086:100e", 12.5)
    assert (
        event.architecture,
        event.firmware,
        event.missing,
        event.disks,
        event.devices,
    ) == ("x64", "bios", "none", "sda", "8086:100e,1af4:1001")


def test_an_image_that_knows_nothing_of_us_is_the_one_of_the_token():
    """A WIM without our files says neither name nor version; a version alone means nothing."""
    for said in ({}, {"version": 99}, {"image": "", "version": 99}):
        event = read(said)
        assert (event.image, event.version) == ("Lab PE x64", 7)


def test_the_machine_is_the_one_that_the_token_was_made_for():
    """Windows PE may report through another card than the one that it was booted by."""
    assert read(GOOD).mac == MAC
    anybody = TOKENS.issue(VERSION, "")
    assert read(GOOD, anybody).mac == "52:54:00:77:00:02"
    assert read({"mac": "<script>"}, anybody).mac == ""


def test_the_address_is_the_machines_own_word_or_where_it_came_from():
    """Only an address counts as one."""
    assert read(GOOD, ip="192.0.2.1").ip == "10.77.0.101"
    for said in ("", "no address", "fd00::1", "999.1.1.1", 7, None):
        assert read({"ip": said}, ip="192.0.2.1").ip == "192.0.2.1"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "guess",
        TOKEN[:-5] + ("A" if TOKEN[-5] != "A" else "B") + TOKEN[-4:],  # the last has spare bits
        TOKEN[1:],
        TOKEN.split(".")[0],
        ReportTokens("another secret" * 4).issue(VERSION, MAC),
        "." * 500,
        "ü\udc80\0",
        TOKEN + "\n",
    ],
    ids=[
        *("empty", "a guess", "a letter changed", "a letter gone", "a part only"),
        *("of another site", "far too long", "no text", "a line more"),
    ],
)
def test_only_our_own_tokens_are_taken(token):
    """A made-up, changed or foreign token is refused without a look at the report."""
    refusal = read(b"not even JSON", token)

    assert isinstance(refusal, Refusal)
    assert ("token" in refusal.reason, 2) == (True, refusal.code)


def test_a_token_of_another_purpose_is_not_one_for_reports():
    """What else is signed with the site's secret opens nothing here."""
    from itsdangerous import URLSafeTimedSerializer

    other = URLSafeTimedSerializer(SECRET, salt="session").dumps(["Lab PE x64", 7, MAC])

    assert isinstance(read(GOOD, other), Refusal)


def test_a_token_is_good_for_a_working_day_and_no_longer(monkeypatch):
    """A report of yesterday's boot is no news of today's."""
    import itsdangerous.timed

    token = TOKENS.issue(VERSION, MAC)
    now = itsdangerous.timed.time.time()
    monkeypatch.setattr(itsdangerous.timed.time, "time", lambda: now + module.LIFETIME_SECONDS - 10)
    assert isinstance(read(GOOD, token), PeReported)
    monkeypatch.setattr(itsdangerous.timed.time, "time", lambda: now + module.LIFETIME_SECONDS + 10)
    assert isinstance(read(GOOD, token), Refusal)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"NaN",
        b"\xff\xfe\0",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"1" * 5000,
        b'{"version": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_report_is_refused_in_words(body):
    """However it is broken, deep or long: a reason, never a traceback."""
    refusal = read(body)

    assert isinstance(refusal, Refusal)
    assert "JSON" in refusal.reason


HOSTILE = [
    None,
    True,
    -1,
    0,
    1e308,
    2**63,
    float("nan"),
    float("inf"),
    -float("inf"),
    "",
    "x" * 100_000,
    "\0\x1b[31mred\n",
    "\ud800 lone surrogate",
    "<script>alert(1)</script>",
    "²",
    "٣",
    [],
    [[[[]]]],
    {},
    {"a": {"b": [1, 2, {"c": None}]}},
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_a_hostile_value_in_any_field_becomes_something_harmless(value):
    """Text is printable and short, numbers are numbers that fit, and all of it can be stored."""
    for field in GOOD:
        assert_harmless(read({**GOOD, field: value}))
    assert_harmless(read(dict.fromkeys(GOOD, value)))


def test_of_many_drivers_the_last_are_kept():
    """Those for the network, which are loaded last."""
    names = " ".join(f"driver-{number:04}.inf" for number in range(500))

    for field in ("driver", "missing"):
        value = dataclasses.asdict(read({**GOOD, field: f" {names}"}))[field]
        assert value.endswith(" driver-0498.inf driver-0499.inf")
        assert value.startswith("… driver-0")
        assert names.endswith(value.removeprefix("… "))


def assert_harmless(event):
    assert isinstance(event, PeReported)
    for name, value in dataclasses.asdict(event).items():
        if isinstance(value, str):
            assert len(value) <= module.LONGEST_FIELD, name
            assert name == "raw" or value.isprintable(), name
            value.encode()
        else:
            assert math.isfinite(value), name
            assert 0 <= value < 2**63, name
    json.dumps(event.details(), allow_nan=False)
    assert isinstance(event.version, int)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)))  # fmt: skip
def test_no_report_at_all_does_harm(said):
    """Whatever JSON can say."""
    assert_harmless(read(said))


@given(st.binary(max_size=300))
def test_no_bytes_at_all_do_harm(body):
    """Whatever a wire can carry: an event or a refusal."""
    assert isinstance(read(body), PeReported | Refusal)


@pytest.mark.parametrize("way", ["iso", "usb", "disk", "package"])
def test_a_medium_reports_its_version_and_its_way_for_years(way, monkeypatch):
    """Its token names no machine: the machine names itself."""
    token = TOKENS.issue_lasting(VERSION, way)
    monkeypatch.setattr(module.time, "time", lambda: 4e9)
    event = read(GOOD, token)

    assert (way, GOOD["mac"], "Lab PE x64") == (event.way, event.mac, event.image)
    assert token == TOKENS.issue_lasting(VERSION, way)


def test_a_report_of_a_network_boot_has_no_way_of_its_own():
    """And a token for the one is none for the other."""
    assert read(GOOD).way == ""
    assert TOKENS.read(TOKENS.issue_lasting(VERSION, "iso")) is None
    assert TOKENS.read_lasting(TOKEN) is None


@pytest.mark.parametrize("way", ["", "network", "floppy"])
def test_a_way_that_there_is_not_is_no_token(way):
    """Pages show the ways that there are."""
    assert TOKENS.read_lasting(TOKENS.issue_lasting(VERSION, way)) is None
