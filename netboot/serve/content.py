"""The bytes of one file while daemons send it: a view for TFTP, a descriptor for sendfile.

Law: content never changes. A transfer sends the file that it opened at its start, even if another
version is published meanwhile.
"""

from collections.abc import Callable
from typing import Protocol

from netboot.boot.files.names import ContentRef


class Content(Protocol):
    """An open file of a version; `close` once for every open.

    Opens of the same digest may share one mapping, whose owner counts the references.
    """

    @property
    def view(self) -> memoryview:
        """Read-only bytes of the whole file, shared by all transfers."""
        ...

    @property
    def fd(self) -> int:
        """A descriptor of the same bytes, for sendfile; never seek it, give offsets."""
        ...

    @property
    def size(self) -> int: ...

    def close(self) -> None: ...


OpenContent = Callable[[ContentRef], Content]
"""Open a file. Raises ContentFault if the stored bytes are missing or damaged."""
