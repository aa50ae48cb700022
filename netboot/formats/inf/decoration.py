"""TargetOS decorations: which models section of an INF applies to which Windows.

`nt[architecture][.major[.minor[.product type[.suite[.build]]]]]`, Microsoft: "Combining
Platform Extensions with Operating System Versions" and "INF Manufacturer Section". Windows
takes the highest version that is not above its own, and of equal versions the more specific
decoration. If the chosen section is empty, the INF does not support this Windows.

This module puts versions and builds on one scale, the build number (10.0 begins with 10240, 6.1
with 7600). Windows PE is a workstation (product type 1) without a special suite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from re import IGNORECASE
from re import compile as pattern
from types import MappingProxyType

WORKSTATION = 1
CLIENT_SUITE = 0x100
"""What Windows 10 and 11 Pro report about themselves (VER_SUITE_SINGLEUSERTS)."""

NEVER = 1 << 30
"""The build of a Windows version that does not exist yet."""

FIRST_BUILD = MappingProxyType(
    {
        (5, 0): 2195,
        (5, 1): 2600,
        (5, 2): 3790,
        (6, 0): 6000,
        (6, 1): 7600,
        (6, 2): 9200,
        (6, 3): 9600,
        (10, 0): 10240,
    }
)

_NUMBER = "(0x[0-9a-f]{1,8}|[0-9]{1,9})?"
_TARGET = pattern(
    rf"nt(x86|amd64|ia64|arm64|arm)?(?:\.{_NUMBER})?(?:\.{_NUMBER})?"
    rf"(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:\.{_NUMBER})?",
    IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One decoration. `architecture` (in INF words) is empty and `minimum_build` 0 if not given."""

    architecture: str = ""
    minimum_build: int = 0
    product_type: int = 0
    suite: int = 0

    def fits(self, architecture: str) -> bool:
        """Whether Windows PE on this architecture may use it."""
        return (
            # Since Server 2003 SP1, no architecture means x86 ("INF Manufacturer Section").
            (self.architecture or "x86") == architecture
            and self.product_type in {0, WORKSTATION}
            and not self.suite & ~CLIENT_SUITE
        )

    @property
    def specificity(self) -> tuple[bool, bool, bool]:
        """The greater one is chosen among decorations of the same version."""
        return bool(self.product_type), bool(self.suite), bool(self.architecture)


@dataclass(frozen=True, slots=True)
class Span:
    """The builds on which the decoration at `position` is chosen.

    `maximum_build` is the first build after them, or 0 for no end.
    """

    position: int
    minimum_build: int
    maximum_build: int


def parse_target(text: str) -> Target | None:
    """The decoration, or None if it is invalid. Empty text is the undecorated section."""
    if not text:
        return Target()
    match = _TARGET.fullmatch(text)
    if match is None:
        return None
    major, minor, product_type, suite, build = (_number(match[group]) for group in range(2, 7))
    return Target((match[1] or "").lower(), _first_build(major, minor, build), product_type, suite)


def _number(text: str | None) -> int:
    return int(text, 16 if text[:2].lower() == "0x" else 10) if text else 0


def _first_build(major: int, minor: int, build: int) -> int:
    """The first build of a version, or the given build if it is later."""
    if not major:
        return 0
    if (major, minor) > max(FIRST_BUILD):
        return NEVER
    known = [version for version in FIRST_BUILD if version <= (major, minor)]
    return max(FIRST_BUILD[max(known)] if known else 0, build)


def choose(targets: Sequence[Target | None], architecture: str) -> list[Span]:
    """Which of the decorations is used on which builds of Windows PE, lowest build first."""
    best: dict[int, tuple[int, Target]] = {}
    for position, target in enumerate(targets):
        if target is None or not target.fits(architecture) or target.minimum_build >= NEVER:
            continue
        rival = best.get(target.minimum_build)
        if rival is None or target.specificity > rival[1].specificity:
            best[target.minimum_build] = position, target
    starts = [*sorted(best), 0]
    return [Span(best[start][0], start, end) for start, end in pairwise(starts)]
