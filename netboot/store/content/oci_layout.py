"""Versions as an OCI layout on disk, from which points and registries are filled.

    oci/
    ├── oci-layout         the mark of an OCI layout (image-spec, image-layout.md)
    ├── index.json         the manifest of each version, by tag; replaced by one rename
    ├── blobs/sha256/…     manifests, configurations and layers
    └── staging/ altered/  as in each blob store

Any tool that knows the format reads it, such as skopeo. Blobs come first, then the index: after a
stop at any moment it names only manifests whose layers are all here. A layer that is a whole file
is a hard link to the site's blob. The parts of a WIM are stored once more, but once for all
versions that share them (docs/decisions/0080-layers-on-wim-borders.md).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import BlobMissing, ContentFault, DigestMismatch, FormatError
from netboot.formats import oci
from netboot.formats.oci import MANIFEST_TYPE, REF_NAME, Descriptor, Manifest
from netboot.formats.wim.wim import HEADER_SIZE, TABLE_LIMIT, parse_header
from netboot.images.versions.artifact import (
    ARTIFACT_TYPE,
    Artifact,
    digest_of,
    make_artifact,
    read_artifact,
)
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.images.versions.layers import (
    FileToCut,
    PlannedLayer,
    Wim,
    contents_of,
    plan_layers,
    wim_place,
)
from netboot.progress import Progress, silent
from netboot.store.content.blobs import PREFIX, BlobStore
from netboot.store.content.folder_lock import locked
from netboot.store.content.layout_blobs import LayoutBlobs, pieces
from netboot.store.content.point_folder import replace_file

_HEAD = 1024  # the frame of a WIM in an archive, and the WIM's header


@dataclass(frozen=True, slots=True)
class SweptLayout:
    """What a clean-up deleted: number and bytes of blobs."""

    blobs: int
    size: int


class OciLayout:
    """The layout in the folder `root`, made if necessary."""

    def __init__(self, root: Path) -> None:
        """Raises DiskFault, or ContentFault if the folder is a layout of another kind."""
        self.root = root
        self.blobs = LayoutBlobs(root)
        self._index = root / "index.json"
        mark = root / "oci-layout"
        if not mark.exists():
            with locked(root / ".lock"):
                if not self._index.exists():
                    self._write_index(())
                replace_file(mark, oci.LAYOUT_BYTES)
        try:
            oci.check_layout(mark.read_bytes())
        except (FormatError, OSError) as fault:
            raise ContentFault(f"{root} is no OCI layout that can be used: {fault}") from fault

    def tags(self) -> dict[str, str]:
        """The digest of the manifest of each version, by tag. Raises ContentFault."""
        return {one.ref_name: one.digest for one in self._entries()}

    def write(
        self, version: ContentVersion, source: BlobStore, *, progress: Progress = silent
    ) -> str:
        """Make the artifact of a version whose files are in `source`; its manifest's digest.

        Raises BlobMissing or DigestMismatch for a file that is missing or damaged, DiskFault,
        InvalidInput; then the layout names what it named before.
        """
        with locked(self.root / ".lock"):
            entries = self._entries()
            planned = plan_layers([_file_to_cut(file, source) for file in version.files])
            layers: list[tuple[PlannedLayer, str]] = []
            for place, file in enumerate(version.files):
                progress(place / len(version.files), file.name)
                own = [layer for layer in planned if layer.name == file.name]
                layers += self._write_file(file, own, source)
            manifest, config = make_artifact(version, layers)
            data, digest = oci.manifest_bytes(manifest), ""
            for blob in (config, data):
                self.blobs.keep_whole(digest_of(blob))  # a damaged one makes room for a new one
                digest = self.blobs.add_bytes(blob).digest
            tag = tag_of(version)
            entry = Descriptor(
                MANIFEST_TYPE, digest, len(data), ((REF_NAME, tag),), artifact_type=ARTIFACT_TYPE
            )
            others = tuple(one for one in entries if one.ref_name != tag)
            if entry not in entries:
                self._write_index((*others, entry))
        return digest

    def read(self, digest: str) -> Artifact:
        """The version and its layers, by its manifest's digest. Raises ContentFault."""
        manifest = self._manifest(digest)
        try:
            return read_artifact(manifest, self._bytes(manifest.config.digest))
        except FormatError as fault:
            raise ContentFault(f"the manifest {digest} cannot be used: {fault}") from fault

    def remove(self, tag: str) -> bool:
        """Name a version no longer; returns whether it was named. `sweep` deletes its bytes."""
        with locked(self.root / ".lock"):
            entries = self._entries()
            others = tuple(one for one in entries if one.ref_name != tag)
            if len(others) < len(entries):
                self._write_index(others)
        return len(others) < len(entries)

    def sweep(self, *, before: float) -> SweptLayout:
        """Delete blobs that no version needs and that are older than `before` (epoch seconds).

        Raises ContentFault, and deletes nothing, if a manifest cannot be read: what it needs is
        unknown then.
        """
        with locked(self.root / ".lock"):
            needed: set[str] = set()
            for entry in self._entries():
                manifest = self._manifest(entry.digest)
                needed |= {entry.digest, manifest.config.digest}
                needed |= {layer.digest for layer in manifest.layers}
            idle = [digest for digest in self.blobs.digests() if digest not in needed]
            freed = [self.blobs.discard(digest, before=before) for digest in idle]
        sizes = [size for size in freed if size is not None]
        return SweptLayout(len(sizes), sum(sizes))

    def _write_file(
        self, file: ManifestFile, layers: Sequence[PlannedLayer], source: BlobStore
    ) -> list[tuple[PlannedLayer, str]]:
        digests = _digests(source.require(file.digest), file, layers)
        if len(layers) == 1:
            if not self.blobs.keep_whole(file.digest):
                self.blobs.take_from(source, file.digest)
        else:
            parts = {
                digest: (layer.offset, layer.size)
                for layer, digest in zip(layers, digests, strict=True)
            }
            missing = {key: part for key, part in parts.items() if not self.blobs.keep_whole(key)}
            if missing:
                self.blobs.check_space(sum(size for _, size in missing.values()))
                self.blobs.add_parts(source.require(file.digest), missing)
        return list(zip(layers, digests, strict=True))

    def _entries(self) -> tuple[Descriptor, ...]:
        try:
            return oci.parse_index(self._index.read_bytes())
        except (FormatError, OSError) as fault:
            raise ContentFault(f"{self._index} is damaged or missing: {fault}") from fault

    def _write_index(self, entries: tuple[Descriptor, ...]) -> None:
        replace_file(self._index, oci.index_bytes(entries))

    def _manifest(self, digest: str) -> Manifest:
        try:
            return oci.parse_manifest(self._bytes(digest))
        except FormatError as fault:
            raise ContentFault(f"the manifest {digest} cannot be used: {fault}") from fault

    def _bytes(self, digest: str) -> bytes:
        """A small blob. Raises BlobMissing, DigestMismatch."""
        path = self.blobs.require(digest)
        try:
            with path.open("rb") as stream:
                data = stream.read(oci.INDEX_LIMIT + 1)
        except OSError as fault:
            raise BlobMissing(f"blob {digest} cannot be read: {fault.strerror}") from fault
        if digest_of(data) != digest:
            raise DigestMismatch(f"blob {digest} is damaged: its digest is now {digest_of(data)}")
        return data


