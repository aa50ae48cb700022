"""The rules of the driver catalog: enabling, deleting, categories, newer versions, filters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from netboot.errors import InUse, InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Driver, DriverKind, Signature
from netboot.images.drivers.matching import family, version_numbers

CATEGORY_LIMIT = 40
CATEGORIES_LIMIT = 20


def check_enable(driver: Driver) -> None:
    """Raise InvalidInput if the driver lacks files without which it loads nowhere."""
    if driver.missing:
        names = ", ".join(driver.missing[:5])
        raise InvalidInput(
            f"{driver.name} {driver.version} is incomplete: {names} "
            f"{'is' if len(driver.missing) == 1 else 'are'} missing",
            hint="Import the complete vendor folder with all files that the INF lists.",
        )


def check_delete(driver: Driver, images: Sequence[str]) -> None:
    """Raise InUse if there are `images` whose recipe contains the driver."""
    if images:
        raise InUse(
            f"{driver.name} {driver.version} is in {', '.join(sorted(images))}",
            hint="Remove it from these boot images first.",
        )


def clean_categories(words: Iterable[str]) -> tuple[str, ...]:
    """Categories as typed, without repetition, in alphabetical order. Raises InvalidInput."""
    found = {" ".join(word.split()): None for word in words if word.strip()}
    first = {word.casefold(): word for word in reversed(found)}
    for word in first.values():
        if len(word) > CATEGORY_LIMIT or not word.isprintable() or "," in word:
            raise InvalidInput(
                f"{word[:60]!r} is not a valid category",
                hint=f"A category can have at most {CATEGORY_LIMIT} characters and no comma.",
            )
    if len(first) > CATEGORIES_LIMIT:
        raise InvalidInput(f"a driver can have at most {CATEGORIES_LIMIT} categories")
    return tuple(first[word] for word in sorted(first))


class Dated(Protocol):
    """A Driver or a DriverSummary."""

    @property
    def date(self) -> str: ...
    @property
    def version(self) -> str: ...


def age(driver: Dated) -> tuple[str, tuple[int, ...]]:
    """The sort key for versions of a package, the newest last: by date as Windows, then version."""
    return driver.date, version_numbers(driver.version)


def superseded(drivers: Iterable[Driver]) -> dict[str, str]:
    """The newer driver for each outdated one (digests).

    A driver is outdated if a newer version of the same package claims all its ids on all its
    architectures.
    """
    families: dict[tuple[str, str], list[Driver]] = {}
    for driver in drivers:
        families.setdefault(family(driver), []).append(driver)
    found: dict[str, str] = {}
    for members in families.values():
        if len(members) < 2:
            continue
        newest_first = sorted(members, key=age, reverse=True)
        claims = {driver.digest: _claims(driver) for driver in members}
        for driver in members:
            for newer in newest_first:
                if age(newer) <= age(driver):
                    break
                if claims[driver.digest] <= claims[newer.digest]:
                    found[driver.digest] = newer.digest
                    break
    return found


def _claims(driver: Driver) -> frozenset[tuple[Architecture, str]]:
    return frozenset(
        (model.architecture, identifier)
        for model in driver.models
        for identifier in (*model.hardware_ids, *model.compatible_ids)
    )


@dataclass(frozen=True, slots=True)
class DriverFilter:
    """Which drivers to show; None and empty values mean all.

    `text` are words that must all occur, in names or ids; it may be the complete id of a device.
    """

    text: str = ""
    kind: DriverKind | None = None
    architecture: Architecture | None = None
    enabled: bool | None = None
    signature: Signature | None = None
    has_findings: bool | None = None
    category: str = ""
