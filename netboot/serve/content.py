"""The bytes of one file while daemons hand them out: a view for TFTP, a descriptor for sendfile.

Law: content never changes. What a transfer opened at its start is what it sends to its end,
whatever is published meanwhile.
"""

from collections.abc import Callable
from typing import Protocol

from netboot.boot.files.names import ContentRef


class Content(Protocol):
    """An open file of a version; `close` once for every open.

    Opens of the same digest may share one mapping: whoever hands contents out counts references.
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
    def size(self) -> int:
        """Bytes in the file."""
        ...

    def close(self) -> None:
        """Give back this reference."""
        ...


OpenContent = Callable[[ContentRef], Content]
"""Open what a name means. Raises ContentFault when we do not hold what we should."""
