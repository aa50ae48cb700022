"""Content versions: build the next one from the source and the recipe."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from types import MappingProxyType

from netboot.errors import EditConflict
from netboot.images.boot_image.boot_image import BootImage, recipe, recipe_digest
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.uefi_loader import held as uefi_loaders_in
from netboot.images.servicing.plan import plan
from netboot.images.versions.content_version import ContentVersion, DriverInVersion, ManifestFile
from netboot.images.versions.pending import pending_changes
from netboot.images.versions.version_change import Change, VersionChange, compare_versions
from netboot.operations import jobs
from netboot.operations.jobs import JobKind
from netboot.pe_reports import ReportTokens
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.content.blobs import BlobStore
from netboot.store.database.records import VersionRow
from netboot.store.images.rows import (
    find_image,
    image_at,
    image_value,
    version_row,
    version_value,
    versions_of,
)
from netboot.store.wim.builder import BuiltFiles, build

# How much of the whole each stage of a build takes, as measured on images of 15 to 300 MB.
STAGES = {
    "copy": (0.0, 0.2),
    "start": (0.2, 0.25),
    "write": (0.25, 0.6),
    "verify": (0.6, 0.8),
    "hash": (0.8, 0.85),
    "extract": (0.85, 0.9),
}

LISTINGS_KEPT = 4
"""Two comparisons; a listing of a Windows PE with 20,000 files takes some MB."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The image's newest version; `built` is False if the recipe had not changed."""

    version: ContentVersion
    built: bool


@dataclass(frozen=True, slots=True)
class _Order:
    made_at: float
    address: str
    image: BootImage
    facts: ImageFacts
    number: int
    newest: ContentVersion | None
    newest_is_sound: bool


def ask_build(site: Site, image: str) -> jobs.JobView:
    """Queue a build of the image's next version. Raises NotFound."""
    with site.database.transaction() as session:
        name = find_image(session, image).name
    return jobs.submit(site, JobKind.BUILD_VERSION, {"image": name}, title=f"Build {name}")


def build_version(site: Site, image: str, *, progress: Progress = silent) -> BuildResult:
    """Build the image's next version; it changes nothing that machines get.

    An unchanged recipe builds nothing, unless its version is out of service. The source is never
    written. Raises OperatorFault with a hint if the recipe cannot be built, ContentFault for
    damaged bytes.
    """
    order = _order(site, image)
    digest = recipe_digest(order.image)
    newest = order.newest
    if newest is not None and newest.recipe_digest == digest and order.newest_is_sound:
        return BuildResult(newest, built=False)
    token = ReportTokens(site.secret).issue_for(order.address, order.number)
    steps = plan(order.facts, order.image, order.number, report_token=token)
    with site.blobs.staging_folder() as workdir:
        site.blobs.check_space(3 * order.image.source.size)
        built = build(
            source=site.blobs.require(order.image.source.digest),
            facts=order.facts,
            plan=steps,
            driver_files=site.blobs.require,
            workdir=workdir,
            progress=lambda stage, done, total: progress(_part(stage, done, total), stage),
        )
        progress(0.9, "storing")
        version = _version(site, order, digest, built)
    _record(site, order, version, built)
    progress(1.0, "done")
    return BuildResult(version, built=True)


def list_pending(site: Site, image: str) -> tuple[Change, ...]:
    """What the next build changes; none if there is nothing to build, or for the first build.

    Raises NotFound.
    """
    with site.database.transaction() as session:
        row = find_image(session, image)
        if not row.versions:
            return ()
        newest, value = row.versions[0], image_value(session, row)
        built, recipe_then = version_value(row, newest), dict(newest.recipe)
        is_sound = not newest.altered
    if built.recipe_digest == recipe_digest(value):
        damaged = Change(f"Version {built.number}", "damaged", "built again")
        return () if is_sound else (damaged,)
    return pending_changes(built, recipe_then, value)


