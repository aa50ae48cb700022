"""One attempt of one machine to boot: a value, and what it means."""

from dataclasses import dataclass
from enum import StrEnum

from netboot.boot.told.ladder import PATIENCE, Rung, label, stalled_where

FETCH_PATIENCE = 180.0
"""Seconds without an event during a read transfer, which has one every minute, and one at its end:
after that the server is known to have died."""


class Outcome(StrEnum):
    """The state of an attempt."""

    UNDER_WAY = "under way"
    ONLINE = "online"
    OFFLINE = "offline"
    IGNORED = "ignored"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an attempt. `at` in seconds since the epoch; `rung` if this event reached it."""

    at: float
    kind: str
    text: str
    rung: Rung | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Times are seconds since the epoch, sizes bytes.

    `reached` has the time at which each rung was first reached, in that order. `reason` is why we
    ignored it, or the last problem. `way` is the source of the image if not the network: `iso`,
    `usb`, `disk`, `package`. `image_size` and `image_seconds` are of the image's own transfer;
    `fetching` is the running transfer; `foreign` is another boot server that answered.
    """

    number: int
    began: float
    last: float
    mac: str = ""
    ip: str = ""
    rung: Rung = Rung.SEEN
    reached: tuple[tuple[Rung, float], ...] = ()
    steps: tuple[Step, ...] = ()
    dropped_steps: int = 0
    architecture: str = ""
    firmware: str = ""
    stage: str = ""
    machine_id: str = ""
    nic: str = ""
    offered: str = ""
    image: str = ""
    version: int = 0
    decision: str = ""
    driver: str = ""
    device: str = ""
    way: str = ""
    missing: str = ""
    reason: str = ""
    ignored: bool = False
    offline: bool = False
    foreign: str = ""
    fetching: str = ""
    fetching_size: int = 0
    bytes_sent: int = 0
    image_size: int = 0
    image_seconds: float = 0.0

    @property
    def machine(self) -> str:
        return self.mac or self.ip

    @property
    def key(self) -> str:
        """The boot's name in addresses: the machine, and its beginning in milliseconds."""
        machine = self.machine.replace(":", "").replace(".", "_")
        return f"{machine}-{int(self.began * 1000)}"

    @property
    def quiet_at(self) -> float:
        """When a running boot counts as stalled, unless there is an event before."""
        if self.fetching:
            return self.last + FETCH_PATIENCE
        return self.last + PATIENCE.get(self.rung, 0.0)

    @property
    def label(self) -> str:
        """The version's name for people: `Lab PE x64 v7`; empty if there is none."""
        return label(self.image, self.version)

    @property
    def ended(self) -> bool:
        """Whether the boot image runs, with or without a network."""
        return self.rung is Rung.PE_UP

    @property
    def rate(self) -> float:
        """Bytes per second of the image's transfer; 0 if there was none."""
        return self.image_size / self.image_seconds if self.image_seconds > 0 else 0.0

    @property
    def seconds(self) -> float:
        """From the first event to the last, or until the image ran."""
        until = self.reached[-1][1] if self.ended else self.last
        return max(0.0, until - self.began)

    def seconds_per_rung(self) -> tuple[tuple[Rung, float], ...]:
        """For each rung reached, how long it took from the one before."""
        times = [self.began, *(at for _, at in self.reached)]
        return tuple(
            (rung, max(0.0, at - before))
            for (rung, at), before in zip(self.reached, times, strict=False)
        )

    def outcome(self, now: float) -> Outcome:
        if self.offline:
            return Outcome.OFFLINE
        if self.ended:
            return Outcome.ONLINE
        if self.ignored:
            return Outcome.IGNORED
        if now > self.quiet_at:
            return Outcome.STALLED
        return Outcome.UNDER_WAY

    def why(self, now: float) -> str:
        """In words: why ignored, where stalled, what is missing; empty when all is well."""
        match self.outcome(now):
            case Outcome.STALLED:
                if self.fetching:
                    return f"netboot stopped while it sent {self.fetching}"
                known = [self.reason] if self.reason else []
                if self.foreign and self.rung <= Rung.OFFERED:
                    known.append(f"another boot server, {self.foreign}, answers on this network")
                return stalled_where(self.rung) + (f" ({'; '.join(known)})" if known else "")
            case Outcome.OFFLINE if self.missing:
                return f"no driver for {self.missing}"
            case Outcome.UNDER_WAY:
                # Firmware that takes no offer repeats its DISCOVER for minutes: show it now.
                return self.reason if self.rung is Rung.OFFERED else ""
            case _:
                return self.reason
