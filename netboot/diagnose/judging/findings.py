"""The findings of a diagnosis: what was seen, how bad it is, and the remedy.

The codes in brackets are those that PXE firmware shows on its screen.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation. Warnings and faults have a remedy in `cure`."""

    level: Level
    words: str
    cure: str = ""


def ok(words: str) -> Finding:
    return Finding(Level.OK, words)


def info(words: str, cure: str = "") -> Finding:
    return Finding(Level.INFO, words, cure)


def warning(words: str, cure: str) -> Finding:
    """Machines boot now, but not all of them, or not reliably."""
    return Finding(Level.WARNING, words, cure)


def fault(words: str, cure: str) -> Finding:
    """A machine of this kind cannot boot."""
    return Finding(Level.FAULT, words, cure)
