"""The rules of the driver catalog: what may be enabled, found, superseded and deleted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from netboot.errors import InUse, InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Driver, DriverKind
from netboot.images.drivers.matching import family, version_numbers

CATEGORY_LIMIT = 40
CATEGORIES_LIMIT = 20


class Signature(StrEnum):
    """What vouches for a driver, as far as can be seen from outside."""

    CATALOG = "catalog file"
    SELF = "signed programs"
    NONE = "none"


def signature(driver: Driver) -> Signature:
    """Whether a catalog file lies in the package, or its programs are signed themselves.

    64-bit Windows loads no kernel driver without one of the two.
    """
    if driver.catalog_file:
        return Signature.CATALOG
    return Signature.SELF if driver.self_signed else Signature.NONE


def check_enable(driver: Driver) -> None:
    """Whether the driver may be enabled.

    Raises:
        InvalidInput: files are missing without which it loads nowhere.
    """
    if driver.missing:
        names = ", ".join(driver.missing[:5])
        raise InvalidInput(
            f"{driver.name} {driver.version} is incomplete: {names} "
            f"{'is' if len(driver.missing) == 1 else 'are'} missing",
            hint="Import the complete vendor folder with all files that the INF lists.",
        )


def check_delete(driver: Driver, images: Sequence[str]) -> None:
    """Whether the driver may be deleted; `images` are those whose recipe holds it.

    Raises:
        InUse: there are such images; they are named.
    """
    if images:
        raise InUse(
            f"{driver.name} {driver.version} is in {', '.join(sorted(images))}",
            hint="Remove it from these boot images first.",
        )


def clean_categories(words: Iterable[str]) -> tuple[str, ...]:
    """Categories as an operator typed them, without repetition, in alphabetical order.

    Raises:
        InvalidInput: one cannot be printed or is too long, or there are too many.
    """
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
    """A version of a package, as far as its age goes."""

    @property
    def date(self) -> str:
        """ISO, or empty."""

    @property
    def version(self) -> str:
        """Four numbers."""


def age(driver: Dated) -> tuple[str, tuple[int, ...]]:
    """Sorts versions of one package, the newest last: by date as Windows does, then version."""
    return driver.date, version_numbers(driver.version)


def superseded(drivers: Iterable[Driver]) -> dict[str, str]:
    """Which driver takes the place of which (digests), for all that are outdated.

    A driver is outdated when a newer version of the same package claims all of its ids on all
    of its architectures.
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


def search_text(driver: Driver) -> str:
    """All searchable text of a driver, in lower case; stored with the driver."""
    descriptions = dict.fromkeys(model.description for model in driver.models)
    words = (
        driver.name,
        driver.inf_name,
        driver.provider,
        driver.class_name,
        driver.version,
        driver.date,
        *driver.categories,
        *descriptions,
        *driver.hardware_ids,
    )
    return "\n".join(words).casefold()


@dataclass(frozen=True, slots=True)
class DriverFilter:
    """Which drivers to show; what is None or empty does not narrow.

    `text` is words that must all occur in `search_text`; a device's id may be pasted whole.
    """

    text: str = ""
    kind: DriverKind | None = None
    architecture: Architecture | None = None
    enabled: bool | None = None
    signature: Signature | None = None
    has_findings: bool | None = None
    category: str = ""

    def accepts(self, driver: Driver, *, text: Callable[[Driver], str] = search_text) -> bool:
        """Whether to show this driver. `text` may give a stored search text."""
        return (
            self.kind in {None, driver.kind}
            and (self.architecture is None or self.architecture in driver.architectures)
            and self.enabled in {None, driver.enabled}
            and self.signature in {None, signature(driver)}
            and self.has_findings in {None, bool(driver.findings)}
            and (not self.category or self.category in driver.categories)
            and self._found(driver, text)
        )

    def _found(self, driver: Driver, text: Callable[[Driver], str]) -> bool:
        words = self.text.casefold().split()
        if not words:
            return True
        haystack = text(driver)
        return all(word in haystack for word in words)
