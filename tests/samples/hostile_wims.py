"""WIMs that nobody should trust: made from honest ones by changing bytes, hashes kept right.

`rename_inside` gives a file inside another name behind wimlib's back, so that only a check of
names can find it. `mutants` damages a WIM in seeded ways, most of them where the structure is.
"""

import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path

from netboot.formats.wim.wim import (
    BLOB_ENTRY_SIZE,
    HEADER_SIZE,
    Blob,
    ResourceFlag,
    WimHeader,
    parse_blob_table,
    parse_header,
)

XML_OFFSET = 72 + 8
FLAGS_OFFSET = 16


def structure(data: bytes) -> tuple[WimHeader, tuple[Blob, ...]]:
    """Header and blob table."""
    header = parse_header(data[:HEADER_SIZE])
    table = data[header.blob_table.offset : header.blob_table.end]
    return header, parse_blob_table(table, len(data))


def rename_inside(data: bytes, old: str, new: str) -> bytes:
    """Change a name in an uncompressed WIM's metadata; old and new are equally long."""
    assert len(old) == len(new)
    header, blobs = structure(data)
    changed = bytearray(data)
    for number, blob in enumerate(blobs):
        if ResourceFlag.METADATA not in blob.resource.flags:
            continue
        where = slice(blob.resource.offset, blob.resource.end)
        metadata = bytes(changed[where])
        assert old.encode("utf-16-le") in metadata
        metadata = metadata.replace(old.encode("utf-16-le"), new.encode("utf-16-le"))
        changed[where] = metadata
        at = header.blob_table.offset + number * BLOB_ENTRY_SIZE + 30
        changed[at : at + 20] = hashlib.sha1(metadata, usedforsecurity=False).digest()
    return bytes(changed)


def with_flags(data: bytes, flags: int) -> bytes:
    """Set header flags."""
    (old,) = struct.unpack_from("<I", data, FLAGS_OFFSET)
    return data[:FLAGS_OFFSET] + struct.pack("<I", old | flags) + data[FLAGS_OFFSET + 4 :]


def with_xml(data: bytes, text: str) -> bytes:
    """Append another XML and let the header point to it."""
    xml = b"\xff\xfe" + text.encode("utf-16-le")
    resource = struct.pack("<QQQ", len(xml) | ResourceFlag.METADATA << 56, len(data), len(xml))
    return data[: XML_OFFSET - 8] + resource + data[XML_OFFSET + 16 :] + xml


def xml_of(data: bytes) -> str:
    """The XML text."""
    header, _blobs = structure(data)
    return data[header.xml.offset + 2 : header.xml.end].decode("utf-16-le")


def mutants(data: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged copies, each with a word about what was done."""
    generator = random.Random(seed)
    header, blobs = structure(data)
    metadata = next(b.resource for b in blobs if ResourceFlag.METADATA in b.resource.flags)
    regions = {
        "header": (0, HEADER_SIZE),
        "blob table": (header.blob_table.offset, header.blob_table.end),
        "xml": (header.xml.offset, header.xml.end),
        "metadata": (metadata.offset, metadata.end),
        "content": (HEADER_SIZE, len(data)),
    }
    for number in range(count):
        name = generator.choice([*regions, "metadata", "blob table", "cut"])
        if name == "cut":
            keep = generator.randrange(len(data))
            yield f"{number}: cut after {keep}", data[:keep]
            continue
        changed = bytearray(data)
        start, end = regions[name]
        for _ in range(generator.choice((1, 1, 2, 8))):
            at = generator.randrange(start, end)
            changed[at] = generator.choice((0, 0xFF, changed[at] ^ 1, generator.randrange(256)))
        yield f"{number}: {name}", bytes(changed)


def save(folder: Path, data: bytes) -> Path:
    """A WIM file of these bytes."""
    path = folder / "hostile.wim"
    path.write_bytes(data)
    return path
