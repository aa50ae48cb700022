"""libwim.so.15 by ctypes: open, walk, verify, extract, update. Only a sandboxed worker calls it.

The structures follow wimlib.h of wimlib 1.13. A wrong offset would silently return garbage, so
`self_test` writes a small WIM and reads it back before anything else.
"""

import ctypes
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netboot.errors import FormatError, MissingTool
from netboot.progress import ByteProgress

ATTRIBUTE_DIRECTORY = 0x10
ATTRIBUTE_REPARSE_POINT = 0x400
ATTRIBUTE_ENCRYPTED = 0x4000

# On Linux wimlib distinguishes case by default, and adding to /windows would create a second folder
# next to /Windows (wimlib_global_init).
_CASE_INSENSITIVE = 0x20
_OPEN_ERROR_IF_SPLIT = 0x2
_OPEN_WRITE_ACCESS = 0x4
_ITERATE_RECURSIVE = 0x1
_ADD_NO_ACLS = 0x20
_ADD_NO_UNSUPPORTED_EXCLUDE = 0x400
_DELETE_FORCE_RECURSIVE = 0x3
_EXTRACT_NO_ACLS = 0x40
_EXTRACT_NO_ATTRIBUTES = 0x100000
_CHANGE_BOOT_INDEX = 0x4
_OP_ADD, _OP_DELETE = 0, 1
_PATH_DOES_NOT_EXIST = 49
_MSG_EXTRACT_STREAMS, _MSG_WRITE_STREAMS, _MSG_VERIFY_STREAMS = 4, 12, 29


class WimlibError(FormatError):
    """A fault of wimlib with its error `code`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Resource(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint64),
        ("stored", ctypes.c_uint64),
        ("offset", ctypes.c_uint64),
        ("sha1", ctypes.c_uint8 * 20),
        ("part", ctypes.c_uint32),
        ("references", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("raw", ctypes.c_uint64 * 3),
        ("reserved", ctypes.c_uint64),
    )


class _Stream(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("resource", _Resource),
        ("reserved", ctypes.c_uint64 * 4),
    )


class _Dentry(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dos_name", ctypes.c_char_p),
        ("path", ctypes.c_char_p),
        ("depth", ctypes.c_size_t),
        ("security", ctypes.c_void_p),
        ("security_size", ctypes.c_size_t),
        ("attributes", ctypes.c_uint32),
        ("reparse_tag", ctypes.c_uint32),
        ("links", ctypes.c_uint32),
        ("named_streams", ctypes.c_uint32),
        ("link_group", ctypes.c_uint64),
        ("created", _Timespec),
        ("written", _Timespec),
        ("accessed", _Timespec),
        ("unix", ctypes.c_uint32 * 4),
        ("object_id", ctypes.c_uint8 * 64),
        ("times_high", ctypes.c_int32 * 3),
        ("reserved2", ctypes.c_int32),
        ("reserved", ctypes.c_uint64 * 4),
        ("stream", _Stream),
    )


class _Info(ctypes.Structure):
    _fields_ = (
        ("guid", ctypes.c_uint8 * 16),
        ("image_count", ctypes.c_uint32),
        ("boot_index", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("chunk_size", ctypes.c_uint32),
        ("part", ctypes.c_uint16),
        ("parts", ctypes.c_uint16),
        ("compression", ctypes.c_int32),
        ("total_bytes", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 9),
    )


class _Add(ctypes.Structure):
    _fields_ = (
        ("source", ctypes.c_char_p),
        ("target", ctypes.c_char_p),
        ("config", ctypes.c_char_p),
        ("flags", ctypes.c_int),
    )


class _Delete(ctypes.Structure):
    _fields_ = (("path", ctypes.c_char_p), ("flags", ctypes.c_int))


class _Operand(ctypes.Union):
    _fields_ = (("add", _Add), ("delete", _Delete))


class _Command(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_int), ("operand", _Operand))


class _ByteProgress(ctypes.Structure):
    """The beginning of struct wimlib_progress_info_write_streams."""

    _fields_ = (
        ("total", ctypes.c_uint64),
        ("total_streams", ctypes.c_uint64),
        ("done", ctypes.c_uint64),
    )


class _VerifyProgress(ctypes.Structure):
    _fields_ = (
        ("wim", ctypes.c_char_p),
        ("total_streams", ctypes.c_uint64),
        ("total", ctypes.c_uint64),
        ("done_streams", ctypes.c_uint64),
        ("done", ctypes.c_uint64),
    )


_DentryCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Dentry), ctypes.c_void_p)
_ProgressCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of an image: `path` is absolute with forward slashes.

    `name` is its last part as in the WIM, and may contain slashes in a hostile one. `sha1` is of
    the unnamed data, empty for folders and empty files. `written_at` is seconds since 1970.
    """

    path: str
    name: str
    attributes: int
    size: int
    sha1: str
    named_streams: int
    written_at: int

    @property
    def is_folder(self) -> bool:
        return bool(self.attributes & ATTRIBUTE_DIRECTORY)

    @property
    def is_plain_file(self) -> bool:
        """Neither a folder nor a link nor encrypted."""
        special = ATTRIBUTE_DIRECTORY | ATTRIBUTE_REPARSE_POINT | ATTRIBUTE_ENCRYPTED
        return not self.attributes & special


