"""Recent clients: how often each may ask, and which take no offer.

Law: memory is bounded. A million random MAC addresses need as much as ten thousand.
"""

from dataclasses import dataclass
from typing import Final

MACHINES_KEPT: Final = 10_000
STREAK_GAP: Final = 90.0  # seconds of silence after which a DISCOVER is a new boot, not a retry
UNHEEDED_COUNT: Final = 3
UNHEEDED_SECONDS: Final = 10.0
SAME_REQUEST_WINDOW: Final = 10.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The requests that we answer per second; a burst is two seconds of a machine's rate.

    The total is high on purpose: an answer is no larger than a packet that a hostile host could
    broadcast itself, and with a low total that host could silence us for all others.
    """

    per_machine: float = 5.0
    total: float = 50_000.0
    same_request: int = 3


@dataclass(slots=True)
class _Row:
    tokens: float
    stamp: float
    xid: int = -1
    port: int = 0
    answered: int = 0
    first_answered: float = 0.0
    attempts: int = 0
    streak_began: float = 0.0
    last_attempt: float = 0.0
    address_offered_by: str = ""
    relay: str = ""
    stage: str = ""


class RecentClients:
    """One bounded table of machines in two generations; the older is forgotten as a whole.

    So a new entry is one assignment, with no order to maintain in a flood.
    """

    def __init__(self, limits: Limits | None = None, *, keep: int = MACHINES_KEPT) -> None:
        self._limits = limits or Limits()
        self._generation = keep // 2
        self._young: dict[bytes, _Row] = {}
        self._old: dict[bytes, _Row] = {}
        self._total_tokens = self._limits.total
        self._total_stamp = 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def knows(self, mac: bytes) -> bool:
        """Whether this machine has sent a boot request lately."""
        return mac in self._young or mac in self._old

    def refusal(self, mac: bytes, xid: int, port: int, now: float) -> str:
        """Why this request gets no answer, or "". Counts it as answered if it does."""
        limits = self._limits
        row = self._young.get(mac) or self._row(mac, now)
        if row.xid == xid and row.port == port:
            if now - row.first_answered >= SAME_REQUEST_WINDOW:
                row.answered, row.first_answered = 0, now
            elif row.answered >= limits.same_request:
                return f"the same request was answered {row.answered} times already"
        else:
            row.xid, row.port, row.answered, row.first_answered = xid, port, 0, now
        rate = limits.per_machine
        tokens = min(2 * rate, row.tokens + (now - row.stamp) * rate)
        row.tokens, row.stamp = tokens, now
        if tokens < 1:
            return f"more than {rate:g} requests a second from one machine"
        if not self._take_total(now):
            return f"more than {limits.total:g} requests a second in all"
        row.tokens = tokens - 1
        row.answered += 1
        return ""

    def discovered(self, mac: bytes, stage: str, relay: str, now: float) -> int:
        """Count a DISCOVER; returns the number in this stage without a REQUEST."""
        row = self._young.get(mac) or self._row(mac, now)
        if not row.attempts or row.stage != stage or now - row.last_attempt > STREAK_GAP:
            row.attempts, row.streak_began, row.address_offered_by = 0, now, ""
            row.stage = stage
        row.attempts += 1
        row.last_attempt = now
        row.relay = relay
        return row.attempts

    def requested(self, mac: bytes) -> None:
        """The machine took an offer, so its streak ends. Unknown machines are not added."""
        row = self._known(mac)
        if row is not None:
            row.attempts = 0

    def address_offered(self, mac: bytes, server: str) -> None:
        """A DHCP server offered this machine an address. Unknown machines are not added."""
        row = self._known(mac)
        if row is not None:
            row.address_offered_by = server

    def came_by_relay(self, mac: bytes) -> bool:
        """Whether the machine's last DISCOVER came through a relay."""
        row = self._known(mac)
        return row is not None and bool(row.relay)

    def unheeded(self, mac: bytes, now: float) -> str:
        """The warning about a machine that keeps asking and takes no offer, or ""."""
        row = self._known(mac)
        if row is None or row.attempts < UNHEEDED_COUNT:
            return ""
        seconds = now - row.streak_began
        if seconds < UNHEEDED_SECONDS:
            return ""
        seen = f"{row.attempts} DISCOVERs in {seconds:.0f} s and no REQUEST"
        if row.address_offered_by:
            return (
                f"{seen}, although {row.address_offered_by} offered an address: this firmware"
                " does not merge two offers. Put the boot server and file into that DHCP"
                " server's own answer (options 66 and 67, next-server)"
            )
        return (
            f"{seen}: either no DHCP server offers it an address, or its firmware does not merge"
            " two offers. Look for a DHCPOFFER to it; if there is one, put the boot server and"
            " file into that DHCP server's own answer (options 66 and 67, next-server)"
        )

    def _row(self, mac: bytes, now: float) -> _Row:
        row = self._known(mac)
        return row or self._enter(mac, _Row(2 * self._limits.per_machine, now))

    def _known(self, mac: bytes) -> _Row | None:
        row = self._young.get(mac)
        if row is None and (old := self._old.pop(mac, None)):
            return self._enter(mac, old)
        return row

    def _enter(self, mac: bytes, row: _Row) -> _Row:
        """Add a machine that is not among the young."""
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[mac] = row
        return row

    def _take_total(self, now: float) -> bool:
        total = self._limits.total
        tokens = self._total_tokens
        if now != self._total_stamp:  # packets of one wake share their time
            tokens = min(total, tokens + (now - self._total_stamp) * total)
            self._total_stamp = now
        self._total_tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1
