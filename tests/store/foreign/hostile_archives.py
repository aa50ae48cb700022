"""Archives that bite, made byte by byte; and CAB files, for nothing on Debian's base makes them."""

import struct
import zlib
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


def zip_of(files, *, method=ZIP_DEFLATED):
    """A ZIP with these entries, names as they are."""
    out = BytesIO()
    with ZipFile(out, "w", method) as zipped:
        for name, data in files.items():
            info = ZipInfo(name)
            info.filename = name  # ZipInfo would turn backslashes and cut at a NUL
            info.compress_type = method
            zipped.writestr(info, data)
    return out.getvalue()


def zip_with_mode(name, mode, data=b"x"):
    """A ZIP whose one entry says that it is a link, a device or a pipe."""
    out = BytesIO()
    with ZipFile(out, "w") as zipped:
        info = ZipInfo(name)
        info.create_system = 3
        info.external_attr = mode << 16
        zipped.writestr(info, data)
    return out.getvalue()


def zip_that_lies(data, said):
    """A deflated entry that unpacks to `data` while table and header say `said` bytes."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(data) + packed.flush()
    name = b"lie.sys"
    fields = (20, 0, 8, 0, 33, zlib.crc32(data), len(body), said, len(name))
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", *fields, 0) + name + body
    table = b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 20, *fields, 0, 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(table), len(local), 0)
    return local + table + end


def zip_of_shared_bytes(entries, size):
    """Many entries that all unpack the same packed bytes (an overlapping bomb)."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = bytes(size)
    body = packed.compress(data) + packed.flush()
    crc = zlib.crc32(data)
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(body), size, 5, 0)
    local += b"aaaaa" + body
    fields = (20, 20, 0, 8, 0, 33, crc, len(body), size, 5, 0, 0, 0, 0, 0, 0)
    entry = b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", *fields)
    table = b"".join(entry + f"{number:05}".encode()[-5:] for number in range(entries))
    count = min(entries, 0xFFFF)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(table), len(local), 0)
    return local + table + end


def cab_of(files, *, deflate=True, said=None):
    """A CAB (MS-CAB) with MSZIP or stored blocks of 32 KiB. `said` overrides the sizes told."""
    body = b"".join(files.values())
    blocks = [body[at : at + 32768] for at in range(0, len(body), 32768)] or [b""]
    data, history = b"", b""
    for block in blocks:
        if deflate:
            packer = (
                zlib.compressobj(9, zlib.DEFLATED, -15, zdict=history)
                if history
                else (zlib.compressobj(9, zlib.DEFLATED, -15))
            )
            packed = b"CK" + packer.compress(block) + packer.flush()
            history = block
        else:
            packed = block
        data += struct.pack("<IHH", 0, len(packed), len(block)) + packed
    table, offset = b"", 0
    for name, content in files.items():
        size = len(content) if said is None else said
        table += struct.pack("<IIHHHH", size, offset, 0, 0x5821, 0, 0x20) + name.encode() + b"\0"
        offset += len(content)
    first = 36 + 8 + len(table)
    total = first + len(data)
    head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, total, 0, 44, 0, 3, 1, 1, len(files), 0, 1, 0)
    return head + struct.pack("<IHH", first, len(blocks), 1 if deflate else 0) + table + data


STORED = ZIP_STORED
