"""What changes when an image gets a newer source: asked before anything is built.

The recipe is replayed on the new source as it stands. Law: a conflict is a sentence here, never
a surprise in the middle of a build.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from netboot.errors import OperatorFault, explained
from netboot.images.boot_image.boot_image import BootImage, SourceWim
from netboot.images.boot_image.description import ImageFacts
from netboot.images.drivers.driver import Driver
from netboot.images.servicing.plan import plan
from netboot.images.servicing.startup_hooks import StartUp, is_default_startnet

SHOWN_FILES = 200

Listing = Mapping[str, str]
"""Files of an image: path to the SHA-1 of the content, as wimlib lists them."""


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Paths that differ, at most SHOWN_FILES of each kind; the counts are whole."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added_count: int = 0
    removed_count: int = 0
    changed_count: int = 0

    @staticmethod
    def from_json(data: dict[str, Any]) -> "FileChanges":
        """The changes that stand in a report."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return FileChanges(**values)


@dataclass(frozen=True, slots=True)
class SourceChange:
    """The report. `conflicts` stop a reload; everything else is for the operator to know.

    `size_change` is the WIM's growth in bytes.
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
        """Plain values; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "SourceChange":
        """The report that `to_json` wrote."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        for name in ("files", "boot_files"):
            values[name] = FileChanges.from_json(data[name])
        return SourceChange(**values)


def with_source(image: BootImage, source: SourceWim) -> BootImage:
    """The same recipe on another source."""
    return replace(image, source=source)


def compare_sources(
    image: BootImage,
    *,
    old: ImageFacts,
    new: ImageFacts,
    old_files: Listing | None = None,
    new_files: Listing | None = None,
) -> SourceChange:
    """What a reload of `image` from `old` to `new` would mean.

    Listings are optional: without them only boot files are compared.
    """
    secrets = {secret.sentence for secret in old.secrets}
    return SourceChange(
        old_version=old.version,
        new_version=new.version,
        size_change=new.size - old.size,
        files=compare_files(old_files or {}, new_files or {}),
        boot_files=compare_files(_boot_listing(old), _boot_listing(new)),
        now_inbox=tuple(f"{driver.name} {driver.version}" for driver in _inbox(image, new, old)),
        no_longer_inbox=tuple(
            f"{driver.name} {driver.version}" for driver in _inbox(image, old, new)
        ),
        packages_added=tuple(sorted(set(new.packages) - set(old.packages))),
        packages_removed=tuple(sorted(set(old.packages) - set(new.packages))),
        new_secrets=tuple(
            secret.sentence for secret in new.secrets if secret.sentence not in secrets
        ),
        remarks=tuple(_remarks(old, new)),
        conflicts=tuple(_conflicts(image, new)),
    )


def compare_files(old: Listing, new: Listing) -> FileChanges:
    """Differences without regard to case, as Windows sees names."""
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


def _inbox(image: BootImage, facts: ImageFacts, other: ImageFacts) -> Iterator[Driver]:
    """Drivers of the recipe whose INF Windows brings along in `facts` but not in `other`."""
    brought = _inf_names(facts) - _inf_names(other)
    return (driver for driver in image.drivers if driver.inf_name.lower() in brought)


def _inf_names(facts: ImageFacts) -> set[str]:
    return {path.rpartition("/")[2].lower() for path in facts.inbox_infs}


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
            signers = (before.signer or "nobody", file.signer or "nobody")
            yield f"{file.name} was signed by {signers[0]} and is now signed by {signers[1]}."
    yield from new.findings


def _own_start(facts: ImageFacts) -> bool:
    start_up = StartUp(facts.startnet, facts.winpeshl, facts.setup_path)
    return bool(
        start_up.winpeshl
        or start_up.setup_path
        or (start_up.startnet and not is_default_startnet(start_up.startnet))
    )


def _conflicts(image: BootImage, new: ImageFacts) -> Iterator[str]:
    """Why the recipe cannot be replayed: exactly what a build would say."""
    moved = with_source(image, replace(image.source, image_index=new.index))
    try:
        plan(new, moved, 1)
    except OperatorFault as fault:
        yield explained(fault)


def _listed(languages: tuple[str, ...]) -> str:
    return ", ".join(languages) or "none listed"