def tag_of(version: ContentVersion) -> str:
    """The tag of a version: `lab-pe-x64-v3`."""
    return f"{version.address}-v{version.number}"


def _file_to_cut(file: ManifestFile, source: BlobStore) -> FileToCut:
    with source.require(file.digest).open("rb") as stream:
        head = stream.read(_HEAD)
        place = wim_place(head, file.size)
        if place is None:
            return FileToCut(file.name, file.size)
        offset, size = place
        try:
            header = parse_header(head[offset : offset + HEADER_SIZE])
        except FormatError:
            return FileToCut(file.name, file.size)
        table = header.blob_table
        data = b""
        if table.stored <= TABLE_LIMIT and table.end <= size:
            stream.seek(offset + table.offset)
            data = stream.read(table.stored)
        contents = contents_of(header, data, size)
    wim = Wim(offset, size, contents) if contents is not None else None
    return FileToCut(file.name, file.size, wim)


def _digests(path: Path, file: ManifestFile, layers: Sequence[PlannedLayer]) -> list[str]:
    """The digests of the layers. Raises DigestMismatch if they are not the file."""
    whole, found, size = hashlib.sha256(), [], 0
    with path.open("rb") as stream:
        for layer in layers:
            part = hashlib.sha256()
            for piece in pieces(stream, layer.size):
                whole.update(piece)
                part.update(piece)
                size += len(piece)
            found.append(PREFIX + part.hexdigest())
        is_longer = bool(stream.read(1))
    if size != file.size or is_longer or PREFIX + whole.hexdigest() != file.digest:
        raise DigestMismatch(f"{file.name}: blob {file.digest} is damaged")
    return found
