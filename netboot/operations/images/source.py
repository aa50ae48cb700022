"""Sources: import a WIM or an ISO, and replace an image's source by a newer one.

A newer source is examined first and becomes the image's *candidate*, with a report of what would
change. Taking it changes only the recipe; versions that were built keep their source.
"""

import errno
import json
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from netboot.errors import (
    BlobMissing,
    Difference,
    EditConflict,
    InvalidInput,
    NotFound,
    NotPermitted,
    OperatorFault,
    WrongArchitecture,
)
from netboot.images.architecture import Architecture
from netboot.images.boot_image import boot_image
from netboot.images.boot_image.boot_image import BootImage, SourceWim
from netboot.images.boot_image.description import ImageFacts
from netboot.images.servicing.source_change import SourceChange, compare_sources
from netboot.operations import jobs
from netboot.operations.deployments import deployments as policy
from netboot.operations.images.view import ImageView, get_image
from netboot.operations.jobs import JobKind
from netboot.progress import ByteProgress, Progress, silent
from netboot.site import Site
from netboot.store.content.blobs import StoredBlob, hash_file
from netboot.store.database.records import ImageRow
from netboot.store.images.rows import find_image, free_address, image_value, refuse_twin, unchanged

_BAD_PATH = {errno.ELOOP, errno.ENAMETOOLONG}
_NAME_A_FILE = "Name a .wim or .iso file on this machine."


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A file that was examined and stored; `name` is where it came from."""

    blob: StoredBlob
    facts: ImageFacts
    name: str


def require_free_name(site: Site, name: str) -> None:
    """Check a name before a file is uploaded for it. Raises InvalidInput, AlreadyExists."""
    _require_free(site, name, "")


def ask_import(
    site: Site,
    path: Path,
    *,
    name: str,
    architecture: Architecture | None = None,
    index: int | None = None,
    comment: str = "",
) -> jobs.JobView:
    """Queue an import of the uploaded WIM or ISO. Raises InvalidInput, AlreadyExists."""
    _require_free(site, name, comment)
    arguments = {
        "path": str(path),
        "name": name.strip(),
        "architecture": architecture.value if architecture else None,
        "index": index,
        "comment": comment,
    }
    return jobs.submit(site, JobKind.IMPORT_IMAGE, arguments, title=f"Import {name.strip()}")


def import_image(
    site: Site,
    path: Path,
    *,
    name: str,
    architecture: Architecture | None = None,
    index: int | None = None,
    comment: str = "",
    is_lab: bool = False,
    ours: bool = False,
    adopt: bool = True,
    progress: Progress = silent,
) -> ImageView:
    """Import a WIM, or the boot.wim of an ISO, as the source of a new boot image.

    The file is not changed; one that is `ours` (an upload) is linked instead of copied. With
    `adopt` it becomes the default of its architecture if there is none. Raises
    InvalidInput, NotPermitted or Quarantined for a file that cannot be used, WrongArchitecture,
    AlreadyExists.
    """
    _require_free(site, name, comment)
    taken = _take_in(site, path, index, architecture, ours=ours, progress=progress)
    image = BootImage(
        name=name.strip(),
        slug=boot_image.slug(name),
        architecture=taken.facts.architecture,
        source=SourceWim(taken.blob.digest, taken.blob.size, taken.facts.index),
        comment=comment,
    )
    with site.database.writing() as session:
        refuse_twin(session, image.name)
        address = free_address(session, image.slug)
        session.add(
            ImageRow(
                name=image.name,
                slug=image.slug,
                address=address,
                architecture=image.architecture.value,
                source_digest=image.source.digest,
                source_size=image.source.size,
                source_name=taken.name[:255],
                image_index=image.source.image_index,
                facts=taken.facts.to_json(),
                properties=image.properties.to_json(),
                comment=comment,
                is_lab=is_lab,
                created_at=time.time(),
            )
        )
    if adopt:
        policy.adopt(site, image.name, image.architecture)
    return get_image(site, image.name)


def ask_examine(site: Site, image: str, path: Path, *, index: int | None = None) -> jobs.JobView:
    """Queue an examination of the uploaded file as a newer source. Raises NotFound."""
    name = get_image(site, image).name
    return jobs.submit(
        site,
        JobKind.EXAMINE_SOURCE,
        {"image": name, "path": str(path), "index": index},
        title=f"Examine a newer source of {name}",
    )


def examine_source(
    site: Site,
    image: str,
    path: Path,
    *,
    index: int | None = None,
    ours: bool = False,
    progress: Progress = silent,
) -> ImageView:
    """Make a newer source the image's candidate, with a report; nothing else changes.

    Raises what `import_image` raises, and InvalidInput for the image's current source.
    """
    view = get_image(site, image)
    taken = _take_in(site, path, index, view.architecture, ours=ours, progress=progress)
    same = (view.source_digest, view.facts.index) == (taken.blob.digest, taken.facts.index)
    if same and not view.source_altered_at:
        raise InvalidInput(
            f"{path.name} is the source that {view.name} already has",
            hint="Name a newer file, or build a version to take changes of the recipe.",
        )
    report = _report(site, view, taken)
    with site.database.writing() as session:
        row = find_image(session, view.name)
        row.candidate = {
            "recipe": _lines(view),
            **asdict(taken.blob),
            "name": taken.name,
            "at": time.time(),
            "facts": taken.facts.to_json(),
            "report": report.to_json(),
        }
    return get_image(site, view.name)


def take_source(site: Site, image: str, *, row_version: int | None = None) -> ImageView:
    """Replace the source by the candidate.

    Raises NotFound, EditConflict, OperatorFault if the recipe cannot be built from it.
    """
    view = get_image(site, image)
    candidate = view.candidate
    if candidate is None:
        if row_version is not None and row_version != view.row_version:
            raise EditConflict(
                f"the newer source of {view.name} was taken or discarded since you opened it",
                hint="Look at the image's current source.",
                difference=(Difference("source", "the newer one", view.source_name),),
            )
        raise NotFound(
            f"no newer source of {view.name} was examined",
            hint=f'Examine one first: netboot image reload "{view.name}" FILE',
        )
    with site.database.writing() as session:
        row = find_image(session, view.name)
        unchanged(row, row_version, *_differences(row.candidate.get("recipe", {}), view))
        # The recipe may have changed since the report: the current one counts.
        change = compare_sources(image_value(session, row), old=view.facts, new=candidate.facts)
        if change.conflicts:
            raise OperatorFault(
                f"{view.name} cannot be built from {candidate.name}: {change.conflicts[0]}",
                hint="Change the image's drivers or properties first, or discard the newer source.",
            )
        if not site.blobs.keep(candidate.digest):
            raise BlobMissing(f"the examined source {candidate.digest} is gone; examine it again")
        row.source_digest, row.source_size = candidate.digest, candidate.size
        row.source_name, row.image_index = candidate.name, candidate.facts.index
        row.facts = candidate.facts.to_json()
        row.candidate, row.source_altered_at = {}, 0.0
    return get_image(site, view.name)


def _lines(view: ImageView) -> dict[str, str]:
    """The lines of a recipe, to compare with a later one."""
    return {
        "source": f"{view.source_name} {view.source_digest[:19]}",
        **{f"driver {one.name}": one.version for one in view.drivers},
        **{
            f"property {name}": json.dumps(value)
            for name, value in view.properties.to_json().items()
        },
    }


def _differences(seen: Mapping[str, str], view: ImageView) -> tuple[Difference, ...]:
    """Where the recipe that the administrator saw in the report differs from the current one."""
    now = _lines(view)
    return tuple(
        Difference(line, seen.get(line, ""), now.get(line, ""), seen.get(line, ""))
        for line in dict.fromkeys((*seen, *now))
    )


def give_up_source(site: Site, image: str) -> ImageView:
    """Forget the candidate; the next clean-up deletes its bytes. Raises NotFound."""
    with site.database.writing() as session:
        row = find_image(session, image)
        row.candidate = {}
        name = row.name
    return get_image(site, name)


def _take_in(
    site: Site,
    path: Path,
    index: int | None,
    architecture: Architecture | None,
    *,
    ours: bool,
    progress: Progress,
) -> TakenIn:
    """Examine and store a WIM, or the one in an ISO. The store changes last."""
    from netboot.store.wim.iso import is_iso, take_boot_wim
    from netboot.store.wim.source import take_in

    with site.blobs.staging_folder() as workdir:
        with _unchanging(path):
            site.blobs.check_space(0 if ours else path.stat().st_size)
            wim, name, begin = path, path.name, 0.0
            if is_iso(path):
                wim = take_boot_wim(path, workdir, progress=_share(progress, 0.0, 0.3))
                name, ours, begin = f"{path.name}: boot.wim", True, 0.3
            progress(begin, "examining the WIM")
            source = workdir / "source"
            facts, blob = take_in(
                wim,
                source,
                ours=ours,
                index=index,
                workdir=workdir,
                progress=_share(progress, begin, 0.9),
            )
            if architecture not in {None, facts.architecture}:
                raise WrongArchitecture(
                    f"{path.name} is {facts.architecture}, not {architecture}",
                    hint=f"Import it as {facts.architecture}, or name the other file.",
                )
            progress(0.9, "storing the source")
        return TakenIn(site.blobs.adopt(source, blob), facts, name)


def digest_of(site: Site, path: Path) -> str:
    """The digest of the source that an import of this WIM or ISO stores."""
    from netboot.store.wim.iso import is_iso, take_boot_wim

    if not is_iso(path):
        return hash_file(path).digest
    with site.blobs.staging_folder() as workdir:
        return hash_file(take_boot_wim(path, workdir)).digest


def _share(progress: Progress, low: float, high: float) -> ByteProgress:
    """Progress in bytes as a part of the whole."""
    return lambda stage, done, total: progress(low + (high - low) * done / max(1, total), stage)


def _report(site: Site, view: ImageView, taken: TakenIn) -> SourceChange:
    """The difference report; without the old source's files if that is damaged."""
    from netboot.store.wim.inspector import list_files

    old = new = None
    if site.blobs.holds(view.source_digest) and not view.source_altered_at:
        with site.blobs.staging_folder() as workdir:
            old, new = (
                list_files(site.blobs.require(digest), facts.index, workdir=workdir)
                for digest, facts in (
                    (view.source_digest, view.facts),
                    (taken.blob.digest, taken.facts),
                )
            )
    with site.database.transaction() as session:
        image = image_value(session, find_image(session, view.name))
    return compare_sources(image, old=view.facts, new=taken.facts, old_files=old, new_files=new)


def _require_free(site: Site, name: str, comment: str) -> None:
    """Refuse a name before a large WIM is read for nothing."""
    probe = BootImage(
        name=name.strip(),
        slug=boot_image.slug(name),
        architecture=Architecture.X64,
        source=SourceWim("sha256:" + "0" * 64, 1, 1),
        comment=comment,
    )
    with site.database.transaction() as session:
        refuse_twin(session, probe.name)


@contextmanager
def _unchanging(path: Path) -> Iterator[None]:
    """Refuse a file that changes while it is examined and stored."""
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise InvalidInput(f"{path} is not a file", hint=_NAME_A_FILE)
        yield
        after = path.stat()
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise InvalidInput(f"there is no file {path}", hint=_NAME_A_FILE) from fault
    except PermissionError as fault:
        raise NotPermitted(
            f"{path} cannot be read: {fault.strerror}", hint="Correct its owner or its mode."
        ) from fault
    except OSError as fault:
        if fault.errno not in _BAD_PATH:
            raise
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}", hint=_NAME_A_FILE) from fault
    first, last = ((one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, after))
    if first != last:
        raise InvalidInput(
            f"{path} changed while it was imported", hint="Wait until it is complete, then repeat."
        )