def compare(site: Site, image: str, old: int, new: int, *, inside: bool = True) -> VersionChange:
    """What differs between two versions; with `inside` also the paths in their WIMs.

    Raises NotFound, or ContentFault if a WIM is missing.
    """
    with site.database.transaction() as session:
        row = find_image(session, image)
        index = row.image_index
        pair = [version_row(row, number) for number in (old, new)]
        manifests = [version_value(row, one) for one in pair]
        recipes = [one.recipe for one in pair]
    listings = [_listing(site.blobs, version, index) if inside else None for version in manifests]
    return compare_versions(
        *manifests,
        old_recipe=recipes[0],
        new_recipe=recipes[1],
        old_files=listings[0],
        new_files=listings[1],
    )


def _listing(blobs: BlobStore, version: ContentVersion, index: int) -> Mapping[str, str]:
    """The files in a version's WIM. Raises BlobMissing where it is gone, listed before or not."""
    wim = version.file("boot.wim")
    if wim is None:
        return {}
    blobs.require(wim.digest)
    return _listed(blobs, wim.digest, index)


@lru_cache(maxsize=LISTINGS_KEPT)
def _listed(blobs: BlobStore, digest: str, index: int) -> Mapping[str, str]:
    """The files in a stored WIM: its digest says all about it, so it is read once."""
    from netboot.store.wim.inspector import list_files

    with blobs.staging_folder() as workdir:
        return MappingProxyType(list_files(blobs.require(digest), index, workdir=workdir))


def _order(site: Site, image: str) -> _Order:
    with site.database.transaction() as session:
        row = find_image(session, image)
        versions = versions_of(row)
        return _Order(
            made_at=row.created_at,
            address=row.address,
            image=image_value(session, row),
            facts=ImageFacts.from_json(row.facts),
            number=versions[0].number + 1 if versions else 1,
            newest=versions[0] if versions else None,
            newest_is_sound=not (row.versions and row.versions[0].altered),
        )


def _version(site: Site, order: _Order, digest: str, built: BuiltFiles) -> ContentVersion:
    """Stores the files first: a row may only refer to what is stored."""
    files = []
    for file in built.files:
        stored = site.blobs.add_file(file.path, move=True)
        files.append(ManifestFile(file.name, stored.digest, stored.size))
    names = {file.name for file in files}
    loaders = sorted(uefi_loaders_in(order.facts.boot_files).items())
    properties = order.image.properties
    preferred = (("bios", properties.bios_chain), ("uefi", properties.uefi_chain))
    return ContentVersion(
        image=order.image.name,
        number=order.number,
        architecture=order.image.architecture,
        recipe_digest=digest,
        built_at=time.time(),
        files=tuple(files),
        chains=built.chains,
        drivers=tuple(
            DriverInVersion(one.digest, one.name, one.version) for one in order.image.drivers
        ),
        comment=order.image.comment,
        preferred=tuple((firmware, chain) for firmware, chain in preferred if chain),
        short_name=order.address,
        authority=properties.uefi_authority,
        uefi_loaders=tuple((year, name) for year, name in loaders if name in names),
    )


def _record(site: Site, order: _Order, version: ContentVersion, built: BuiltFiles) -> None:
    """The row comes last; another build may have taken the number meanwhile."""
    with site.database.writing() as session:
        row = image_at(session, order.address)
        taken = any(held.number >= version.number for held in row.versions)
        if taken or row.created_at != order.made_at:
            what = "built" if taken else "replaced"
            raise EditConflict(
                f"{version.label} was {what} by another user meanwhile",
                hint="Look at the image again.",
            )
        row.versions.append(
            VersionRow(
                number=version.number,
                recipe_digest=version.recipe_digest,
                recipe=recipe(order.image),
                manifest=version.to_json(),
                secrets=[asdict(secret) for secret in dict.fromkeys(built.secrets)],
                findings=list(built.findings),
                built_at=version.built_at,
            )
        )


def _part(stage: str, done: int, total: int) -> float:
    low, high = STAGES.get(stage, (0.6, 0.9))
    return low + (high - low) * (done / total if total else 1.0)
