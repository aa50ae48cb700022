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
class RecentClient:
    """What is remembered of one machine: its allowance, its last request and its streak.

    A streak is a row of DISCOVERs in one stage without a REQUEST.
    """

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

    def discovered(self, stage: str, relay: str, now: float) -> int:
        """Count a DISCOVER; returns the number in this stage without a REQUEST."""
        attempts = self.attempts
        if not attempts or self.stage != stage or now - self.last_attempt > STREAK_GAP:
            attempts, self.streak_began, self.address_offered_by = 0, now, ""
            self.stage = stage
        self.attempts = attempts = attempts + 1
        self.last_attempt = now
        self.relay = relay
        return attempts

    def unheeded(self, now: float) -> str:
        """The warning about a machine that keeps asking and takes no offer, or ""."""
        seconds = now - self.streak_began
        if self.attempts < UNHEEDED_COUNT or seconds < UNHEEDED_SECONDS:
            return ""
        seen = f"{self.attempts} DISCOVERs in {seconds:.0f} s and no REQUEST"
        if self.address_offered_by:
            return (
                f"{seen}, although {self.address_offered_by} offered an address: this firmware"
                " does not merge two offers. Put the boot server and file into that DHCP"
                " server's own answer (options 66 and 67, next-server)"
            )
        return (
            f"{seen}: either no DHCP server offers it an address, or its firmware does not merge"
            " two offers. Look for a DHCPOFFER to it; if there is one, put the boot server and"
            " file into that DHCP server's own answer (options 66 and 67, next-server)"
        )


class RecentClients:
    """One bounded table of machines in two generations; the older is forgotten as a whole.

    So a new entry is one assignment, with no order to maintain in a flood.
    """

    def __init__(self, limits: Limits | None = None, *, keep: int = MACHINES_KEPT) -> None:
        self._limits = limits or Limits()
        self._generation = keep // 2
        self._young: dict[bytes, RecentClient] = {}
        self._old: dict[bytes, RecentClient] = {}
        self._total_tokens = self._limits.total
        self._total_stamp = 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def knows(self, mac: bytes) -> bool:
        """Whether this machine has sent a boot request lately."""
        return mac in self._young or mac in self._old

    def client(self, mac: bytes, now: float) -> RecentClient:
        """The entry of a machine, which is added if it is new."""
        known = self._young.get(mac) or self.known(mac)
        return known or self._enter(mac, RecentClient(2 * self._limits.per_machine, now))

    def known(self, mac: bytes) -> RecentClient | None:
        """The entry of a machine that has sent a boot request lately."""
        known = self._young.get(mac)
        if known is None and (old := self._old.pop(mac, None)):
            return self._enter(mac, old)
        return known

    def refusal(self, client: RecentClient, xid: int, port: int, now: float) -> str:
        """Why this request gets no answer, or "". Counts it as answered if it does."""
        limits = self._limits
        if client.xid == xid and client.port == port:
            if now - client.first_answered >= SAME_REQUEST_WINDOW:
                client.answered, client.first_answered = 0, now
            elif client.answered >= limits.same_request:
                return f"the same request was answered {client.answered} times already"
        else:
            client.xid, client.port, client.answered, client.first_answered = xid, port, 0, now
        rate = limits.per_machine
        tokens = min(2 * rate, client.tokens + (now - client.stamp) * rate)
        client.tokens, client.stamp = tokens, now
        if tokens < 1:
            return f"more than {rate:g} requests a second from one machine"
        limit, total = limits.total, self._total_tokens
        if now != self._total_stamp:  # packets of one wake share their time
            total = min(limit, total + (now - self._total_stamp) * limit)
            self._total_stamp = now
        if total < 1:
            self._total_tokens = total
            return f"more than {limit:g} requests a second in all"
        self._total_tokens = total - 1
        client.tokens = tokens - 1
        client.answered += 1
        return ""

    def requested(self, mac: bytes) -> None:
        """The machine took an offer, so its streak ends. Unknown machines are not added."""
        client = self.known(mac)
        if client is not None:
            client.attempts = 0

    def address_offered(self, mac: bytes, server: str) -> None:
        """A DHCP server offered this machine an address. Unknown machines are not added."""
        client = self.known(mac)
        if client is not None:
            client.address_offered_by = server

    def came_by_relay(self, mac: bytes) -> bool:
        """Whether the machine's last DISCOVER came through a relay."""
        client = self.known(mac)
        return client is not None and bool(client.relay)

    def _enter(self, mac: bytes, client: RecentClient) -> RecentClient:
        """Add a machine that is not among the young."""
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[mac] = client
        return client
