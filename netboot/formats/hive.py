"""A registry hive from nothing: what a BCD is made of, and small test hives.

Writes regf 1.3 with one bin: base block (4096 bytes), then one hbin with cells of key nodes
(nk), values (vk), subkey lists (lf), one shared security descriptor (sk) and data. Readers that
agree with it: libhivex, regipy, python-registry, libregf, dissect.

References: "Windows registry file format specification" (msuhanov/regf); ReactOS cmlib.
Law: one tree and one time give one sequence of bytes.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

REG_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ = 1, 3, 4, 7
DATA_LIMIT = 16344
"""Longer values need a big-data record, which nothing here writes."""

_NONE = 0xFFFFFFFF
_BASE_BLOCK = 4096
_BIN_HEADER = 32
_KEY_COMPRESSED_NAME, _KEY_ROOT = 0x20, 0x0C
_FILETIME_EPOCH = 11_644_473_600

# nk: flags, time, access, parent, subkeys, volatile, list, volatile list, values, value list,
# security, class, four maxima, work variable, name length, class length
_NODE = struct.Struct("<2sHQIIIIIIIIIIIIIIIHH")
_VALUE = struct.Struct("<2sHIIIHH")
_BIN = struct.Struct("<4sIIQQI")
_BASE = struct.Struct("<4sIIQIIIIIII")


@dataclass(frozen=True, slots=True)
class Value:
    """A value: name, REG_ type, and its bytes as stored."""

    name: str
    type: int
    data: bytes


@dataclass(slots=True)
class Key:
    """A key with its values and subkeys; filled in, then written."""

    values: list[Value] = field(default_factory=list)
    keys: "dict[str, Key]" = field(default_factory=dict)

    def key(self, path: str) -> "Key":
        """The subkey at `path` (backslashes), made where it is missing."""
        found = self
        for part in path.split("\\"):
            found = found.keys.setdefault(part, Key())
        return found

    def set(self, name: str, kind: int, data: bytes) -> None:
        """Add a value. A name may be set once."""
        assert all(value.name.upper() != name.upper() for value in self.values), name
        assert len(data) <= DATA_LIMIT, name
        self.values.append(Value(name, kind, data))

    def set_text(self, name: str, text: str) -> None:
        """Add a REG_SZ."""
        self.set(name, REG_SZ, text_data(text))

    def set_number(self, name: str, number: int) -> None:
        """Add a REG_DWORD."""
        self.set(name, REG_DWORD, struct.pack("<I", number))


def text_data(text: str) -> bytes:
    """A REG_SZ's bytes: UTF-16 with its end."""
    return text.encode("utf-16-le") + b"\0\0"


def list_data(texts: tuple[str, ...]) -> bytes:
    """A REG_MULTI_SZ's bytes."""
    return b"".join(map(text_data, texts)) + b"\0\0"


def write_hive(root_name: str, root: Key, *, file_name: str = "", at: int = 0) -> bytes:
    """The hive as bytes. `at` is seconds since 1970, 0 for the zero time."""
    time = (at + _FILETIME_EPOCH) * 10_000_000 if at else 0
    writer = _Writer(time)
    root_offset = writer.node(root_name, root, parent=0, flags=_KEY_ROOT)
    writer.count_security(sum(1 for _ in _all_keys(root)))
    hive_bin = writer.finish()
    return _base_block(root_offset, len(hive_bin), file_name, time) + hive_bin


def _all_keys(key: Key) -> Iterator[Key]:
    yield key
    for child in key.keys.values():
        yield from _all_keys(child)


