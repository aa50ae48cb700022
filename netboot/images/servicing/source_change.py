"""What changes if an image gets a newer source: a report before anything is built.

Law: a recipe that the new source does not support is reported here, not in the middle of a build.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from netboot.errors import OperatorFault, explained
from netboot.images.boot_image.boot_image import BootImage, SourceWim
from netboot.images.boot_image.description import ImageFacts
from netboot.images.servicing.plan import plan
from netboot.images.servicing.startup_hooks import is_default_startnet

SHOWN_FILES = 200

Listing = Mapping[str, str]
"""The files of an image: SHA-1 by path, as wimlib lists them."""


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Paths that differ, at most SHOWN_FILES of each kind; the counts are complete."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added_count: int = 0
    removed_count: int = 0
    changed_count: int = 0

    @staticmethod
    def from_json(data: dict[str, Any]) -> "FileChanges":
        return FileChanges(**_tuples(data))


@dataclass(frozen=True, slots=True)
class SourceChange:
    """The report. `conflicts` prevent the change; everything else is information.

    `size_change` is the growth of the WIM in bytes.
    """

    old_version: str
    new_version: str
    size_change: int
    files: FileChanges
    boot_files: FileChanges
    now_inbox: tuple[str, ...] = ()
    no_longer_inbox: tuple[str, ...] = ()
    packages_added: tuple[str, ...] = ()
    packages_removed: tuple[str, ...] = ()
    new_secrets: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "SourceChange":
        nested = {name: FileChanges.from_json(data[name]) for name in ("files", "boot_files")}
        return SourceChange(**{**_tuples(data), **nested})


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    """The values of `asdict` after JSON, which has lists for tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def with_source(image: BootImage, source: SourceWim) -> BootImage:
    return replace(image, source=source)


def compare_sources(
    image: BootImage,
    *,
    old: ImageFacts,
    new: ImageFacts,
    old_files: Listing | None = None,
    new_files: Listing | None = None,
) -> SourceChange:
    """What changes if `image` gets the source `new`; without listings, only for boot files."""
    secrets = {secret.sentence for secret in old.secrets}
    return SourceChange(
        old_version=old.version,
        new_version=new.version,
        size_change=new.size - old.size,
        files=compare_files(old_files or {}, new_files or {}),
        boot_files=compare_files(_boot_listing(old), _boot_listing(new)),
        now_inbox=tuple(_inbox(image, new, old)),
        no_longer_inbox=tuple(_inbox(image, old, new)),
        packages_added=tuple(sorted(set(new.packages) - set(old.packages))),
        packages_removed=tuple(sorted(set(old.packages) - set(new.packages))),
        new_secrets=tuple(
            secret.sentence for secret in new.secrets if secret.sentence not in secrets
        ),
        remarks=tuple(_remarks(old, new)),
        conflicts=tuple(_conflicts(image, new)),
    )


def compare_files(old: Listing, new: Listing) -> FileChanges:
    """The differences, ignoring case as Windows does."""
    before = {path.lower(): path for path in old}
    after = {path.lower(): path for path in new}
    added = sorted(after[key] for key in after.keys() - before.keys())
    removed = sorted(before[key] for key in before.keys() - after.keys())
    changed = sorted(
        after[key] for key in after.keys() & before.keys() if new[after[key]] != old[before[key]]
    )
    return FileChanges(
        tuple(added[:SHOWN_FILES]),
        tuple(removed[:SHOWN_FILES]),
        tuple(changed[:SHOWN_FILES]),
        len(added),
        len(removed),
        len(changed),
    )


def _boot_listing(facts: ImageFacts) -> Listing:
    return {file.name: file.sha1 for file in facts.boot_files}


def _inbox(image: BootImage, facts: ImageFacts, other: ImageFacts) -> Iterator[str]:
    """Drivers of the recipe whose INF Windows itself has in `facts` but not in `other`."""
    names, others = (
        {path.rpartition("/")[2].lower() for path in each.inbox_infs} for each in (facts, other)
    )
    for driver in image.drivers:
        if driver.inf_name.lower() in names - others:
            yield f"{driver.name} {driver.version}"


def _remarks(old: ImageFacts, new: ImageFacts) -> Iterator[str]:
    if new.build < old.build:
        yield f"The new source is older: build {new.build} after {old.build}."
    if new.languages != old.languages:
        yield f"Languages change from {_listed(old.languages)} to {_listed(new.languages)}."
    for lost in [chain for chain in old.chains if chain not in new.chains]:
        yield f"The new source does not support the boot method {lost}."
    if _own_start(old) and not _own_start(new):
        yield "The old source starts its own programs; the new one does not."
    if _own_start(new) and not _own_start(old):
        yield "The new source starts its own programs. Drivers are loaded before them."
    for file in new.boot_files:
        before = old.boot_file(file.name)
        if before and before.signer != file.signer:
            signers = before.signer or "no one", file.signer or "no one"
            yield f"{file.name} was signed by {signers[0]} and is now signed by {signers[1]}."
    yield from new.findings


def _own_start(facts: ImageFacts) -> bool:
    own_startnet = facts.startnet and not is_default_startnet(facts.startnet)
    return bool(facts.winpeshl or facts.setup_path or own_startnet)


def _conflicts(image: BootImage, new: ImageFacts) -> Iterator[str]:
    """Why the recipe does not work with the new source: the fault that a build would raise."""
    moved = with_source(image, replace(image.source, image_index=new.index))
    try:
        plan(new, moved, 1)
    except OperatorFault as fault:
        yield explained(fault)


def _listed(languages: tuple[str, ...]) -> str:
    return ", ".join(languages) or "none listed"
