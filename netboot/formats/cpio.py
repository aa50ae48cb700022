"""newc cpio archives, which a Linux kernel unpacks as its first file system.

The kernel accepts several archives in a row, so the WIM follows the initrd as an archive of its
own. Format: cpio(5), "New ASCII Format"; the kernel's driver-api/early-userspace/buffer-format.
"""

import re

from netboot.errors import FormatError

MAGIC = b"070701"
_HEADER_SIZE = 110
_HEADER = re.compile(MAGIC + rb"[0-9A-Fa-f]{104}")
SIZE_LIMIT = 0xFFFFFFFF
_REGULAR_FILE = 0o100444


def prefix(name: str, size: int) -> bytes:
    """The bytes before a file of `size` bytes. Raises ValueError over 4 GiB (8 hex digits)."""
    if size > SIZE_LIMIT:
        raise ValueError(f"a cpio archive can contain files up to 4 GiB, not {size} bytes")
    return header(name, inode=1, mode=_REGULAR_FILE, size=size)


def suffix(size: int) -> bytes:
    """The bytes after a file of `size` bytes: padding to 4 bytes and the end of the archive."""
    return bytes(-size % 4) + header("TRAILER!!!", inode=0, mode=0)


def first_file(data: bytes) -> tuple[int, int]:
    """Offset and size of the first file in an archive that begins with `data`.

    Raises FormatError if it is no archive, or `data` ends in its header.
    """
    if not _HEADER.match(data):
        raise FormatError("this is not a cpio archive (newc)")
    size, name_size = (int(data[at : at + 8], 16) for at in (54, 94))
    offset = _HEADER_SIZE + name_size
    offset += -offset % 4
    if offset > len(data):
        raise FormatError(f"the name in the cpio archive has {name_size} bytes")
    return offset, size


def header(
    name: str, *, inode: int, mode: int, size: int = 0, device: tuple[int, int] = (0, 0)
) -> bytes:
    """The header of an entry. Owner and time are 0, so equal files give equal bytes."""
    encoded = name.encode() + b"\0"
    # inode, mode, owner, group, links, time, size, the archive's device, this device, name, sum
    numbers = (inode, mode, 0, 0, 1, 0, size, 0, 0, *device, len(encoded), 0)
    head = MAGIC + b"".join(b"%08X" % number for number in numbers) + encoded
    return head + bytes(-len(head) % 4)
