"""Headers of WIMs and resources in them, field by field."""

import struct


def resource(offset: int = 208, stored: int = 100, size: int = 100, flags: int = 0) -> bytes:
    return struct.pack("<QQQ", stored | flags << 56, offset, size)


def header(
    *,
    magic: bytes = b"MSWIM\0\0\0",
    header_size: int = 208,
    version: int = 0x10D00,
    flags: int = 0x40002,
    chunk_size: int = 32768,
    part: int = 1,
    parts: int = 1,
    images: int = 1,
    blob_table: bytes = resource(),
    xml: bytes = resource(400),
    boot_index: int = 1,
) -> bytes:
    return struct.pack(
        "<8sIIII16sHHI24s24s24sI24s60x",
        *(magic, header_size, version, flags, chunk_size, b"g" * 16, part, parts, images),
        *(blob_table, xml, bytes(24), boot_index, bytes(24)),
    )
