"""Registry hives small enough for one bin: the Lab PE's SYSTEM, SOFTWARE and DEFAULT.

Reference: the regf format as libhivex and libyal's libregf describe it; version 1.3.
Everything is fixed, so equal keys give equal bytes.
"""

import struct
from dataclasses import dataclass, field

REG_SZ = 1
REG_EXPAND_SZ = 2
REG_DWORD = 4

_NONE = 0xFFFFFFFF
_BASE_BLOCK = 4096
_BIN_HEADER = 32
_MODIFIED = 0x01D9_0000_0000_0000  # FILETIME, 2022: any fixed one will do


@dataclass(slots=True)
class Key:
    """A key: its subkeys and its values as (name, type, bytes)."""

    keys: dict[str, "Key"] = field(default_factory=dict)
    values: list[tuple[str, int, bytes]] = field(default_factory=list)

    def at(self, path: str) -> "Key":
        r"""The key at `A\B\C`, made on the way."""
        key = self
        for name in path.split("\\"):
            key = key.keys.setdefault(name, Key())
        return key

    def set_text(self, name: str, text: str, kind: int = REG_SZ) -> None:
        """A string value."""
        self.values.append((name, kind, text.encode("utf-16-le") + b"\0\0"))

    def set_number(self, name: str, number: int) -> None:
        """A 32-bit value."""
        self.values.append((name, REG_DWORD, struct.pack("<I", number)))


def write_hive(root: Key, *, name: str) -> bytes:
    """The hive whose root key is `root`; `name` stands in the header, as Windows writes it."""
    writer = _Writer()
    at_root = writer.key("ROOT", root, parent=0, flags=0x2C)  # compressed name, root, no delete
    writer.finish_security()
    body = writer.bin()
    header = bytearray(_BASE_BLOCK)
    struct.pack_into(
        "<4sIIQIIIIIII", header, 0, b"regf", 1, 1, _MODIFIED, 1, 3, 0, 1, at_root, len(body), 1
    )
    encoded = name[-31:].encode("utf-16-le")
    header[0x30 : 0x30 + len(encoded)] = encoded
    struct.pack_into("<I", header, 508, _checksum(header))
    return bytes(header) + body


def _checksum(header: bytearray) -> int:
    total = 0
    for (word,) in struct.iter_unpack("<I", header[:508]):
        total ^= word
    return {0: 1, _NONE: _NONE - 1}.get(total, total)


class _Writer:
    """Cells of the one bin; offsets count from the bin's start, as the format wants."""

    def __init__(self) -> None:
        self._cells = bytearray()
        self._security = 0
        self._keys = 0

    def _cell(self, data: bytes) -> int:
        size = -(-(4 + len(data)) // 8) * 8
        offset = _BIN_HEADER + len(self._cells)
        self._cells += struct.pack("<i", -size) + data + bytes(size - 4 - len(data))
        return offset

    def _patch(self, offset: int, data: bytes) -> None:
        start = offset - _BIN_HEADER + 4
        self._cells[start : start + len(data)] = data

    def key(self, name: str, key: Key, *, parent: int, flags: int = 0x20) -> int:
        encoded = name.encode("latin-1")
        offset = self._cell(bytes(76 + len(encoded)))
        self._keys += 1
        if not self._security:
            descriptor = _security_descriptor()
            head = struct.pack("<2sHIIII", b"sk", 0, 0, 0, 0, len(descriptor))
            self._security = self._cell(head + descriptor)
        children = sorted(key.keys.items(), key=lambda item: item[0].upper())
        at_children = [(self.key(sub, child, parent=offset), sub) for sub, child in children]
        record = struct.pack(
            "<2sHQ15IHH",
            b"nk",
            flags,
            _MODIFIED,
            0,
            parent,
            len(children),
            0,
            self._subkey_list(at_children),
            _NONE,
            len(key.values),
            self._value_list(key),
            self._security,
            _NONE,
            max((2 * len(sub) for sub in key.keys), default=0),
            0,
            max((2 * len(value) for value, _, _ in key.values), default=0),
            max((len(data) for _, _, data in key.values), default=0),
            0,
            len(encoded),
            0,
        )
        self._patch(offset, record + encoded)
        return offset

    def _subkey_list(self, children: list[tuple[int, str]]) -> int:
        if not children:
            return _NONE
        rows = b"".join(
            struct.pack("<I4s", offset, name.encode("latin-1")) for offset, name in children
        )
        return self._cell(struct.pack("<2sH", b"lf", len(children)) + rows)

    def _value_list(self, key: Key) -> int:
        if not key.values:
            return _NONE
        offsets = [self._value(name, kind, data) for name, kind, data in key.values]
        return self._cell(struct.pack(f"<{len(offsets)}I", *offsets))

    def _value(self, name: str, kind: int, data: bytes) -> int:
        encoded = name.encode("latin-1")
        if len(data) <= 4:  # small data stands in the offset's place
            size, at = len(data) | 0x8000_0000, int.from_bytes(data.ljust(4, b"\0"), "little")
        else:
            size, at = len(data), self._cell(data)
        head = struct.pack("<2sHIIIHH", b"vk", len(encoded), size, at, kind, bool(encoded), 0)
        return self._cell(head + encoded)

    def finish_security(self) -> None:
        """The one security cell is a ring of itself, used by every key."""
        links = struct.pack("<III", self._security, self._security, self._keys)
        self._patch(self._security + 4, links)

    def bin(self) -> bytes:
        used = _BIN_HEADER + len(self._cells)
        total = -(-(used + 8) // 4096) * 4096
        head = struct.pack("<4sIIQQI", b"hbin", 0, total, 0, _MODIFIED, 0)
        free = struct.pack("<i", total - used) + bytes(total - used - 4)
        return head + bytes(self._cells) + free


def _security_descriptor() -> bytes:
    """Full control for SYSTEM and the administrators."""
    system, admins = _sid(18), _sid(32, 544)
    entries = _allow_all(admins) + _allow_all(system)
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), 2, 0) + entries
    at_owner = 20 + len(acl)
    head = struct.pack("<BBHIIII", 1, 0, 0x8004, at_owner, at_owner + len(admins), 0, 20)
    return head + acl + admins + system


def _sid(*parts: int) -> bytes:
    head = struct.pack(">BBHI", 1, len(parts), 0, 5)
    return head + struct.pack(f"<{len(parts)}I", *parts)


def _allow_all(sid: bytes) -> bytes:
    return struct.pack("<BBHI", 0, 2, 8 + len(sid), 0xF003F) + sid
