"""What a TFTP transfer wants done next, and how it can end."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SendOptionAck:
    """Send the OACK with the accepted options."""


@dataclass(slots=True)
class SendBlocks:
    """Send `count` blocks from `first` on.

    Not frozen: a transfer reuses the object, so carry it out before the next call.
    """

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The client has every byte. `resent` counts blocks that went out more than once."""

    resent: int


@dataclass(frozen=True, slots=True)
class Probed:
    """The client only wanted the size: it answered our OACK with an ERROR."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The transfer did not reach its end."""

    reason: str


Outcome = Finished | Probed | Failed
Action = SendOptionAck | SendBlocks | Finished | Probed | Failed
