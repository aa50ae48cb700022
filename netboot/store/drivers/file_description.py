"""Describes a file of a driver in one reading: digests, size, and program header."""

from hashlib import sha1, sha256
from pathlib import Path
from typing import Protocol

from netboot.errors import FormatError
from netboot.formats import pe, security_catalog
from netboot.images.drivers.package import AvailableFile

_CHUNK = 1 << 20
# The files that are compared with the catalog file; the others need no further digests.
_IN_CATALOG = (".inf", ".sys")


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


def examine(path: Path, name: str) -> AvailableFile:
    """Read a file once. `name` is its name in the package."""
    content, size = sha256(), 0
    facts: pe.PeFacts | None = None
    names: _Names | None = None
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if not size:
                facts = _program(chunk, path.stat().st_size)
                names = _Names(facts) if name.lower().endswith(_IN_CATALOG) else None
            content.update(chunk)
            if names:
                names.update(chunk, size)
            size += len(chunk)
    return AvailableFile(
        path=name,
        digest=f"sha256:{content.hexdigest()}",
        size=size,
        machine=facts.machine if facts else "",
        signed=facts.signed if facts else False,
        names=names.all(size) if names else frozenset(),
    )


def catalog_members(path: Path) -> frozenset[bytes]:
    """The digests in a catalog file. Raises FormatError if it is not one."""
    if path.stat().st_size > security_catalog.MAX_BYTES:
        raise FormatError("a catalog file that is too large")
    return security_catalog.members(path.read_bytes())


def _program(head: bytes, size: int) -> pe.PeFacts | None:
    if not head.startswith(b"MZ"):
        return None
    try:
        return pe.parse(head[: pe.HEADER_BYTES], size=size)
    except FormatError:
        return None  # not a program, which becomes a finding


class _Names:
    """The digests of a file as catalog files list them: SHA-256, or SHA-1 in older catalogs.

    Those of a program omit what a signature changes (Authenticode).
    """

    def __init__(self, facts: pe.PeFacts | None) -> None:
        self._hashes: tuple[_Hash, ...] = (sha1(usedforsecurity=False), sha256())
        self._skip = facts.unsigned_spans if facts else ()
        self._is_program = facts is not None

    def update(self, chunk: bytes, offset: int) -> None:
        """Add the next bytes of the file, at `offset`."""
        at, view = 0, memoryview(chunk)
        for start, length in self._skip:
            first = min(max(start - offset, at), len(chunk))
            self._feed(view[at:first])
            at = min(max(start + length - offset, first), len(chunk))
        self._feed(view[at:])

    def all(self, size: int) -> frozenset[bytes]:
        # Signing pads a program to eight bytes, so its digest may be that of the padded file.
        names = {one.digest() for one in self._hashes}
        if self._is_program and size % 8:
            self._feed(memoryview(bytes(-size % 8)))
            names |= {one.digest() for one in self._hashes}
        return frozenset(names)

    def _feed(self, data: memoryview) -> None:
        for one in self._hashes:
            one.update(data)
