"""Known pairs: drivers that are reported to conflict in Windows PE.

Hardware ids and services show many conflicts, but not all: some packages break each other although
no INF shows it. A pair has patterns for two kinds of drivers, the problem, and its source.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache

from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Driver
from netboot.images.drivers.matching import version_numbers

TEXT_LIMIT = 200
REASON_LIMIT = 1000
FEWEST_LETTERS = 3

_WORD = re.compile(r"[\w.*?+\-]+")
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,3}")


class Trouble(StrEnum):
    """The problem of a pair."""

    APART = "apart"
    """They cannot be in the same boot image."""

    ORDER = "order"
    """The first driver must be loaded before the second."""

    RELEASE = "release"
    """They belong together: their first two version numbers must match."""


@dataclass(frozen=True, slots=True)
class Side:
    """Selects drivers by all given values; empty ones select all.

    `inf` and `service` are patterns with * and ?, separated by blanks; those of `provider` are
    separated by commas. `since` is the first version, `before` the first version after them.
    """

    inf: str = ""
    provider: str = ""
    service: str = ""
    since: str = ""
    before: str = ""

    @property
    def label(self) -> str:
        words = [self.inf or (f"service {self.service}" if self.service else "any driver")]
        if self.inf and self.service:
            words.append(f"with service {self.service}")
        if self.provider:
            words.append(f"of {self.provider}")
        if self.since:
            words.append(f"from {self.since}")
        if self.before:
            words.append(f"before {self.before}")
        return " ".join(words)

    def fits(self, driver: Driver) -> bool:
        version = version_numbers(driver.version)
        return (
            _any_fits(self.inf.split(), (driver.inf_name,))
            and _any_fits(self.provider.split(","), (driver.provider,))
            and _any_fits(self.service.split(), (model.service for model in driver.models))
            and (not self.since or version >= version_numbers(self.since))
            and (not self.before or version < version_numbers(self.before))
        )


@dataclass(frozen=True, slots=True)
class KnownPair:
    """Two kinds of drivers that conflict. `source` is the address of a report.

    A pair that the site's administrators added (`own`) has their note as its source.
    """

    id: str
    trouble: Trouble
    first: Side
    second: Side
    reason: str
    source: str = ""
    own: bool = False

    @property
    def rule(self) -> str:
        one, other = self.first.label, self.second.label
        match self.trouble:
            case Trouble.APART:
                return f"Never in the same boot image: {one} and {other}."
            case Trouble.ORDER:
                return f"Load {one} before {other}."
            case Trouble.RELEASE:
                return f"Must have the same first two version numbers: {one} and {other}."


@dataclass(frozen=True, slots=True)
class Clash:
    """Drivers to which a known pair applies."""

    pair: KnownPair
    first: tuple[Driver, ...]
    second: tuple[Driver, ...]


def check_pair(pair: KnownPair) -> KnownPair:
    """The pair with clean texts. Raises InvalidInput if a side selects no driver, or all."""
    reason, source = " ".join(pair.reason.split()), " ".join(pair.source.split())
    if not reason:
        raise InvalidInput(
            "enter a description of the conflict",
            hint="Describe what goes wrong, for other administrators.",
        )
    if len(reason) > REASON_LIMIT or len(source) > REASON_LIMIT:
        raise InvalidInput(
            f"description and source can have at most {REASON_LIMIT} characters each"
        )
    if not (reason + source).isprintable():
        raise InvalidInput("description and source must be printable text")
    first, second = _check_side(pair.first), _check_side(pair.second)
    if first == second and pair.trouble is Trouble.ORDER:
        raise InvalidInput("a driver cannot be loaded before itself")
    return replace(pair, first=first, second=second, reason=reason, source=source)


def clashes(pairs: Iterable[KnownPair], drivers: Sequence[Driver]) -> tuple[Clash, ...]:
    """The conflicts of these drivers in one image, loaded in this order."""
    found = (_clash(pair, drivers) for pair in pairs)
    return tuple(clash for clash in found if clash is not None)


def partners(pairs: Iterable[KnownPair], driver: Driver) -> tuple[tuple[KnownPair, Side], ...]:
    """The pairs that apply to a driver, each with its other side."""
    found = []
    for pair in pairs:
        if pair.first.fits(driver):
            found.append((pair, pair.second))
        if pair.second.fits(driver) and pair.first != pair.second:
            found.append((pair, pair.first))
    return tuple(found)


def arranged(pairs: Iterable[KnownPair], drivers: Sequence[Driver]) -> tuple[Driver, ...]:
    """The drivers in an order that the pairs require, otherwise unchanged.

    Each pair is applied once, so pairs that contradict each other do not loop.
    """
    order = list(drivers)
    for pair in pairs:
        if pair.trouble is not Trouble.ORDER:
            continue
        later = [driver for driver in order if pair.second.fits(driver)]
        late = [
            driver
            for at, driver in enumerate(order)
            if pair.first.fits(driver) and any(one in order[:at] for one in later)
        ]
        if late:
            kept = [driver for driver in order if driver not in late]
            at = kept.index(later[0])
            order = [*kept[:at], *late, *kept[at:]]
    return tuple(order)


def several_versions(drivers: Sequence[Driver]) -> tuple[tuple[Driver, ...], ...]:
    """Versions of one package among these drivers that share an architecture, the newest last.

    Windows PE keeps the program that it loads first, whatever the ranks (Microsoft, "Limitations
    of $WinPeDriver$ when used in conjunction with other driver injection methods").
    """
    groups: dict[tuple[str, str, Architecture], list[Driver]] = {}
    for driver in drivers:
        name = (driver.provider.casefold(), driver.inf_name.casefold())
        for architecture in driver.architectures:
            groups.setdefault((*name, architecture), []).append(driver)
    found = {
        tuple(sorted(members, key=lambda one: version_numbers(one.version))): None
        for members in groups.values()
        if len(members) > 1
    }
    return tuple(found)


def _clash(pair: KnownPair, drivers: Sequence[Driver]) -> Clash | None:
    couples = [
        (here, there)
        for at, here in enumerate(drivers)
        if pair.first.fits(here)
        for where, there in enumerate(drivers)
        if at != where
        and pair.second.fits(there)
        and here.architectures & there.architectures
        and _conflict(pair, drivers, at, where)
    ]
    if not couples:
        return None
    first = dict.fromkeys(here for here, _ in couples)
    second = dict.fromkeys(there for _, there in couples if there not in first)
    return Clash(pair, tuple(first), tuple(second))


def _conflict(pair: KnownPair, drivers: Sequence[Driver], at: int, where: int) -> bool:
    match pair.trouble:
        case Trouble.APART:
            return True
        case Trouble.ORDER:
            return at > where
        case Trouble.RELEASE:
            wanted = version_numbers(drivers[at].version)[:2]
            others = (one for one in drivers if pair.second.fits(one))
            return all(version_numbers(one.version)[:2] != wanted for one in others)


def _check_side(side: Side) -> Side:
    clean = Side(
        inf=" ".join(side.inf.replace(",", " ").split()),
        provider=", ".join(filter(None, (word.strip() for word in side.provider.split(",")))),
        service=" ".join(side.service.replace(",", " ").split()),
        since=side.since.strip(),
        before=side.before.strip(),
    )
    words = [*clean.inf.split(), *clean.service.split()]
    if not words:
        raise InvalidInput(
            "one side of the conflict selects no driver", hint="Enter an INF name or a service."
        )
    for word in words:
        if not _WORD.fullmatch(word) or len(re.sub(r"[*?]", "", word)) < FEWEST_LETTERS:
            raise InvalidInput(
                f"{word[:60]!r} is not a valid pattern",
                hint=f"Enter a name such as e1d*.inf with at least {FEWEST_LETTERS} letters.",
            )
    if any(len(text) > TEXT_LIMIT for text in (clean.inf, clean.provider, clean.service)):
        raise InvalidInput(
            f"the names of one side can have at most {TEXT_LIMIT} characters in total"
        )
    if not clean.provider.isprintable():
        raise InvalidInput("the provider must be printable text")
    for version in (clean.since, clean.before):
        if version and not _VERSION.fullmatch(version):
            raise InvalidInput(f"{version[:40]!r} is not a version", hint="For example 12.19.1.32.")
    return clean


def _any_fits(patterns: Sequence[str], names: Iterable[str]) -> bool:
    wanted = [pattern.strip() for pattern in patterns if pattern.strip()]
    if not wanted:
        return True
    known = [name.casefold() for name in names if name]
    return any(_matcher(pattern).fullmatch(name) for pattern in wanted for name in known)


@lru_cache(maxsize=1000)
def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.casefold()))
