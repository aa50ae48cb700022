"""What was heard in each network: boot requests, answers, and the relays that forwarded them."""

from collections import OrderedDict
from dataclasses import dataclass, field

RELAYS_KEPT = 64
"""Of a network, the latest ones: a hostile host can invent relays."""


@dataclass(slots=True)
class Tally:
    """The boot requests of a network since the start. Its times are monotonic."""

    answered: int = 0
    refused: int = 0
    last: float = 0.0
    relays: OrderedDict[str, float] = field(default_factory=OrderedDict)

    @property
    def heard(self) -> int:
        return self.answered + self.refused

    def relayed(self, relay: str, now: float) -> None:
        """A request came through this relay."""
        self.relays[relay] = now
        self.relays.move_to_end(relay)
        if len(self.relays) > RELAYS_KEPT:
            self.relays.popitem(last=False)
