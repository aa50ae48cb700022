"""How much of the TFTP server one client, or all together, may use.

An address is *validated* by the first ACK that answers a packet of ours. Until then it may be
forged, and our packets to it may be an attack on the real owner of the address.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from netboot.protocols.round_trip import Timing
from netboot.protocols.tftp_options import OptionLimits

if TYPE_CHECKING:
    from netboot.serve.tftp.session import Session

_MTU_HOLDS = 60.0  # seconds: routes change seldom
_SILENCE_HOLDS = 1800.0  # seconds: a machine asks again within a boot or two
_SMALLER = (1248, 512)
"""Blocks that fit nearly every tunnel (MTU 1280, the least of IPv6), and every path."""


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
    """Windows' boot manager probes for some twenty optional files in a row; each one without an
    answer would delay it by seconds. An error has about 40 bytes."""
    reports: int = 20
    """Refusals and unanswered requests that go into the journal, per second."""
    ports_refused: frozenset[int] = frozenset(
        {7, 11, 13, 17, 19, 37, 53, 111, 123, 137, 161, 389, 1900}
    )
    """Source ports that get no answer: services that answer anything (echo, chargen, DNS, NTP, …),
    and that an attacker may want us to talk to (CVE-2024-2169). Other low ports are clients:
    U-Boot asks from port 69. An address that never answers gets little in any case."""
    fragments: bool = False
    """Whether blocks may be larger than the path's MTU, and travel as IP fragments."""
    block_sizes: tuple[tuple[IPv4Network, int], ...] = ()
    """The largest block for clients in these networks, instead of the options' limit."""
    tid_ports: int = 256
    netascii: int = 4 * 1024 * 1024

    def block_size(self, ip: str) -> int:
        """The largest block for a client; its smallest network decides."""
        client = IPv4Address(ip)
        found = [one for one in self.block_sizes if client in one[0]]
        smallest = max(found, key=lambda one: one[0].prefixlen, default=None)
        return smallest[1] if smallest else self.options.max_block_size

    def share(self, workers: int, *, by_source: bool) -> TftpLimits:
        """The limits of one of several worker processes; their sum is that of one process.

        With `by_source` one worker alone serves each address, so that the limits for an address
        stay whole. Otherwise each worker grants an address its part, but at least one of each.
        """
        shared = replace(
            self,
            unvalidated=_part(self.unvalidated, workers),
            sessions=_part(self.sessions, workers),
            reports=_part(self.reports, workers),
        )
        if by_source:
            return shared
        return replace(
            shared,
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
        """Spend `amount`, if there is so much."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Source:
    """One address, with its transfers: `unvalidated`, oldest first, and the number `validated`."""

    __slots__ = (
        "_arrived",
        "_fits",
        "_fits_until",
        "_mtu",
        "_mtu_holds_until",
        "bytes",
        "errors",
        "unvalidated",
        "validated",
    )

    def __init__(self, limits: TftpLimits, now: float) -> None:
        self.bytes = Bucket(limits.unvalidated_bytes_per_source, now)
        self.errors = Bucket(limits.errors_per_source, now)
        self.unvalidated: dict[Session, None] = {}
        self.validated = 0
        self._mtu, self._mtu_holds_until = 0, now
        self._arrived = 0  # the largest block that is known to arrive
        self._fits, self._fits_until = 0, now

    def path_mtu(self, measure: Callable[[], int], now: float) -> int:
        """The largest packet that is not fragmented on the way, measured once a minute.

        Measuring costs a tenth of sending a small file, and loaders fetch dozens of them.
        """
        if now >= self._mtu_holds_until:
            self._mtu, self._mtu_holds_until = measure(), now + _MTU_HOLDS
        return self._mtu

    def fits(self, now: float) -> int | None:
        """The largest block to try, if larger ones met silence lately."""
        return self._fits if now < self._fits_until else None

    def met_silence(self, block_size: int, now: float) -> None:
        """This client answers our small packets, but not the first window of such blocks.

        Its next request gets smaller ones. Blocks that have arrived before are suspected only the
        second time: that may have been a loss.
        """
        smaller = next((size for size in _SMALLER if size < block_size), None)
        if block_size <= self._arrived:
            self._arrived = 0
        elif smaller is not None:
            self._fits, self._fits_until = smaller, now + _SILENCE_HOLDS

    def arrived(self, block_size: int) -> None:
        """Blocks of this size reach this client."""
        self._arrived = max(self._arrived, block_size)
        if self._fits < block_size:
            self._fits_until = 0.0


class Sources:
    """The addresses with sessions, and the latest others."""

    def __init__(self, limits: TftpLimits) -> None:
        self._limits = limits
        self._most = 2 * (limits.sessions + limits.unvalidated)
        self._known: OrderedDict[str, Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, ip: str, now: float) -> Source:
        """The source at this address, new if it is not known."""
        source = self._known.get(ip)
        if source is not None:
            self._known.move_to_end(ip)
            return source
        while len(self._known) >= self._most:
            old_ip, oldest = self._known.popitem(last=False)
            if oldest.unvalidated or oldest.validated:
                self._known[old_ip] = oldest  # never forget one that has sessions
        source = self._known[ip] = Source(self._limits, now)
        return source
