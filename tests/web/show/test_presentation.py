"""How values look."""

from dataclasses import replace

import pytest

from netboot.boot.told.attempt import Attempt
from web.show import presentation


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 bytes"), (20, "20 bytes"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")],
)
def test_sizes(count, expected):
    """Binary units, as system administrators count."""
    assert presentation.size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.01, "10 ms"),
        (12.34, "12.3 s"),
        (59.99, "60.0 s"),
        (250, "4 min 10 s"),
        (3720, "1 h 2 min"),
    ],
)
def test_durations(seconds, expected):
    """Two units at most."""
    assert presentation.duration(seconds) == expected


def test_a_moment_is_readable_without_script():
    """UTC for people, ISO for the script; nothing where there is no time."""
    text = presentation.moment(1_700_000_000.4)

    assert text == '<time datetime="2023-11-14T22:13:20+00:00">2023-11-14 22:13 UTC</time>'
    assert presentation.moment(None) == "&ndash;"


def test_states_are_words_and_not_only_colours():
    """Whoever sees no colours reads them."""
    assert ">Out of date<" in presentation.distribution_badge("OUT_OF_DATE")
    assert ">Running<" in presentation.job_badge("running")
    assert ">NEW_STATE<" in presentation.distribution_badge("NEW_STATE")


def test_what_is_shown_is_escaped():
    """Also where markup is put together by hand."""
    assert "<script>" not in presentation.badge("red", "<script>")


def test_digests_are_short_for_people_and_whole_for_addresses():
    """Twelve digits are enough to compare by eye."""
    digest = "sha256:" + "ab" * 32

    assert presentation.short(digest) == "abababababab"
    assert presentation.hex_of(digest) == "ab" * 32


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("8086:100e", "VEN_8086&DEV_100E"),
        ("net:8086:10d3:0200", "VEN_8086&DEV_10D3"),
        ("PCI\\VEN_1AF4&DEV_1000&SUBSYS_0001", "VEN_1AF4&DEV_1000"),
        ("", ""),
        ("nothing known", ""),
    ],
)
def test_a_device_without_a_driver_can_be_searched_for(missing, expected):
    """However the machine named it."""
    assert presentation.hardware_search(missing) == expected


def test_what_machines_report_reads_as_the_catalog_calls_it():
    """INF names lose their ending, devices get a word."""
    assert (
        presentation.driver_name("e1000.inf"),
        presentation.driver_name("my.driver"),
    ) == ("e1000", "my.driver")
    assert (
        presentation.device_name("net:8086:100e storage:1af4:1001")
        == "network card 8086:100e, storage controller 1af4:1001"
    )
    assert (presentation.device_name("none"), presentation.device_name("")) == ("none", "")


def test_a_machine_is_named_by_what_is_known_of_it():
    """Firmware in capitals, as everybody writes it."""
    nothing = Attempt(number=1, began=0.0, last=0.0)
    both = replace(nothing, architecture="x64", firmware="bios")

    assert (
        presentation.machine_kind(both),
        presentation.machine_kind(replace(nothing, firmware="uefi")),
        presentation.machine_kind(nothing),
    ) == ("x64 · BIOS", "UEFI", "")
