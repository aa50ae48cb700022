"""Verdicts for people, and for programs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from netboot.diagnose.findings import Finding, Level
from netboot.diagnose.verdict import Verdict

_MARKS = {
    Level.OK: "ok     ",
    Level.INFO: "note   ",
    Level.WARNING: "warning",
    Level.FAULT: "FAULT  ",
}
_INDENT = " " * 12


def told(verdict: Verdict) -> Iterator[str]:
    """A verdict as lines of text."""
    yield f"{verdict.kind.title}: {verdict.outcome}"
    for finding in verdict.findings:
        yield from _finding(finding)


def summary(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """One line for each kind, and the first cure for what fails."""
    for verdict in verdicts:
        yield f"{verdict.outcome:<11} {verdict.kind.title}"


def as_data(verdicts: Iterable[Verdict], **about: str) -> dict[str, Any]:
    """Verdicts as plain values for JSON, with what they are about."""
    return {
        **about,
        "verdicts": [
            {
                "kind": verdict.kind.key,
                "title": verdict.kind.title,
                "outcome": verdict.outcome,
                "findings": [asdict(finding) for finding in verdict.findings],
            }
            for verdict in verdicts
        ],
    }


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {_MARKS[finding.level]} {finding.words}"
    for number, line in enumerate(finding.cure.splitlines()):
        yield f"{_INDENT}{'cure: ' if not number else '  '}{line}"
