"""The header of a Windows program: its processor, and whether it has a signature.

Microsoft: "PE Format". Reads only the first bytes of a file, up to the end of the optional header,
and does not check whether a signature is valid.
"""

import struct
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType

from netboot.errors import FormatError

HEADER_BYTES = 4096

MACHINES = MappingProxyType(
    {0x014C: "x86", 0x8664: "amd64", 0xAA64: "arm64", 0x0200: "ia64", 0x01C4: "arm"}
)

_MAGIC = b"MZ"
_LFANEW = Struct("<60xI")
_SIGNATURE = b"PE\0\0"
_COFF = Struct("<4xHHIIIHH")
_OPTIONAL_MAGIC = Struct("<H")
_COUNT = Struct("<I")
_DIRECTORY = Struct("<II")
_COFF_BYTES = 24
# Offset of NumberOfRvaAndSizes, by the magic of the optional header (PE32, PE32+).
_COUNT_OFFSET = MappingProxyType({0x010B: 92, 0x020B: 108})
_SECURITY = 4
_CHECKSUM_OFFSET = 64
_WIN_CERTIFICATE_BYTES = 8


@dataclass(frozen=True, slots=True)
class PeFacts:
    """The header of a program. `machine` is in INF words, or 0x1234 if unknown.

    `signature` is the place of the certificate table (offset and size in the file), or None.
    `checksum` and `directory` are the offsets of the two header fields that change with it.
    """

    machine: str
    signature: tuple[int, int] | None = None
    checksum: int = 0
    directory: int = 0

    @property
    def signed(self) -> bool:
        return self.signature is not None

    @property
    def unsigned_spans(self) -> tuple[tuple[int, int], ...]:
        """Places (offset, size) that a signature does not cover, in order."""
        # Microsoft, "Windows Authenticode Portable Executable Signature Format", "Calculating the
        # PE Image Hash": the checksum, the entry of the security directory, the table itself.
        spans = [(self.checksum, 4)]
        if self.directory:
            spans.append((self.directory, _DIRECTORY.size))
        if self.signature:
            spans.append(self.signature)
        return tuple(spans)


def parse(head: bytes | memoryview, *, size: int) -> PeFacts:
    """Read the first bytes of a file of `size` bytes. Raises FormatError if it is not a program."""
    if bytes(head[:2]) != _MAGIC:
        raise FormatError("not a Windows executable: it does not start with MZ")
    try:
        (at,) = _LFANEW.unpack_from(head)
        if bytes(head[at : at + 4]) != _SIGNATURE:
            raise FormatError("not a Windows executable: it has no PE header")
        machine = _COFF.unpack_from(head, at)[0]
        directory, signature = _signature(head, at + _COFF_BYTES, size)
    except struct.error as error:
        raise FormatError("a Windows executable with a truncated header") from error
    word = MACHINES.get(machine, f"0x{machine:04x}")
    return PeFacts(word, signature, at + _COFF_BYTES + _CHECKSUM_OFFSET, directory)


def _signature(head: bytes | memoryview, at: int, size: int) -> tuple[int, tuple[int, int] | None]:
    """The offset of the security directory's entry, and the place that it gives."""
    (magic,) = _OPTIONAL_MAGIC.unpack_from(head, at)
    offset = _COUNT_OFFSET.get(magic)
    if offset is None:
        raise FormatError("a Windows executable of an unknown type")
    (count,) = _COUNT.unpack_from(head, at + offset)
    if count <= _SECURITY:
        return 0, None
    entry = at + offset + 4 + _SECURITY * _DIRECTORY.size
    # Of all data directories only this one has a file offset in place of an RVA ("PE Format").
    start, length = _DIRECTORY.unpack_from(head, entry)
    if not start or length <= _WIN_CERTIFICATE_BYTES or start + length > size:
        return entry, None
    return entry, (start, length)
