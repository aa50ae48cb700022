"""Writes registry hives: boot configuration stores, and the small hives of test images.

The format is regf 1.3 with one bin: base block (4096 bytes), then one hbin with cells of key nodes
(nk), values (vk), subkey lists (lf), one shared security descriptor (sk) and data. libhivex,
regipy, python-registry, libregf and dissect read it.

References: "Windows registry file format specification" (msuhanov/regf); ReactOS cmlib.
Law: the same tree and time give the same bytes.
"""

import struct
from dataclasses import dataclass, field

REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ = 1, 2, 3, 4, 7
DATA_LIMIT = 16344
"""Longer values need big-data records (db), which this writer does not have."""

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
    """A key with its values and subkeys."""

    values: list[Value] = field(default_factory=list)
    keys: "dict[str, Key]" = field(default_factory=dict)

    def key(self, path: str) -> "Key":
        """The subkey at `path` (backslashes), created if it is missing."""
        found = self
        for part in path.split("\\"):
            found = found.keys.setdefault(part, Key())
        return found

    def set(self, name: str, kind: int, data: bytes) -> None:
        """Add a value, whose name must be new."""
        assert all(value.name.upper() != name.upper() for value in self.values), name
        assert len(data) <= DATA_LIMIT, name
        self.values.append(Value(name, kind, data))

    def set_text(self, name: str, text: str) -> None:
        self.set(name, REG_SZ, text_data(text))

    def set_number(self, name: str, number: int) -> None:
        self.set(name, REG_DWORD, struct.pack("<I", number))


def text_data(text: str) -> bytes:
    """The bytes of a REG_SZ: UTF-16 with a final NUL."""
    return text.encode("utf-16-le") + b"\0\0"


def list_data(texts: tuple[str, ...]) -> bytes:
    """The bytes of a REG_MULTI_SZ: after the last text an empty one."""
    return b"".join(map(text_data, texts)) + b"\0\0"


def write_hive(root_name: str, root: Key, *, file_name: str = "", at: int = 0) -> bytes:
    """The hive as bytes. `at` is seconds since 1970, 0 for the zero time."""
    time = (at + _FILETIME_EPOCH) * 10_000_000 if at else 0
    writer = _Writer(time)
    root_offset = writer.node(root_name, root, parent=0, flags=_KEY_ROOT)
    hive_bin = writer.finish()
    return _base_block(root_offset, len(hive_bin), file_name, time) + hive_bin


class _Writer:
    """Appends cells to one bin. Offsets count from the start of the bin, not of the file."""

    def __init__(self, time: int) -> None:
        self._time = time
        self._cells = bytearray(_BIN_HEADER)
        self._security = 0
        self._keys = 0

    def node(self, name: str, key: Key, *, parent: int, flags: int = 0) -> int:
        """Write a key with everything below it; returns its offset."""
        self._keys += 1
        encoded = name.encode("latin-1")
        offset = self._cell(bytes(_NODE.size + len(encoded)))
        if not self._security:
            # regipy takes the first cell for the root key, so the security cell comes second.
            descriptor = _security_descriptor()
            head = struct.pack("<4sIIII", b"sk\0\0", 0, 0, 0, len(descriptor))
            self._security = self._cell(head + descriptor)
        # Windows finds a subkey by binary search: the list is sorted by upper-case name.
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

    def finish(self) -> bytes:
        """The bin, padded to whole pages with one free cell."""
        # Security cells form a ring (next, previous) and count the keys that use them.
        links = (self._security, self._security, self._keys)
        struct.pack_into("<III", self._cells, self._security + 8, *links)
        size = (len(self._cells) + 8 + 4095) // 4096 * 4096
        free = size - len(self._cells)
        self._cells += struct.pack("<i", free) + bytes(free - 4)
        _BIN.pack_into(self._cells, 0, b"hbin", 0, size, 0, self._time, 0)
        return bytes(self._cells)

    def _cell(self, data: bytes) -> int:
        """Append an allocated cell, which has a negative size; cells are aligned to 8 bytes."""
        size = (4 + len(data) + 7) // 8 * 8
        offset = len(self._cells)
        self._cells += struct.pack("<i", -size) + data.ljust(size - 4, b"\0")
        return offset

    def _subkeys(self, children: list[tuple[str, int]]) -> int:
        """An lf list: each offset with the first four letters of the name as a hint."""
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
        name = value.name.encode("latin-1")
        # Up to four bytes are stored in the field of the offset; the top bit of the length says so.
        if len(value.data) <= 4:
            where = int.from_bytes(value.data.ljust(4, b"\0"), "little")
            length = len(value.data) | 0x80000000
        else:
            where, length = self._cell(value.data), len(value.data)
        named = 1 if name else 0
        return self._cell(_VALUE.pack(b"vk", len(name), length, where, value.type, named, 0) + name)


def _base_block(root: int, bins_size: int, file_name: str, time: int) -> bytes:
    block = bytearray(_BASE_BLOCK)
    # Equal sequence numbers mark a clean hive: Windows replays no log over it.
    _BASE.pack_into(block, 0, b"regf", 1, 1, time, 1, 3, 0, 1, root, bins_size, 1)
    name = file_name[-31:].encode("utf-16-le")
    block[0x30 : 0x30 + len(name)] = name
    checksum = 0
    for (word,) in struct.iter_unpack("<I", block[:508]):
        checksum ^= word
    # Windows never stores 0 or -1 as a checksum, but 1 or -2 instead (msuhanov/regf, base block).
    checksum = {0: 1, _NONE: _NONE - 1}.get(checksum, checksum)
    struct.pack_into("<I", block, 508, checksum)
    return bytes(block)


def _security_descriptor() -> bytes:
    """Full access for Administrators and SYSTEM, inherited by subkeys; Administrators own it."""
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
    """The SID S-1-5-…; only its authority is big-endian."""
    head = struct.pack("<BB", 1, len(parts)) + (5).to_bytes(6, "big")
    return head + struct.pack(f"<{len(parts)}I", *parts)
