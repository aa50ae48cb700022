"""Inspects a WIM before it is trusted: header and XML here, everything else in the sandbox.

The order matters: the header (208 bytes) is checked before the XML is read, the XML before a
library opens the file, and all names and hashes before a file is extracted. A file that its owner
can repair is InvalidInput with a hint; one that is dangerous to open is Quarantined.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netboot.errors import FormatError, InvalidInput, OperatorFault, Quarantined
from netboot.formats.wim.wim import (
    HEADER_SIZE,
    WimHeader,
    objections,
    parse_blob_table,
    parse_header,
)
from netboot.formats.wim.xml import WimDescription, WimImage, parse_wim_xml
from netboot.images.boot_image.description import ImageFacts
from netboot.progress import ByteProgress, silent
from netboot.store.foreign.confinement import Limits
from netboot.store.wim import sandbox
from netboot.store.wim.description import Contents, Entry, facts_of
from netboot.store.wim.sandbox import WorkerDied, WorkerRefused

_REFUSALS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        33: ("this is one part of a split WIM", "Join it: wimlib-imagex join NEW.wim PART*.swm"),
        43: (
            "this is not a WIM file",
            "Choose a WIM file, for example sources/boot.wim from an ISO.",
        ),
        65: ("the file is truncated", "Copy or upload the file again and compare the sizes."),
        74: ("the WIM is encrypted", "Decrypt it first; encrypted ESD files cannot boot."),
    }
)
"""wimlib's error codes for files that their owner can repair."""

_OUR_SIDE = frozenset({37, 47, 52, 63, 72})
"""wimlib's error codes for faults of the scratch folder: mkdir, open, rename, stat, write."""

_REPAIRED_ELSEWHERE = "Get the file again from its source. Do not open it on another computer."


def inspect(
    path: Path,
    *,
    index: int | None = None,
    workdir: Path | None = None,
    progress: ByteProgress = silent,
    limits: Limits | None = None,
) -> ImageFacts:
    """The facts about one image of the WIM at `path`, its bootable one by default.

    Temporary files are below `workdir`. Raises InvalidInput, Quarantined, and what `progress`
    raises.
    """
    header, description = read_descriptions(path)
    chosen = _choose(header, description, index)
    with tempfile.TemporaryDirectory(prefix="wim-", dir=workdir) as scratch:
        folder = Path(scratch)
        contents = _examine(path, chosen.index, folder, progress, limits)
        return facts_of(
            size=path.stat().st_size,
            header=header,
            description=description,
            image=chosen,
            contents=contents,
        )


def read_descriptions(path: Path) -> tuple[WimHeader, WimDescription]:
    """Header and XML, read without wimlib. Raises InvalidInput or Quarantined."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            header = parse_header(stream.read(HEADER_SIZE))
        except FormatError as error:
            raise InvalidInput(_capital(error), hint=_REFUSALS[43][1]) from error
        for objection in objections(header, size):
            kind = Quarantined if objection.suspicious else InvalidInput
            raise kind(_capital(objection.reason), hint=objection.hint or _REPAIRED_ELSEWHERE)
        try:
            stream.seek(header.blob_table.offset)
            parse_blob_table(stream.read(header.blob_table.stored), size)
            stream.seek(header.xml.offset)
            description = parse_wim_xml(stream.read(header.xml.stored))
        except FormatError as error:
            raise Quarantined(_capital(error), hint=_REPAIRED_ELSEWHERE) from error
    if description.is_encrypted:
        raise InvalidInput("The WIM is encrypted", hint=_REFUSALS[74][1])
    return header, description


def list_files(path: Path, index: int, *, workdir: Path | None = None) -> dict[str, str]:
    """SHA-1 by path for all files of an image that was inspected before."""
    with tempfile.TemporaryDirectory(prefix="wim-", dir=workdir) as scratch:
        try:
            answer = sandbox.run("list", {"index": index}, wim=path, workdir=Path(scratch))
        except (WorkerRefused, WorkerDied) as error:
            raise Quarantined(f"The WIM's file list cannot be read: {_lowered(error)}") from error
    return dict(answer.result["files"])


def _choose(header: WimHeader, description: WimDescription, index: int | None) -> WimImage:
    """The requested image, or the bootable one, or the only one."""
    if header.image_count != len(description.images):
        raise Quarantined(
            f"The header counts {header.image_count} images, "
            f"the XML describes {len(description.images)}",
            hint=_REPAIRED_ELSEWHERE,
        )
    bootable = header.boot_index or (1 if header.image_count == 1 else 0)
    wanted = bootable if index is None else index
    if image := description.image(wanted):
        return image
    names = "; ".join(f"{image.index}: {image.name or 'no name'}" for image in description.images)
    if wanted or index is not None:
        raise InvalidInput(f"The WIM has no image {wanted}", hint=f"It contains {names}.")
    raise InvalidInput(
        "The WIM contains several images and none is marked as bootable",
        hint=f"Choose one by number: {names}.",
    )


def _examine(
    path: Path, index: int, folder: Path, progress: ByteProgress, limits: Limits | None
) -> Contents:
    """Read the image in the sandbox; translate its refusals."""
    try:
        answer = sandbox.run(
            "examine", {"index": index}, wim=path, workdir=folder, progress=progress, limits=limits
        )
    except WorkerRefused as error:
        raise _refusal(error) from error
    except WorkerDied as error:
        raise Quarantined(
            f"The WIM cannot be read safely: {error}", hint=_REPAIRED_ELSEWHERE
        ) from error
    try:
        return _contents(answer.result, folder / "files")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Quarantined(
            "The WIM is damaged and could not be read", hint=_REPAIRED_ELSEWHERE
        ) from error


def _refusal(error: WorkerRefused) -> OperatorFault:
    """Wimlib's refusal as a fault for the operator."""
    if error.code in _OUR_SIDE:
        return OperatorFault(
            f"The WIM could not be examined: {_lowered(error)}",
            hint="Check the free disk space. The file itself may be fine.",
        )
    if error.code in _REFUSALS:
        reason, hint = _REFUSALS[error.code]
        return InvalidInput(_capital(reason), hint=hint)
    return Quarantined(f"The WIM is damaged: {_lowered(error)}", hint=_REPAIRED_ELSEWHERE)


def _contents(result: dict[str, Any], folder: Path) -> Contents:
    """The worker's answer, which is not trusted either: the file may have taken over the worker."""
    for sentence in (*result["hostile"], *result["warnings"]):
        raise Quarantined(f"The WIM contains data that no Windows tool writes: {sentence}")
    entries = {}
    for path, size, sha1, plain in result["entries"]:
        if ".." in path.split("/"):
            raise ValueError(path)
        entries[path.lower()] = Entry(path, int(size), str(sha1), bool(plain))
    return Contents(
        entries=entries,
        folder=folder,
        collected=frozenset(result["collected"]),
        hives=dict(result["hives"]),
        boot_index=int(result["boot_index"]),
    )


def _capital(error: object) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _lowered(error: object) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]
