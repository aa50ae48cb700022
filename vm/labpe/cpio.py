"""The newc archive that a Linux kernel unpacks as its first file system.

Reference: kernel documentation, driver-api/early-userspace/buffer-format.
Everything that could differ between two builds is fixed: times are zero, owners are root,
inode numbers count up.
"""

import stat

_ALIGNMENT = 4
_TRAILER = "TRAILER!!!"


class CpioArchive:
    """An archive in the making; folders are added before what lies in them."""

    def __init__(self) -> None:
        self._parts = bytearray()
        self._inode = 0
        self._folders: set[str] = set()

    def add_file(self, name: str, data: bytes | memoryview, *, mode: int = 0o644) -> None:
        self._add_parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def add_link(self, name: str, target: str) -> None:
        self._add_parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def add_folder(self, name: str) -> None:
        """A folder, once."""
        self._add_parents(f"{name}/")

    def add_character_device(self, name: str, major: int, minor: int) -> None:
        """A device node; no root is needed, it is only bytes here."""
        self._add_parents(name)
        self._entry(name, stat.S_IFCHR | 0o600, b"", device=(major, minor))

    def __bytes__(self) -> bytes:
        end = CpioArchive()
        end._entry(_TRAILER, 0, b"")
        return bytes(self._parts + end._parts)

    def _add_parents(self, name: str) -> None:
        steps = name.split("/")[:-1]
        for count in range(1, len(steps) + 1):
            folder = "/".join(steps[:count])
            if folder not in self._folders:
                self._folders.add(folder)
                self._entry(folder, stat.S_IFDIR | 0o755, b"")

    def _entry(
        self, name: str, mode: int, data: bytes | memoryview, *, device: tuple[int, int] = (0, 0)
    ) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        # inode mode uid gid links mtime size, own device, device, name size, checksum
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        self._parts += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._pad()
        self._parts += data
        self._pad()

    def _pad(self) -> None:
        self._parts += bytes(-len(self._parts) % _ALIGNMENT)
