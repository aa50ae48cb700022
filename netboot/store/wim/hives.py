"""Reads and sets values in registry hives with libhivex.so.0; only in a worker.

libhivex never reuses a freed list of subkeys, so a hive grows with the square of the keys that are
added: 2000 keys made one of 8 KB 19.8 MB large. netboot sets a handful.
"""

import ctypes
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netboot.errors import FormatError, MissingTool
from netboot.formats.hive import REG_DWORD, REG_EXPAND_SZ, REG_SZ

CURRENT_CONTROL_SET = "CurrentControlSet"
VALUE_LIMIT = 1 << 20

_OPEN_WRITE = 4


class _SetValue(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("length", ctypes.c_size_t),
        ("value", ctypes.c_char_p),
    )


_HANDLE, _NODE, _TEXT, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "hivex_open": (_HANDLE, (_TEXT, _INT)),
    "hivex_close": (_INT, (_HANDLE,)),
    "hivex_root": (_NODE, (_HANDLE,)),
    "hivex_node_get_child": (_NODE, (_HANDLE, _NODE, _TEXT)),
    "hivex_node_add_child": (_NODE, (_HANDLE, _NODE, _TEXT)),
    "hivex_node_set_value": (_INT, (_HANDLE, _NODE, ctypes.POINTER(_SetValue), _INT)),
    "hivex_node_get_value": (_NODE, (_HANDLE, _NODE, _TEXT)),
    "hivex_value_value": (
        ctypes.c_void_p,
        (_HANDLE, _NODE, ctypes.POINTER(_INT), ctypes.POINTER(ctypes.c_size_t)),
    ),
    "hivex_commit": (_INT, (_HANDLE, _TEXT, _INT)),
}
"""Nodes and values are offsets in the file, which ctypes would cut to 32 bits by default."""


class Library:
    """The loaded library."""

    def __init__(self) -> None:
        try:
            self._dll = ctypes.CDLL("libhivex.so.0", use_errno=True)
        except OSError as error:
            raise MissingTool(
                "libhivex.so.0 is not installed", hint="Install it: apt-get install libhivex0"
            ) from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._dll, name)
            function.restype, function.argtypes = result, arguments
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = (ctypes.c_void_p,)

    def call(self, name: str, *arguments: Any) -> Any:
        return getattr(self._dll, name)(*arguments)

    def free(self, pointer: int) -> None:
        self._free(pointer)


class Hive:
    """An open hive; a context manager. Key paths have backslashes and no leading one."""

    def __init__(self, library: Library, path: Path, *, write: bool = False) -> None:
        self._library = library
        handle = library.call("hivex_open", os.fsencode(path), _OPEN_WRITE if write else 0)
        if not handle:
            raise FormatError(f"{path.name} is not a registry hive, or it is damaged")
        self._handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._library.call("hivex_close", self._handle)

    def get(self, key: str, name: str) -> tuple[int, bytes] | None:
        """Type and bytes of a value, or None if key or value is missing."""
        node = self._node(key, create=False)
        value = node and self._call("hivex_node_get_value", node, name.encode())
        if not value:
            return None
        kind, length = ctypes.c_int(), ctypes.c_size_t()
        pointer = self._call("hivex_value_value", value, ctypes.byref(kind), ctypes.byref(length))
        if not pointer:
            return None
        try:
            return kind.value, ctypes.string_at(pointer, min(length.value, VALUE_LIMIT))
        finally:
            self._library.free(pointer)

    def number(self, key: str, name: str) -> int:
        """A REG_DWORD, or 0."""
        kind, data = self.get(key, name) or (0, b"")
        return int.from_bytes(data[:4], "little") if kind == REG_DWORD else 0

    def text(self, key: str, name: str) -> str:
        """A REG_SZ, or ""."""
        kind, data = self.get(key, name) or (0, b"")
        if kind not in {REG_SZ, REG_EXPAND_SZ}:
            return ""
        return data.decode("utf-16-le", "replace").rstrip("\0")

    def has(self, key: str) -> bool:
        return bool(self._node(key, create=False))

    def set(self, key: str, name: str, kind: int, data: bytes) -> None:
        """Set a value, creating the keys above it. Raises FormatError."""
        node = self._node(key, create=True)
        value = _SetValue(name.encode(), kind, len(data), data)
        if self._call("hivex_node_set_value", node, ctypes.byref(value), 0):
            raise FormatError(f"the value {name} in {key} cannot be set: {_reason()}")

    def commit(self) -> None:
        """Write the changes to the file. Raises FormatError."""
        if self._call("hivex_commit", None, 0):
            raise FormatError(f"the hive cannot be written: {_reason()}")

    def control_set(self) -> str:
        return f"ControlSet{self.number('Select', 'Current') or 1:03d}"

    def _call(self, name: str, *arguments: Any) -> Any:
        return self._library.call(name, self._handle, *arguments)

    def _node(self, key: str, *, create: bool) -> int:
        """The node of a key, or 0."""
        parts = key.split("\\")
        if parts[0] == CURRENT_CONTROL_SET:
            # It exists only in a running Windows; offline, Select says which control set it is.
            parts[0] = self.control_set()
        node = int(self._call("hivex_root"))
        for part in parts:
            child = int(self._call("hivex_node_get_child", node, part.encode()))
            if not child and create:
                child = int(self._call("hivex_node_add_child", node, part.encode()))
                if not child:
                    raise FormatError(f"the key {key} cannot be created: {_reason()}")
            if not child:
                return 0
            node = child
        return node


def _reason() -> str:
    return os.strerror(ctypes.get_errno())
