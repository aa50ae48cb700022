"""Reads the header of a WIM (208 bytes) and its blob table, and trusts neither.

`parse_header` and `objections` are the first to read an uploaded WIM: a C library opens the file
only if every region that the header names is inside it.

References: "Windows Imaging File Format (WIM)" white paper (Microsoft, 2007); wimlib's
include/wimlib/header.h for what the white paper omits (solid resources, pipable files).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag, StrEnum

from netboot.errors import FormatError

HEADER_SIZE = 208
BLOB_ENTRY_SIZE = 50
MAGIC = b"MSWIM\0\0\0"
PIPABLE_MAGIC = b"WLPWM\0\0\0"
VERSION = 0x00010D00
SOLID_VERSION = 0x00000E00

BOOT_CHUNK_SIZE = 32768
"""The only one that bootmgr and wimboot read; WIMs for storage may have larger chunks."""

# Far more than real images have: a header may claim any size, to exhaust the reader's memory.
XML_LIMIT = 16 << 20
TABLE_LIMIT = 256 << 20
IMAGE_LIMIT = 64

# 0x00 magic, header size, version, flags, chunk size, 0x18 GUID, part, parts, 0x2c images;
# from 0x30 blob table, XML and boot metadata (24 bytes each), 0x78 boot index, 0x7c integrity table
_HEADER = struct.Struct("<8sIIII16sHHI24s24s24sI24s60x")
_RESOURCE = struct.Struct("<QQQ")
# resource, part, reference count, SHA-1 of the unpacked content
_BLOB = struct.Struct("<24sHI20s")


class WimFlag(IntFlag):
    """Header flags (`WIM_HDR_FLAG_*` in wimlib)."""

    COMPRESSED = 0x2
    READONLY = 0x4
    SPANNED = 0x8
    RESOURCE_ONLY = 0x10
    METADATA_ONLY = 0x20
    WRITE_IN_PROGRESS = 0x40
    RP_FIX = 0x80
    XPRESS = 0x20000
    LZX = 0x40000
    LZMS = 0x80000
    XPRESS_2 = 0x200000


class ResourceFlag(IntFlag):
    """Resource flags (`WIM_RESHDR_FLAG_*`): the top byte of the first field of a resource."""

    FREE = 0x1
    METADATA = 0x2
    COMPRESSED = 0x4
    SPANNED = 0x8
    SOLID = 0x10


class Compression(StrEnum):
    """How the resources of a WIM are compressed."""

    NONE = "none"
    XPRESS = "XPRESS"
    LZX = "LZX"
    LZMS = "LZMS"


@dataclass(frozen=True, slots=True)
class Resource:
    """A region of the file: `stored` bytes at `offset`, `size` bytes once unpacked."""

    offset: int
    stored: int
    size: int
    flags: ResourceFlag

    @property
    def end(self) -> int:
        return self.offset + self.stored

    @property
    def is_compressed(self) -> bool:
        return ResourceFlag.COMPRESSED in self.flags

    @staticmethod
    def from_bytes(data: bytes) -> "Resource":
        """Read 24 bytes: u56 stored size, u8 flags, u64 offset, u64 unpacked size."""
        first, offset, size = _RESOURCE.unpack(data)
        return Resource(offset, first & (1 << 56) - 1, size, ResourceFlag(first >> 56))


@dataclass(frozen=True, slots=True)
class Blob:
    """An entry of the blob table: the place of the content with this SHA-1."""

    resource: Resource
    part: int
    references: int
    sha1: bytes


@dataclass(frozen=True, slots=True)
class WimHeader:
    """The fields of the header. `boot_index` counts from 1; 0 is none."""

    is_pipable: bool
    version: int
    flags: WimFlag
    chunk_size: int
    guid: bytes
    part: int
    parts: int
    image_count: int
    blob_table: Resource
    xml: Resource
    boot_metadata: Resource
    boot_index: int
    integrity: Resource

    @property
    def compression(self) -> Compression:
        if WimFlag.COMPRESSED not in self.flags:
            return Compression.NONE
        if WimFlag.LZX in self.flags:
            return Compression.LZX
        if WimFlag.LZMS in self.flags:
            return Compression.LZMS
        return Compression.XPRESS


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a WIM cannot be used; `suspicious` if no honest program writes such a file."""

    reason: str
    hint: str = ""
    suspicious: bool = False


def parse_header(data: bytes) -> WimHeader:
    """Read the first bytes of a WIM. Raises FormatError if it is not one."""
    if data[:8] not in {MAGIC, PIPABLE_MAGIC}:
        raise FormatError("this is not a WIM file (it does not start with MSWIM)")
    if len(data) < HEADER_SIZE:
        raise FormatError(f"the file ends inside the WIM header, after {len(data)} bytes")
    fields = _HEADER.unpack_from(data)
    magic, header_size, version, flags, chunk_size, guid, part, parts, images = fields[:9]
    blob_table, xml, boot_metadata, boot_index, integrity = fields[9:]
    if header_size != HEADER_SIZE:
        raise FormatError(f"the WIM header claims {header_size} bytes instead of {HEADER_SIZE}")
    return WimHeader(
        is_pipable=magic == PIPABLE_MAGIC,
        version=version,
        flags=WimFlag(flags),
        chunk_size=chunk_size,
        guid=guid,
        part=part,
        parts=parts,
        image_count=images,
        blob_table=Resource.from_bytes(blob_table),
        xml=Resource.from_bytes(xml),
        boot_metadata=Resource.from_bytes(boot_metadata),
        boot_index=boot_index,
        integrity=Resource.from_bytes(integrity),
    )


