"""How long work reports its progress; what the called function raises ends the work."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the part that is done, 0 to 1, and the stage."""

ByteProgress = Callable[[str, int, int], None]
"""Called with the stage, the bytes that are done and the bytes in all."""


def silent(*_: object) -> None:
    """For callers that do not show progress."""
