"""The Lab PE's first file system as a cpio archive. Inode numbers count up: builds are equal."""

import stat

from netboot.formats import cpio


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
        """The archive with its trailer."""
        return bytes(self._parts) + cpio.suffix(0)

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
        self._parts += cpio.header(
            name, inode=self._inode, mode=mode, size=len(data), device=device
        )
        self._parts += data
        self._parts += bytes(-len(data) % 4)