def objections(header: WimHeader, file_size: int) -> tuple[Objection, ...]:
    """The reasons not to open this file with a WIM library, worst first."""
    pipable = Objection(
        "the WIM is pipable; boot managers cannot read this format",
        "Convert it: wimlib-imagex optimize FILE --not-pipable",
    )
    return (
        # First of all, since the header at the start of such a file has most fields empty.
        *([pipable] if header.is_pipable else []),
        *_incomplete(header, file_size),
        *_suspicious(header),
        *_unbootable(header),
    )


def _incomplete(header: WimHeader, file_size: int) -> Iterator[Objection]:
    for name, resource in (
        ("blob table", header.blob_table),
        ("XML data", header.xml),
        ("boot metadata", header.boot_metadata),
        ("integrity table", header.integrity),
    ):
        if resource.end > file_size:
            yield Objection(
                f"the file is truncated: its {name} should end at byte {resource.end}, "
                f"but the file has only {file_size}",
                "Copy or upload the file again and compare the sizes.",
            )
        elif resource.stored and resource.offset < HEADER_SIZE:
            yield Objection(f"the {name} overlaps the header", suspicious=True)
    # A writer was killed, or is still at work. wimlib does not refuse to update such a file.
    if WimFlag.WRITE_IN_PROGRESS in header.flags:
        yield Objection(
            "writing of the file was not completed (write-in-progress flag)",
            "Let the program that wrote it finish, or write the file again.",
        )


def _suspicious(header: WimHeader) -> Iterator[Objection]:
    """Numbers that no program writes and that would exhaust the memory of a careless reader."""
    if not 1 <= header.image_count <= IMAGE_LIMIT:
        yield Objection(f"it claims to contain {header.image_count} images", suspicious=True)
    if header.boot_index > header.image_count:
        yield Objection(
            f"boot index {header.boot_index} is not one of its {header.image_count} images",
            suspicious=True,
        )
    if max(header.xml.size, header.xml.stored) > XML_LIMIT:
        yield Objection("its XML data is larger than 16 MiB", suspicious=True)
    if header.xml.is_compressed or not header.xml.stored:
        yield Objection("its XML data is missing or compressed", suspicious=True)
    if max(header.blob_table.size, header.blob_table.stored) > TABLE_LIMIT:
        yield Objection("its blob table is larger than 256 MiB", suspicious=True)
    if header.blob_table.is_compressed:
        yield Objection("its blob table is compressed", suspicious=True)


def _unbootable(header: WimHeader) -> Iterator[Objection]:
    """Intact files of a kind that no boot manager reads."""
    if WimFlag.SPANNED in header.flags or header.parts != 1 or header.part != 1:
        yield Objection(
            f"this is part {header.part} of a split WIM ({header.parts} parts)",
            "Join the parts first: wimlib-imagex join NEW.wim PART*.swm",
        )
    # Both have this version: wimlib gives it to every WIM that is compressed with LZMS, which need
    # not be solid.
    is_lzms = header.compression is Compression.LZMS
    unread = "compressed with LZMS, like ESD files" if is_lzms else "solid (ESD)"
    if header.version == SOLID_VERSION or is_lzms:
        yield Objection(
            f"the WIM is {unread}; boot managers cannot read this format",
            "Convert it: wimlib-imagex export FILE all NEW.wim --compress=LZX",
        )
    elif header.version != VERSION:
        yield Objection(f"WIM version {header.version:#x} is unknown", suspicious=True)
    elif header.compression is not Compression.NONE and header.chunk_size != BOOT_CHUNK_SIZE:
        yield Objection(
            f"its chunks are {header.chunk_size} bytes; boot managers need {BOOT_CHUNK_SIZE}",
            "Convert it: wimlib-imagex export FILE all NEW.wim --compress=LZX",
        )
    if header.flags & (WimFlag.RESOURCE_ONLY | WimFlag.METADATA_ONLY):
        yield Objection(
            "the WIM contains only part of its images (resource-only or metadata-only)",
            "Export a complete one: wimlib-imagex export FILE all NEW.wim",
        )


def parse_blob_table(data: bytes, file_size: int) -> tuple[Blob, ...]:
    """Read the blob table. Raises FormatError if it is damaged or a blob is outside the file."""
    if len(data) % BLOB_ENTRY_SIZE:
        raise FormatError("the blob table is damaged: its size is not a multiple of 50")
    blobs = []
    for raw, part, references, sha1 in _BLOB.iter_unpack(data):
        resource = Resource.from_bytes(raw)
        if resource.end > file_size or (resource.stored and resource.offset < HEADER_SIZE):
            raise FormatError(
                f"a blob at bytes {resource.offset}-{resource.end} is outside "
                f"this file of {file_size} bytes"
            )
        blobs.append(Blob(resource, part, references, sha1))
    return tuple(blobs)