@dataclass(frozen=True, slots=True)
class Change:
    """A command of an update: add `source` at `target`, or without a source remove `target`."""

    target: str
    source: Path | None = None


class Library:
    """The loaded library; it writes its warnings to the file `warnings_path`."""

    def __init__(self, warnings_path: Path) -> None:
        try:
            self._dll = ctypes.CDLL("libwim.so.15")
        except OSError as error:
            raise MissingTool(
                "libwim.so.15 is not installed", hint="Install it: apt-get install libwim15"
            ) from error
        self._dll.wimlib_get_error_string.restype = ctypes.c_char_p
        self._dll.wimlib_free.restype = None
        self.warnings_path = warnings_path
        self.call("wimlib_global_init", _CASE_INSENSITIVE)
        self.call("wimlib_set_error_file_by_name", os.fsencode(warnings_path))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns an error code. Raises WimlibError."""
        code = getattr(self._dll, name)(*arguments)
        if code:
            raise WimlibError(code, self._dll.wimlib_get_error_string(code).decode())

    def free(self, handle: ctypes.c_void_p) -> None:
        self._dll.wimlib_free(handle)

    def warnings(self) -> tuple[str, ...]:
        """The distinct warnings so far. wimlib reports hostile names only by these."""
        try:
            text = self.warnings_path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ()
        marked = (line for line in text.splitlines() if "[WARNING]" in line)
        return tuple(dict.fromkeys(line.partition("[WARNING]")[2].strip() for line in marked))


class Wim:
    """An open WIM file; a context manager."""

    def __init__(
        self,
        library: Library,
        path: Path,
        *,
        write: bool = False,
        progress: ByteProgress | None = None,
    ) -> None:
        self._library = library
        self._handle = ctypes.c_void_p()
        self._progress = progress
        self._callback = _ProgressCallback(self._report)  # must outlive the handle
        library.call(
            "wimlib_open_wim_with_progress",
            os.fsencode(path),
            _OPEN_ERROR_IF_SPLIT | (_OPEN_WRITE_ACCESS if write else 0),
            ctypes.byref(self._handle),
            self._callback,
            None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._library.free(self._handle)

    @property
    def image_count(self) -> int:
        return int(self._info().image_count)

    @property
    def boot_index(self) -> int:
        """The image that boot managers start, or 0."""
        return int(self._info().boot_index)

    def walk(self, index: int, path: str = "/") -> list[Entry]:
        """All files and folders of an image below `path`, the folder itself first."""
        return self._entries(index, path, _ITERATE_RECURSIVE)

    def entry(self, index: int, path: str) -> Entry | None:
        """One file or folder, or None."""
        try:
            return self._entries(index, path, 0)[0]
        except WimlibError as error:
            if error.code == _PATH_DOES_NOT_EXIST:
                return None
            raise

    def verify(self) -> None:
        """Unpack everything and compare with the hashes. Raises WimlibError."""
        self._call("wimlib_verify_wim", 0)

    def extract(self, index: int, paths: Sequence[str], folder: Path) -> None:
        """Write these files below `folder`, with their folders, without ACLs or attributes."""
        if not paths:
            return
        array = (ctypes.c_char_p * len(paths))(*(path.encode() for path in paths))
        flags = _EXTRACT_NO_ACLS | _EXTRACT_NO_ATTRIBUTES
        size = ctypes.c_size_t(len(paths))
        self._call("wimlib_extract_paths", index, os.fsencode(folder), array, size, flags)

    def update(self, index: int, changes: Iterable[Change]) -> None:
        """Change an image in memory; `overwrite` writes it."""
        commands = [_command(change) for change in changes]
        array = (_Command * len(commands))(*commands)
        self._call("wimlib_update_image", index, array, ctypes.c_size_t(len(commands)), 0)

    def set_property(self, index: int, name: str, value: str) -> None:
        """Set an element of an image's XML; `overwrite` writes it."""
        self._call("wimlib_set_image_property", index, name.encode(), value.encode())

    def set_boot_index(self, index: int) -> None:
        """Choose the image that boot managers start; `overwrite` writes it."""
        info = _Info(boot_index=index)
        self._call("wimlib_set_wim_info", ctypes.byref(info), _CHANGE_BOOT_INDEX)

    def overwrite(self) -> None:
        """Append the changes to the file; existing resources stay where they are."""
        self._call("wimlib_overwrite", 0, 0)

    def _entries(self, index: int, path: str, flags: int) -> list[Entry]:
        entries: list[Entry] = []

        def visit(dentry: Any, _context: Any) -> int:
            entries.append(_entry(dentry.contents))
            return 0

        callback = _DentryCallback(visit)
        self._call("wimlib_iterate_dir_tree", index, path.encode(), flags, callback, None)
        return entries

    def _call(self, name: str, *arguments: Any) -> None:
        self._library.call(name, self._handle, *arguments)

    def _info(self) -> _Info:
        info = _Info()
        self._call("wimlib_get_wim_info", ctypes.byref(info))
        return info

    def _report(self, message: int, details: int | None, _context: int | None) -> int:
        if self._progress and details:
            if message == _MSG_WRITE_STREAMS:
                written = _ByteProgress.from_address(details)
                self._progress("write", written.done, written.total)
            elif message == _MSG_VERIFY_STREAMS:
                verified = _VerifyProgress.from_address(details)
                self._progress("verify", verified.done, verified.total)
        return 0