class _Writer:
    """Lays cells into one bin; offsets count from the bin's start."""

    def __init__(self, time: int) -> None:
        self._time = time
        self._cells = bytearray(_BIN_HEADER)
        self._security = 0

    def node(self, name: str, key: Key, *, parent: int, flags: int = 0) -> int:
        """Write a key with all below it; its offset."""
        encoded = name.encode("latin-1")
        offset = self._cell(bytes(_NODE.size + len(encoded)))
        if not self._security:
            # Some readers (regipy) take the first cell for the root, so it comes after it.
            descriptor = _security_descriptor()
            head = struct.pack("<4sIIII", b"sk\0\0", 0, 0, 0, len(descriptor))
            self._security = self._cell(head + descriptor)
        children = [
            (child_name, self.node(child_name, child, parent=offset))
            for child_name, child in sorted(key.keys.items(), key=lambda item: item[0].upper())
        ]
        subkeys = self._subkeys(children)
        values = self._values(key.values)
        record = _NODE.pack(
            *(b"nk", flags | _KEY_COMPRESSED_NAME, self._time, 0, parent),
            *(len(children), 0, subkeys, _NONE, len(key.values), values),
            *(self._security, _NONE),
            max((2 * len(child) for child in key.keys), default=0),
            0,
            max((2 * len(value.name) for value in key.values), default=0),
            max((len(value.data) for value in key.values), default=0),
            *(0, len(encoded), 0),
        )
        self._cells[offset + 4 : offset + 4 + len(record) + len(encoded)] = record + encoded
        return offset

    def count_security(self, users: int) -> None:
        """Say in the one security cell, a ring of itself, how many keys use it."""
        struct.pack_into(
            "<III", self._cells, self._security + 8, self._security, self._security, users
        )

    def finish(self) -> bytes:
        """The bin, filled up to whole pages with one free cell."""
        size = (len(self._cells) + 8 + 4095) // 4096 * 4096
        free = size - len(self._cells)
        self._cells += struct.pack("<i", free) + bytes(free - 4)
        _BIN.pack_into(self._cells, 0, b"hbin", 0, size, 0, self._time, 0)
        return bytes(self._cells)

    def _cell(self, data: bytes) -> int:
        """An allocated cell (its size is negative), aligned to 8 bytes."""
        size = (4 + len(data) + 7) // 8 * 8
        offset = len(self._cells)
        self._cells += struct.pack("<i", -size) + data.ljust(size - 4, b"\0")
        return offset

    def _subkeys(self, children: list[tuple[str, int]]) -> int:
        """An lf list: offsets, each with the first four letters of its name as a hint."""
        if not children:
            return _NONE
        body = b"".join(
            struct.pack("<I4s", offset, name.encode("latin-1")[:4]) for name, offset in children
        )
        return self._cell(struct.pack("<2sH", b"lf", len(children)) + body)

    def _values(self, values: list[Value]) -> int:
        if not values:
            return _NONE
        offsets = [self._value(value) for value in values]
        return self._cell(struct.pack(f"<{len(offsets)}I", *offsets))

    def _value(self, value: Value) -> int:
        """A vk; up to four bytes of data live in the offset's place."""
        name = value.name.encode("latin-1")
        if len(value.data) <= 4:
            where = int.from_bytes(value.data.ljust(4, b"\0"), "little")
            length = len(value.data) | 0x80000000
        else:
            where, length = self._cell(value.data), len(value.data)
        named = 1 if name else 0
        return self._cell(_VALUE.pack(b"vk", len(name), length, where, value.type, named, 0) + name)


def _base_block(root: int, bins_size: int, file_name: str, time: int) -> bytes:
    """The first page: regf 1.3, clean (both sequence numbers equal), with its checksum."""
    block = bytearray(_BASE_BLOCK)
    _BASE.pack_into(block, 0, b"regf", 1, 1, time, 1, 3, 0, 1, root, bins_size, 1)
    name = file_name[-31:].encode("utf-16-le")
    block[0x30 : 0x30 + len(name)] = name
    checksum = 0
    for (word,) in struct.iter_unpack("<I", block[:508]):
        checksum ^= word
    # 0 and all ones stand for "not computed", so these two are moved aside.
    checksum = {0: 1, _NONE: _NONE - 1}.get(checksum, checksum)
    struct.pack_into("<I", block, 508, checksum)
    return bytes(block)


def _security_descriptor() -> bytes:
    """Full access for Administrators and SYSTEM, inherited by subkeys, owned by the former."""
    administrators = _sid(32, 544)
    system = _sid(18)
    entries = b"".join(
        struct.pack("<BBHI", 0, 2, 8 + len(sid), 0xF003F) + sid for sid in (administrators, system)
    )
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), 2, 0) + entries
    owner = 20 + len(acl)
    group = owner + len(administrators)
    header = struct.pack("<BBHIIII", 1, 0, 0x8004, owner, group, 0, 20)
    return header + acl + administrators + system


def _sid(*parts: int) -> bytes:
    """S-1-5-parts."""
    head = struct.pack("<BB", 1, len(parts)) + (5).to_bytes(6, "big")
    return head + struct.pack(f"<{len(parts)}I", *parts)
