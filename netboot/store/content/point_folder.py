"""A distribution point's folder: blobs, version manifests, and one pointer to what is served.

    points/site/
    ├── blobs/ab/abcd…            the bytes, hard-linked from the site's store if possible
    ├── versions/<slug>-<n>.json  one manifest a version, never changed; <slug> is the image's
    │                             short name, which stays when the image is renamed
    └── current.json              the pointer: replaced by one rename, read by the boot services

Blobs come first, then the manifest, then the pointer: even after an interruption a client sees the
old state or the new one, never a mix. If a new state is damaged, the boot services continue with
the last good one.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netboot.errors import ContentFault, DigestMismatch
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import slug
from netboot.images.versions.content_version import ContentVersion, ManifestFile, PublishedContent
from netboot.images.versions.distribution import plan_update
from netboot.progress import Progress, silent
from netboot.store.content.blobs import BlobStore, sync_folder
from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.content.folder_lock import locked
from netboot.store.content.kept_file import KeptFile, mark_of

ALWAYS_KEPT = 2  # the version that is served, and the previous one for a rollback
GRACE_SECONDS = 24 * 3600.0  # boots in progress keep the version that they began with
Policy = tuple[Mapping[Architecture, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a clean-up of a point deleted: labels of versions, number and bytes of blobs."""

    versions: tuple[str, ...]
    blobs: int
    size: int


def write_json(path: Path, value: object) -> None:
    """Replace a file, as `replace_file` does."""
    replace_file(path, json.dumps(value, indent=1, sort_keys=True).encode())


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file by one rename: readers see the old or the new one. Raises DiskFault."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as fault:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise explain_disk_fault(fault, path.parent) from fault


