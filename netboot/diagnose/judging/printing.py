"""Prints verdicts as text, and as data for JSON."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.judging.findings import Finding, Level
from netboot.diagnose.judging.verdict import Verdict

_MARKS = {
    Level.OK: "ok     ",
    Level.INFO: "note   ",
    Level.WARNING: "warning",
    Level.FAULT: "FAULT  ",
}
_INDENT = " " * 12


def text(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.kind.title}: {verdict.outcome}"
    for finding in verdict.findings:
        yield f"  {_MARKS[finding.level]} {finding.words}"
        for number, line in enumerate(finding.cure.splitlines()):
            yield f"{_INDENT}{'  ' if number else 'fix: '}{line}"


def summary(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """One line for each kind, then every remedy, those of faults first."""
    verdicts = tuple(verdicts)
    for verdict in verdicts:
        yield f"{verdict.outcome:<11} {verdict.kind.title}"
    steps = to_do(verdicts)
    if steps:
        yield ""
        yield "What to do:"
    for number, (cure, titles) in enumerate(steps, 1):
        first, *rest = cure.splitlines()
        yield f"  {number}. {first}"
        yield from (f"       {line}" for line in rest)
        yield f"     (for: {', '.join(titles)})"


def to_do(verdicts: Iterable[Verdict]) -> list[tuple[str, list[str]]]:
    """Every remedy with the kinds that need it: first what makes a kind fail, then warnings."""
    verdicts = tuple(verdicts)
    steps: dict[str, list[str]] = {}
    for level in (Level.FAULT, Level.WARNING):
        for verdict in verdicts:
            for cure in (one.cure for one in verdict.findings if one.level is level):
                titles = steps.setdefault(cure, [])
                if verdict.kind.title not in titles:
                    titles.append(verdict.kind.title)
    return list(steps.items())


def verdict_as_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": verdict.kind.key,
        "title": verdict.kind.title,
        "outcome": verdict.outcome,
        "findings": [asdict(finding) for finding in verdict.findings],
    }


def verdict_from_data(data: Mapping[str, Any]) -> Verdict:
    """The inverse of `verdict_as_data`, for a check that ran elsewhere."""
    kind = next(one for one in KINDS if one.key == data["kind"])
    found = (Finding(Level(one["level"]), one["words"], one["cure"]) for one in data["findings"])
    return Verdict(kind, data["outcome"], tuple(found))


def as_data(verdicts: Iterable[Verdict], **about: str) -> dict[str, Any]:
    verdicts = tuple(verdicts)
    return {
        **about,
        "verdicts": [verdict_as_data(verdict) for verdict in verdicts],
        "to_do": [{"cure": cure, "titles": titles} for cure, titles in to_do(verdicts)],
    }
