"""Sentences of a diagnosis: what was seen, how bad it is, and the cure.

The codes in brackets are those that PXE firmware shows on its screen.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen. A fault has a cure."""

    level: Level
    words: str
    cure: str = ""


def ok(words: str) -> Finding:
    return Finding(Level.OK, words)


def info(words: str, cure: str = "") -> Finding:
    return Finding(Level.INFO, words, cure)


def warning(words: str, cure: str) -> Finding:
    """It boots, but not on every machine or not for ever."""
    return Finding(Level.WARNING, words, cure)


def fault(words: str, cure: str) -> Finding:
    """A machine of this kind does not boot as it should."""
    return Finding(Level.FAULT, words, cure)
