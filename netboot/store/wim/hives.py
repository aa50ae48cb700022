"""Registry hives through libhivex.so.0: read a few values, set a few. Only in a worker.

Trap: libhivex never uses a freed subkey list again, so thousands of added keys make a hive
explode. We set a handful.
"""

import ctypes
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netboot.errors import FormatError, MissingTool

REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ = 1, 2, 3, 4, 7
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


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "hivex_open": (ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)),
    "hivex_close": (ctypes.c_int, (ctypes.c_void_p,)),
    "hivex_root": (ctypes.c_size_t, (ctypes.c_void_p,)),
    "hivex_node_get_child": (
        ctypes.c_size_t,
        (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p),
    ),
    "hivex_node_add_child": (
        ctypes.c_size_t,
        (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p),
    ),
    "hivex_node_set_value": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(_SetValue), ctypes.c_int),
    ),
    "hivex_node_get_value": (
        ctypes.c_size_t,
        (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p),
    ),
    "hivex_value_value": (
        ctypes.c_void_p,
        (
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.POINTER(ctypes.c_int),
            ctypes.POINTER(ctypes.c_size_t),
        ),
    ),
    "hivex_commit": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)),
}


class Library:
    """The loaded library."""

    def __init__(self) -> None:
        try:
            self._dll = ctypes.CDLL("libhivex.so.0", use_errno=True)
        except OSError as error:
            raise MissingTool(
                "libhivex.so.0 is not installed.", hint="Install it: apt-get install libhivex0"
            ) from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._dll, name)
            function.restype, function.argtypes = result, arguments
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = (ctypes.c_void_p,)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the library."""
        return getattr(self._dll, name)(*arguments)

    def free(self, pointer: int) -> None:
        """Give back memory that the library handed out."""
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
        """A value's type and bytes, or None where key or value is missing."""
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
        """Whether the key exists."""
        return bool(self._node(key, create=False))

    def set(self, key: str, name: str, kind: int, data: bytes) -> None:
        """Set a value, making the keys above it. Raises FormatError."""
        node = self._node(key, create=True)
        value = _SetValue(name.encode(), kind, len(data), data)
        if self._call("hivex_node_set_value", node, ctypes.byref(value), 0):
            raise FormatError(f"the value {name} in {key} cannot be set: {_reason()}")

    def commit(self) -> None:
        """Write the changes to the file. Raises FormatError."""
        if self._call("hivex_commit", None, 0):
            raise FormatError(f"the hive cannot be written: {_reason()}")

    def control_set(self) -> str:
        """The control set that this SYSTEM hive starts with, like ControlSet001."""
        return f"ControlSet{self.number('Select', 'Current') or 1:03d}"

    def _call(self, name: str, *arguments: Any) -> Any:
        return self._library.call(name, self._handle, *arguments)

    def _node(self, key: str, *, create: bool) -> int:
        """The node of a key; 0 where it does not exist and shall not be made."""
        parts = key.split("\\")
        if parts[0] == CURRENT_CONTROL_SET:
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
