"""Verdicts for people and for programs."""

from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.judging.findings import fault, ok, warning
from netboot.diagnose.judging.printing import (
    as_data,
    summary,
    text,
    verdict_as_data,
    verdict_from_data,
)
from netboot.diagnose.judging.verdict import Verdict

VERDICT = Verdict(KINDS[1], "fails", (ok("an address"), fault("no file", "put it there\nor not")))


def test_a_verdict_is_told_with_every_cure() -> None:
    """Indented below what it cures."""
    assert list(text(VERDICT)) == [
        "64-bit UEFI PC: fails",
        "  ok      an address",
        "  FAULT   no file",
        "            fix: put it there",
        "              or not",
    ]


def test_the_summary_has_a_line_for_each_kind() -> None:
    assert next(iter(summary([VERDICT]))) == "fails       64-bit UEFI PC"


def test_the_summary_ends_with_each_cure_once() -> None:
    """Those of faults first, then those of warnings."""
    other = Verdict(KINDS[0], "fails", (fault("no file", "put it there\nor not"), fault("x", "y")))
    well = Verdict(KINDS[2], "boots", (warning("slow", "hurry"), ok("an address")))

    assert list(summary([VERDICT, other, well]))[3:] == [
        "",
        "What to do:",
        "  1. put it there",
        "       or not",
        "     (for: 64-bit UEFI PC, BIOS PC)",
        "  2. y",
        "     (for: BIOS PC)",
        "  3. hurry",
        "     (for: 32-bit UEFI PC)",
    ]


def test_programs_get_plain_values() -> None:
    assert as_data([VERDICT], server="10.0.0.2") == {
        "server": "10.0.0.2",
        "verdicts": [
            {
                "kind": "uefi-x64",
                "title": "64-bit UEFI PC",
                "outcome": "fails",
                "findings": [
                    {"level": "ok", "words": "an address", "cure": ""},
                    {"level": "fault", "words": "no file", "cure": "put it there\nor not"},
                ],
            }
        ],
        "to_do": [{"cure": "put it there\nor not", "titles": ["64-bit UEFI PC"]}],
    }


def test_a_verdict_from_elsewhere_is_read_back() -> None:
    assert verdict_from_data(verdict_as_data(VERDICT)) == VERDICT
