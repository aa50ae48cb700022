"""Content versions: build the next one from the source and the recipe."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

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
from netboot.store.database import version_listings
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
    order = replace(order, facts=_whole_facts(site, image, order.facts, order.image))
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
        version = _version(site, order, digest, built, locale=steps.settings.locale)
    _record(site, order, version, built)
    progress(1.0, "done")
    return BuildResult(version, built=True)


def _whole_facts(site: Site, name: str, facts: ImageFacts, image: BootImage) -> ImageFacts:
    """The facts; those that older versions of netboot did not take are read from the source."""
    if facts.programs is not None:
        return facts
    from netboot.store.wim.inspector import inspect

    source = site.blobs.require(image.source.digest)
    with site.blobs.staging_folder() as workdir:
        read = inspect(source, index=facts.index, workdir=workdir)
    whole = replace(facts, programs=read.programs, services=read.services)
    with site.database.writing() as session:
        row = find_image(session, name)
        if row.source_digest == image.source.digest:
            row.facts = whole.to_json()
    return whole


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
        manifests = {one.id: version_value(row, one) for one in pair}
        listed = version_listings.find(session, manifests) if inside else {}
    if inside:
        # First all that may be missing: a listing is stored, but a lost WIM must be told.
        wims = {number: one.file("boot.wim") for number, one in manifests.items()}
        paths = {number: site.blobs.require(wim.digest) for number, wim in wims.items() if wim}
        for number in paths.keys() - listed.keys():
            listed[number] = _list_now(site, number, paths[number], index)
    before, after = (listed.get(one.id, {}) if inside else None for one in pair)
    return compare_versions(
        *(manifests[one.id] for one in pair),
        old_recipe=pair[0].recipe,
        new_recipe=pair[1].recipe,
        old_files=before,
        new_files=after,
    )


def _list_now(site: Site, version: int, wim: Path, index: int) -> dict[str, str]:
    """List and store the files of a version that an earlier release built."""
    from netboot.store.wim.inspector import list_files

    with site.blobs.staging_folder() as workdir:
        files = list_files(wim, index, workdir=workdir)
    with site.database.writing() as session:
        if session.get(VersionRow, version) is not None:  # it may have been deleted meanwhile
            version_listings.keep(session, version, files)
    return files


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


def _version(
    site: Site, order: _Order, digest: str, built: BuiltFiles, *, locale: str
) -> ContentVersion:
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
        locale=locale,
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
        made = VersionRow(
            number=version.number,
            recipe_digest=version.recipe_digest,
            recipe=recipe(order.image),
            manifest=version.to_json(),
            secrets=[asdict(secret) for secret in dict.fromkeys(built.secrets)],
            findings=list(built.findings),
            built_at=version.built_at,
        )
        row.versions.append(made)
        session.flush()  # it gets its id
        version_listings.keep(session, made.id, built.inside)


def _part(stage: str, done: int, total: int) -> float:
    low, high = STAGES.get(stage, (0.6, 0.9))
    return low + (high - low) * (done / total if total else 1.0)
