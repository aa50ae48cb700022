"""The first 208 bytes of a WIM and its blob table, read without trust.

Nothing else looks at an uploaded WIM before `parse_header` and `objections` have: a C library
is let near the file only when every region that the header names lies inside it.

References: "Windows Imaging File Format (WIM)" white paper (Microsoft, 2007); wimlib's own
description of the fields that the white paper leaves out (solid resources, pipable files).
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
"""What bootmgr and wimboot can read; other chunk sizes are for storage, not for booting."""

XML_LIMIT = 16 << 20
TABLE_LIMIT = 256 << 20
IMAGE_LIMIT = 64

# magic, header size, version, flags, chunk size, GUID, part, parts, images,
# blob table, XML, boot metadata (24 bytes each), boot index, integrity table
_HEADER = struct.Struct("<8sIIII16sHHI24s24s24sI24s60x")
_RESOURCE = struct.Struct("<QQQ")
_BLOB = struct.Struct("<24sHI20s")


class WimFlag(IntFlag):
    """Header flags, `WIM_HDR_FLAG_*`."""

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
    """Resource flags, the top byte of a resource's first field."""

    FREE = 0x1
    METADATA = 0x2
    COMPRESSED = 0x4
    SPANNED = 0x8
    SOLID = 0x10


class Compression(StrEnum):
    """How a WIM's resources are packed."""

    NONE = "none"
    XPRESS = "XPRESS"
    LZX = "LZX"
    LZMS = "LZMS"


@dataclass(frozen=True, slots=True)
class Resource:
    """A stored region: `stored` bytes at `offset`, `size` bytes once unpacked."""

    offset: int
    stored: int
    size: int
    flags: ResourceFlag

    @property
    def end(self) -> int:
        """The offset after its last byte."""
        return self.offset + self.stored

    @property
    def is_compressed(self) -> bool:
        """Whether the bytes on disk are packed."""
        return ResourceFlag.COMPRESSED in self.flags

    @staticmethod
    def from_bytes(data: bytes) -> "Resource":
        """Read 24 bytes: u56 stored size, u8 flags, u64 offset, u64 unpacked size."""
        first, offset, size = _RESOURCE.unpack(data)
        return Resource(offset, first & (1 << 56) - 1, size, ResourceFlag(first >> 56))


@dataclass(frozen=True, slots=True)
class Blob:
    """One line of the blob table: content known by its SHA-1, and where it lies."""

    resource: Resource
    part: int
    references: int
    sha1: bytes


@dataclass(frozen=True, slots=True)
class WimHeader:
    """The header's fields as they stand in the file. `boot_index` 0 means: none."""

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
        """How resources are packed, as the flags say."""
        if WimFlag.COMPRESSED not in self.flags:
            return Compression.NONE
        if WimFlag.LZX in self.flags:
            return Compression.LZX
        if WimFlag.LZMS in self.flags:
            return Compression.LZMS
        return Compression.XPRESS


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a WIM cannot be used: what is wrong, and what to do about it.

    `suspicious` marks what no honest program writes.
    """

    reason: str
    hint: str = ""
    suspicious: bool = False


def parse_header(data: bytes) -> WimHeader:
    """Read a WIM's first bytes. Raises FormatError for what is no WIM at all."""
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
    """Everything that speaks against handing this file to a WIM library, worst first."""
    return (
        *_pipable(header),
        *_broken(header, file_size),
        *_suspicious(header),
        *_unbootable(header),
    )


def _pipable(header: WimHeader) -> Iterator[Objection]:
    """Comes first: in this form the header at the start leaves most fields open."""
    if header.is_pipable:
        yield Objection(
            "the WIM is pipable; boot managers cannot read this format",
            "Convert it: wimlib-imagex optimize FILE --not-pipable",
        )


def _broken(header: WimHeader, file_size: int) -> Iterator[Objection]:
    """A file that is not whole."""
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
    if WimFlag.WRITE_IN_PROGRESS in header.flags:
        yield Objection(
            "writing of the file was not completed (write-in-progress flag)",
            "Let the program that wrote it finish, or write the file again.",
        )


def _suspicious(header: WimHeader) -> Iterator[Objection]:
    """Numbers that no program writes and that cost a careless reader its memory."""
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
    """Honest files of a kind that no boot manager reads."""
    if WimFlag.SPANNED in header.flags or header.parts != 1 or header.part != 1:
        yield Objection(
            f"this is part {header.part} of a split WIM ({header.parts} parts)",
            "Join the parts first: wimlib-imagex join NEW.wim PART*.swm",
        )
    if header.version == SOLID_VERSION or header.compression is Compression.LZMS:
        yield Objection(
            "the WIM is solid (ESD); boot managers cannot read this format",
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
    """Read the blob table and check that each blob lies inside the file.

    Raises FormatError where the table is torn or a blob lies outside.
    """
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