class PointFolder:
    """One distribution point on this machine's disk."""

    def __init__(self, root: Path, *, programs: Path | None = None) -> None:
        """`programs` is the list of boot programs, which are made for one address."""
        self.root = root
        self.programs = programs or root / "programs.json"
        self.blobs = BlobStore(root)
        self.versions = root / "versions"
        self.versions.mkdir(mode=0o700, exist_ok=True)
        self.pointer = root / "current.json"
        self._current = KeptFile(self.pointer, self._understand)
        self._manifests: dict[Path, KeptFile[ContentVersion]] = {}
        self._published: tuple[dict[str, Any], PublishedContent] | None = None

    def load(self) -> PublishedContent:
        """What the point serves now, cached while the pointer is the same. Raises ContentFault."""
        state, kept = self._kept_state(), self._published
        if kept is None or kept[0] is not state:
            kept = self._published = (state, self._publish(state))
        return kept[1]

    def _publish(self, state: dict[str, Any]) -> PublishedContent:
        manifests, self._manifests = self._manifests, {}
        try:
            kept = {
                (name, held["number"]): self._manifest(state, name, held["number"], manifests)
                for name, holds in state["kept"].items()
                for held in holds
            }
            current = {name: kept[(name, number)] for name, number in state["current"].items()}
            defaults = {Architecture(key): value for key, value in state["defaults"].items()}
            assignments = {**state["assignments"], **state.get("trials", {})}
            supplied = _supplied(state)
            authorities = dict(state.get("authorities", {}))
            names = {short: name for name, short in _slugs(state).items()}
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as fault:
            raise ContentFault(f"{self.root}: a manifest is missing or damaged: {fault}") from fault
        return PublishedContent(
            generation=state["generation"],
            current=MappingProxyType(current),
            kept=MappingProxyType(kept),
            defaults=MappingProxyType(defaults),
            assignments=MappingProxyType(assignments),
            supplied=MappingProxyType(supplied),
            authorities=MappingProxyType(authorities),
            names=MappingProxyType(names),
        )

    def served(self, image: str) -> int | None:
        return self.numbers().get(image)

    def numbers(self) -> dict[str, int]:
        """For each image that is served, the number of the version that new boots get."""
        return dict(self._kept_state()["current"])

    def update(
        self,
        version: ContentVersion,
        source: BlobStore,
        *,
        now: float,
        progress: Progress = silent,
    ) -> bool:
        """Copy `version`, check every byte, then serve it; False if it was served already.

        `now` is epoch seconds: the previous versions are kept for a day.

        Raises DigestMismatch or BlobMissing; then the point serves the same as before.
        """
        with locked(self.root / ".lock"):
            held = {f.digest for f in version.files if self.blobs.holds(f.digest)}
            plan = plan_update(version, held=held, served=self.served(version.image))
            for place, digest in enumerate(plan.copy):
                progress(0.5 * place / len(plan.copy), "copying")
                self.blobs.take_from(source, digest)
            for place, digest in enumerate(plan.check):
                progress(0.5 + 0.5 * place / len(plan.check), "verifying")
                self._check(digest, source)
            write_json(self._manifest_path(version.address, version.number), version.to_json())
            if plan.switch:
                self._switch(version, now)
            return plan.switch

    def withdraw(self, image: str, number: int) -> bool:
        """Stop serving a damaged version; returns whether it was here."""
        with locked(self.root / ".lock"):
            state = self._state()
            held = state["kept"].get(image, [])
            left = [one for one in held if one["number"] != number]
            if len(left) == len(held):
                return False
            state["kept"][image] = left
            if state["current"].get(image) == number:
                del state["current"][image]
            self._write(state)
            return True

    def publish_policy(self, read: Callable[[], Policy]) -> None:
        """Publish default images and assignments; versions stay the same.

        `read` returns both. It is called under the lock: of two simultaneous changes, the second
        writer has read the first one's.
        """
        with locked(self.root / ".lock"):
            defaults, assignments = read()
            state = self._state()
            state["defaults"] = {key.value: value for key, value in defaults.items()}
            state["assignments"] = dict(assignments)
            self._write(state)

    def try_image(self, macs: Collection[str], image: str) -> None:
        """Give these machines an image for a boot test, whatever else is set; "" ends the test."""
        with locked(self.root / ".lock"):
            state = self._state()
            others = {mac: one for mac, one in state.get("trials", {}).items() if mac not in macs}
            state["trials"] = others | (dict.fromkeys(macs, image) if image else {})
            self._write(state)

    def end_trials(self) -> None:
        """End all boot tests of single images: those of a lab that was killed, too."""
        with locked(self.root / ".lock"):
            state = self._state()
            if state.pop("trials", None):
                self._write(state)

    def publish_authorities(self, read: Callable[[], Mapping[str, str]]) -> None:
        """Publish the authorities of machines that need a certain boot loader, by MAC address."""
        with locked(self.root / ".lock"):
            authorities = dict(read())
            state = self._state()
            state["authorities"] = authorities
            self._write(state)

    def rename(self, old: str, new: str, short_name: str) -> None:
        """Rename an image, in everything that refers to it; its content and addresses stay.

        A second call does nothing.
        """
        with locked(self.root / ".lock"):
            state = self._state()
            for part in ("current", "kept"):
                if old in state[part]:
                    state[part][new] = state[part].pop(old)
            for part in ("defaults", "assignments", "trials"):
                state[part] = {
                    key: new if name == old else name for key, name in state.get(part, {}).items()
                }
            slugs = {name: short for name, short in _slugs(state).items() if name != old}
            if new in state["kept"]:
                slugs[new] = short_name
            state["slugs"] = slugs
            self._write(state)

    def supply(self, name: str, program: ManifestFile | None) -> None:
        """Serve the administrator's boot program, whose bytes are in `blobs`; None removes it."""
        with locked(self.root / ".lock"):
            state = self._state()
            supplied = {key: held for key, held in _supplied(state).items() if key != name}
            if program is not None:
                supplied[name] = program
            state["supplied"] = [asdict(held) for held in supplied.values()]
            self._write(state)

    def forget(self, image: str) -> None:
        with locked(self.root / ".lock"):
            state = self._state()
            state["current"].pop(image, None)
            state["kept"].pop(image, None)
            state["slugs"] = {name: one for name, one in _slugs(state).items() if name != image}
            self._write(state)

    def sweep(self, programs: Collection[str], *, now: float, before: float) -> Swept:
        """Delete versions whose day of grace is over, and bytes that are no longer needed.

        `programs` are digests of the site's boot programs. `now` is epoch seconds; bytes that
        are newer than `before` stay.
        """
        with locked(self.root / ".lock"):
            state = self._state()
            before_sweep = _numbers(state)
            for image, number in state["current"].items():
                state["kept"][image] = _still_kept(state["kept"][image], number, now)
            gone = sorted(before_sweep - _numbers(state))
            if gone:
                self._write(state)
            kept = self.load().kept
            manifests = {self._manifest_path(one.address, one.number) for one in kept.values()}
            for path in self.versions.glob("*.json"):
                if path not in manifests:
                    path.unlink(missing_ok=True)
            needed = {file.digest for version in kept.values() for file in version.files}
            needed |= {program.digest for program in _supplied(state).values()}
            idle = [d for d in self.blobs.digests() if d not in needed and d not in programs]
            freed = [self.blobs.discard(digest, before=before) for digest in idle]
        removed = [size for size in freed if size is not None]
        return Swept(tuple(f"{name} v{n}" for name, n in gone), len(removed), sum(removed))

    def _check(self, digest: str, source: BlobStore) -> None:
        try:
            self.blobs.verify(digest)
        except DigestMismatch:
            source.verify(digest)  # raises if the site's own copy is damaged too
            self.blobs.remove(digest)
            self.blobs.take_from(source, digest)
            self.blobs.verify(digest)

    def _switch(self, version: ContentVersion, now: float) -> None:
        state = self._state()
        held = state["kept"].get(version.image, [])
        state["kept"][version.image] = _still_kept(held, version.number, now)
        state["current"][version.image] = version.number
        state["slugs"] = {**_slugs(state), version.image: version.address}
        self._write(state)

    def _write(self, state: dict[str, Any]) -> None:
        state["generation"] += 1
        write_json(self.pointer, state)

    def _state(self) -> dict[str, Any]:
        """The pointer's content, to be changed."""
        return self._readable(lambda: self._understand(self.pointer.read_text()))

    def _kept_state(self) -> dict[str, Any]:
        """The pointer's content, read-only."""
        return self._readable(self._current)

    def _readable(self, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return read()
        except FileNotFoundError:
            return {"generation": 0, "current": {}, "kept": {}, "defaults": {}, "assignments": {}}
        except (ValueError, OSError) as fault:
            raise ContentFault(f"{self.pointer} is damaged: {fault}") from fault

    def _understand(self, text: str) -> dict[str, Any]:
        state = json.loads(text)
        if not isinstance(state, dict) or not state.keys() >= _PARTS:
            raise ContentFault(f"{self.pointer} is damaged: parts of it are missing")
        return state

    def _manifest_path(self, short_name: str, number: int) -> Path:
        return self.versions / f"{short_name}-{number}.json"

    def _manifest(
        self,
        state: dict[str, Any],
        image: str,
        number: int,
        known: Mapping[Path, KeptFile[ContentVersion]],
    ) -> ContentVersion:
        short_name = _slugs(state).get(image) or slug(image)
        path = self._manifest_path(short_name, number)
        manifest = known.get(path) or KeptFile(
            path, lambda text: ContentVersion.from_json(json.loads(text))
        )
        self._manifests[path] = manifest
        return manifest().called(image, short_name)


_PARTS = {"generation", "current", "kept", "defaults", "assignments"}


def _still_kept(held: list[dict[str, Any]], served: int, now: float) -> list[dict[str, Any]]:
    """The version that is served, the previous one, and those in their day of grace."""
    others = [
        {**one, "until": one["until"] or now + GRACE_SECONDS}
        for one in held
        if one["number"] != served
    ]
    young = [one for at, one in enumerate(others) if at < ALWAYS_KEPT - 1 or one["until"] > now]
    return [{"number": served, "until": 0.0}, *young]


def _supplied(state: dict[str, Any]) -> dict[str, ManifestFile]:
    return {held["name"]: ManifestFile(**held) for held in state.get("supplied", ())}


def _slugs(state: dict[str, Any]) -> dict[str, str]:
    """The short name of each image, by its current name."""
    return dict(state.get("slugs", {}))


def _numbers(state: dict[str, Any]) -> set[tuple[str, int]]:
    return {(name, held["number"]) for name, holds in state["kept"].items() for held in holds}


class PublishedReader:
    """The point's state for a boot service: read again when the pointer was replaced.

    It reports a damaged state once and keeps the last good one. Raises ContentFault if the first
    state is damaged: then the boot service must not start.
    """

    def __init__(self, point: PointFolder, tell: Callable[[str], None]) -> None:
        self._point = point
        self._tell = tell
        self._seen = mark_of(point.pointer)
        self._content = point.load()

    def __call__(self) -> PublishedContent:
        """The current state; costs one stat if nothing changed."""
        mark = mark_of(self._point.pointer)
        if mark != self._seen and mark is not None:
            try:
                self._content = self._point.load()
            except ContentFault as fault:
                self._tell(f"{fault}; the previous versions are still served")
            self._seen = mark
        return self._content
