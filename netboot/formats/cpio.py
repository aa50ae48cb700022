"""One file as a newc cpio archive: how a Linux kernel is handed a WIM as initrd.

The kernel unpacks any number of such archives, one after the other, into its first file system.
Format: cpio(5), "New ASCII Format"; header and data are each padded to 4 bytes.
"""

MAGIC = b"070701"
HEADER_SIZE = 110
SIZE_LIMIT = 0xFFFFFFFF
_REGULAR_FILE = 0o100444


def prefix(name: str, size: int) -> bytes:
    """What stands before the bytes of a file of `size` bytes. Raises ValueError over 4 GiB."""
    if size > SIZE_LIMIT:
        raise ValueError(f"a cpio archive can contain files up to 4 GiB, not {size} bytes")
    return _entry(name, inode=1, mode=_REGULAR_FILE, links=1, size=size)


def suffix(size: int) -> bytes:
    """What stands after the bytes of a file of `size` bytes: padding and the end's mark."""
    trailer = _entry("TRAILER!!!", inode=0, mode=0, links=1, size=0)
    return bytes(-size % 4) + trailer


def _entry(name: str, *, inode: int, mode: int, links: int, size: int) -> bytes:
    """A header with its name. Owner, time and devices are 0, so equal files are equal bytes."""
    encoded = name.encode() + b"\0"
    numbers = (inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(encoded), 0)
    head = MAGIC + b"".join(b"%08X" % number for number in numbers) + encoded
    return head + bytes(-len(head) % 4)
