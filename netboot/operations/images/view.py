"""A boot image as pages, API and command line show it, read from the rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy.orm import Session

from netboot.errors import NotFound
from netboot.images.architecture import Architecture
from netboot.images.boot_image import boot_image
from netboot.images.boot_image.boot_image import recipe_digest
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import Properties
from netboot.images.boot_image.secrets import SecretFinding, unaccepted
from netboot.images.drivers.driver import Driver, DriverKind
from netboot.images.servicing.abilities import Ability, abilities
from netboot.images.servicing.shortfalls import Shortfall, shortfalls, with_fixes
from netboot.images.servicing.source_change import SourceChange
from netboot.images.versions.content_version import ContentVersion
from netboot.images.versions.distribution import status
from netboot.operations.deployments import deployments as policy
from netboot.site import Site
from netboot.store.database.records import DriverRow, ImageRow, VersionRow
from netboot.store.drivers.rows import load_drivers
from netboot.store.images.rows import (
    ReadImage,
    read_image,
    read_images,
    secrets_in,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A newer source that was examined: `size` in bytes, `at` in epoch seconds."""

    digest: str
    name: str
    size: int
    at: float
    facts: ImageFacts
    report: SourceChange


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepted secrets in an image, when (epoch seconds), and why."""

    by: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class ImageView:
    """A boot image.

    `versions` are newest first, `current` is the newest; machines get `served_version`.
    `distribution` is a DistributionStatus value. `disabled_drivers` are in the recipe but were
    disabled since. `secrets` are in the source or the newest version and were not accepted.
    `shortfalls` are what its recipe asks for and the image cannot do; `findings` are those of the
    newest build. `altered` are the damaged files of each version that is out of service;
    `source_altered_at` is epoch seconds, 0 while intact.
    """

    name: str
    slug: str
    architecture: Architecture
    comment: str
    version_label: str
    source_digest: str
    source_size: int
    source_name: str
    facts: ImageFacts
    properties: Properties
    drivers: tuple[Driver, ...]
    disabled_drivers: tuple[str, ...]
    versions: tuple[ContentVersion, ...]
    current: ContentVersion | None
    needs_build: bool
    distribution: str
    served_version: int | None
    is_default: bool
    is_lab: bool
    row_version: int
    candidate: Candidate | None
    secrets: tuple[SecretFinding, ...]
    acceptance: Acceptance | None
    findings: tuple[str, ...]
    shortfalls: tuple[Shortfall, ...]
    altered: dict[int, tuple[str, ...]]
    source_altered_at: float

    @property
    def abilities(self) -> tuple[Ability, ...]:
        """What it will do on machines: firmware, Secure Boot, report, drivers, components."""
        return abilities(self.facts, self.properties, self.drivers, self.shortfalls)

    def version(self, number: int) -> ContentVersion | None:
        return next((version for version in self.versions if version.number == number), None)

    def require_version(self, number: int) -> ContentVersion:
        """Raises NotFound, with the versions that exist."""
        version = self.version(number)
        if version is None:
            known = ", ".join(str(one.number) for one in self.versions) or "none yet"
            raise NotFound(f"{self.name} has no version {number}", hint=f"Versions: {known}.")
        return version


def list_images(site: Site) -> list[ImageView]:
    """All boot images, by name; their drivers come without models, which no list shows.

    So their shortfalls are those of programs only.
    """
    served = site.point.numbers()
    with site.database.transaction() as session:
        defaults = policy.defaults_in(session)
        return [_view(found, defaults, served) for found in read_images(session)]


def get_image(site: Site, name: str) -> ImageView:
    """One image, by its name or slug. Raises NotFound."""
    served = site.point.numbers()
    with site.database.transaction() as session:
        found = read_image(session, name)
        return _view(found, policy.defaults_in(session), served, shortfalls_in(session, found))


def _view(
    found: ReadImage,
    defaults: Mapping[Architecture, str],
    served_numbers: Mapping[str, int],
    lacking: tuple[Shortfall, ...] | None = None,
) -> ImageView:
    row, image, versions = found.row, found.image, found.versions
    current = versions[0] if versions else None
    served = served_numbers.get(row.name)
    altered = {held.number: tuple(held.altered) for held in found.held if held.altered}
    is_altered = current is not None and current.number in altered
    newest = current.number if current else None
    made = row.override
    if lacking is None:
        lacking = shortfalls(found.facts, image, with_drivers=False)
    told = found.held[0].findings if found.held else ()
    return ImageView(
        name=row.name,
        slug=row.slug,
        architecture=image.architecture,
        comment=row.comment,
        version_label=row.version_label,
        source_digest=row.source_digest,
        source_size=row.source_size,
        source_name=row.source_name,
        facts=found.facts,
        properties=image.properties,
        drivers=image.drivers,
        disabled_drivers=tuple(driver.name for driver in boot_image.disabled_drivers(image)),
        versions=versions,
        current=current,
        needs_build=is_altered or current is None or current.recipe_digest != recipe_digest(image),
        distribution=status(served=served, newest=newest, altered=is_altered).value,
        served_version=served,
        is_default=defaults.get(image.architecture) == row.name,
        is_lab=row.is_lab,
        row_version=row.row_version,
        candidate=_candidate(row.candidate) if row.candidate else None,
        secrets=unaccepted(_secrets(found.facts.secrets, found.held), made.get("accepted", ())),
        acceptance=Acceptance(made["by"], made["at"], made["reason"]) if made else None,
        findings=tuple(text for text in told if text not in {one.text for one in lacking}),
        shortfalls=lacking,
        altered=altered,
        source_altered_at=row.source_altered_at,
    )


def shortfalls_in(session: Session, found: ReadImage) -> tuple[Shortfall, ...]:
    """The shortfalls of an image's recipe, with the drivers of the catalog that fix them."""
    here = shortfalls(found.facts, found.image)
    if not any(one.bus for one in here):
        return here
    architecture, build = found.image.architecture, found.facts.build
    buses = load_drivers(session, DriverRow.kind == DriverKind.SYSTEM.value)
    return tuple(with_fixes(one, buses, architecture, build) if one.bus else one for one in here)


def secrets_of(row: ImageRow) -> tuple[SecretFinding, ...]:
    """The secrets in the source and, if there is one, in the newest version."""
    source = [SecretFinding(**secret) for secret in row.facts.get("secrets", ())]
    return _secrets(source, row.versions)


def _secrets(
    source: Iterable[SecretFinding], versions: Sequence[VersionRow | SqlRow[Any]]
) -> tuple[SecretFinding, ...]:
    newest = secrets_in(versions[0]) if versions else ()
    return tuple(dict.fromkeys((*source, *newest)))


def _candidate(data: dict[str, Any]) -> Candidate:
    return Candidate(
        digest=data["digest"],
        name=data["name"],
        size=data["size"],
        at=data["at"],
        facts=ImageFacts.from_json(data["facts"]),
        report=SourceChange.from_json(data["report"]),
    )