def _entry(dentry: _Dentry) -> Entry:
    resource = dentry.stream.resource
    sha1 = bytes(resource.sha1)
    return Entry(
        path=(dentry.path or b"").decode("utf-8", "surrogateescape"),
        name=(dentry.name or b"").decode("utf-8", "surrogateescape"),
        attributes=dentry.attributes,
        size=resource.size,
        sha1=sha1.hex() if any(sha1) else "",
        named_streams=dentry.named_streams,
        written_at=dentry.written.seconds,
    )


def _command(change: Change) -> _Command:
    target = change.target.encode()
    if change.source is None:
        operand = _Operand(delete=_Delete(target, _DELETE_FORCE_RECURSIVE))
        return _Command(_OP_DELETE, operand)
    flags = _ADD_NO_ACLS | _ADD_NO_UNSUPPORTED_EXCLUDE
    return _Command(_OP_ADD, _Operand(add=_Add(os.fsencode(change.source), target, None, flags)))


def self_test(library: Library, folder: Path) -> None:
    """Write a WIM with one file and read it back. Raises AssertionError if it differs."""
    content, written_at = b"the structures fit", 1_000_000_000
    source = folder / "self-test.txt"
    source.write_bytes(content)
    os.utime(source, (written_at, written_at))
    handle = ctypes.c_void_p()
    library.call("wimlib_create_new_wim", 0, ctypes.byref(handle))
    wim_path = folder / "self-test.wim"
    try:
        library.call("wimlib_add_empty_image", handle, b"test", None)
        command = (_Command * 1)(_command(Change("/Folder/Probe.txt", source)))
        library.call("wimlib_update_image", handle, 1, command, ctypes.c_size_t(1), 0)
        library.call("wimlib_write", handle, os.fsencode(wim_path), -1, 0, 1)
    finally:
        library.free(handle)
    with Wim(library, wim_path) as wim:
        entry = wim.walk(1, "/FOLDER/probe.TXT")[0]
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        found = (wim.image_count, entry.path, entry.size, entry.sha1, entry.written_at)
    expected = (1, "/Folder/Probe.txt", len(content), sha1, written_at)
    assert expected == found, f"libwim's structures do not fit: {found}"
    source.unlink()
    wim_path.unlink()
