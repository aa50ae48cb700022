"""What one TFTP client, known by its address or not, may cost us.

An address is *validated* by the first ACK that answers what we sent there: until then it may be
forged, and what we send to it may be an attack on whoever lives there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netboot.protocols.round_trip import Timing
from netboot.protocols.tftp_options import OptionLimits

if TYPE_CHECKING:
    from netboot.serve.tftp.session import Session

_MTU_HOLDS = 60.0  # seconds: routes change seldom


@dataclass(frozen=True, slots=True)
class TftpLimits:
    """All limits of the TFTP server. Rates are per second, sizes in bytes."""

    options: OptionLimits = field(default_factory=OptionLimits)
    timing: Timing = field(default_factory=Timing)
    unvalidated: int = 4096
    unvalidated_per_source: int = 16
    unvalidated_bytes_per_source: int = 16 * 1024
    sessions: int = 4096
    sessions_per_source: int = 32
    errors_per_source: int = 100
    """Windows' boot manager asks for some twenty files that need not be there, one at once after
    the other; each that stayed unanswered would cost it seconds. An error is some 40 bytes."""
    reports: int = 20
    """Refusals and unanswered requests that we tell the journal of, per second."""
    low_source_ports: bool = False
    """Whether clients may ask from a port under 1024, as other servers do when they are abused."""
    fragments: bool = False
    """Whether blocks may be larger than the path's packets, and travel as IP fragments."""
    tid_ports: int = 256
    netascii: int = 4 * 1024 * 1024

    def share(self, workers: int, *, by_source: bool) -> TftpLimits:
        """The limits of one of several worker processes: together no more than one process.

        `by_source` says that each address is heard by one worker alone; then what an address may
        have stays whole. Otherwise each worker grants it its part (but at least one of each).
        """
        everybody = replace(
            self,
            unvalidated=_part(self.unvalidated, workers),
            sessions=_part(self.sessions, workers),
            reports=_part(self.reports, workers),
        )
        if by_source:
            return everybody
        return replace(
            everybody,
            unvalidated_per_source=_part(self.unvalidated_per_source, workers),
            unvalidated_bytes_per_source=_part(self.unvalidated_bytes_per_source, workers),
            sessions_per_source=_part(self.sessions_per_source, workers),
            errors_per_source=_part(self.errors_per_source, workers),
        )


def _part(whole: int, workers: int) -> int:
    return max(1, whole // workers)


class Bucket:
    """A budget that fills at `rate` a second up to one second's worth."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = self._left = float(rate)
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Whether `amount` is there; if so, it is spent."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Source:
    """What one address has of us. The server keeps `strangers` (oldest first) and `validated`."""

    __slots__ = ("_mtu", "_mtu_holds_until", "bytes", "errors", "strangers", "validated")

    def __init__(self, limits: TftpLimits, now: float) -> None:
        self.bytes = Bucket(limits.unvalidated_bytes_per_source, now)
        self.errors = Bucket(limits.errors_per_source, now)
        self.strangers: dict[Session, None] = {}
        self.validated = 0
        self._mtu, self._mtu_holds_until = 0, now

    def path_mtu(self, measure: Callable[[], int], now: float) -> int:
        """The largest packet that goes there whole: asked anew when a minute is over.

        To ask is a tenth of what a small file costs, and loaders fetch dozens of them.
        """
        if now >= self._mtu_holds_until:
            self._mtu, self._mtu_holds_until = measure(), now + _MTU_HOLDS
        return self._mtu


class Sources:
    """All addresses that we know of: those with sessions, and the latest others."""

    def __init__(self, limits: TftpLimits) -> None:
        self._limits = limits
        self._most = 2 * (limits.sessions + limits.unvalidated)
        self._known: OrderedDict[str, Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, ip: str, now: float) -> Source:
        """The source at this address, new if we do not remember it."""
        source = self._known.get(ip)
        if source is None:
            self._forget_oldest()
            source = self._known[ip] = Source(self._limits, now)
        else:
            self._known.move_to_end(ip)
        return source

    def _forget_oldest(self) -> None:
        """Make room, but never by forgetting a source that has sessions."""
        while len(self._known) >= self._most:
            ip, oldest = self._known.popitem(last=False)
            if oldest.strangers or oldest.validated:
                self._known[ip] = oldest
