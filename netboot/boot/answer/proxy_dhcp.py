"""The answer to a boot request: on port 67 next to the site's DHCP server, on 4011 as boot server.

PXE 2.1 §2.2; RFC 2131 §4.1. We answer network boot requests only, and send only to where the
request may have come from. A refusal is a value with its reason, and an answer has its reasons
too.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from netboot.boot.answer import reply
from netboot.boot.answer.client import BootClient, NotOurs, identify
from netboot.boot.answer.decision import Decision, Decisions, Settings
from netboot.boot.answer.destination import destination_of
from netboot.boot.answer.limits import RecentClients
from netboot.boot.answer.rogue_servers import ForeignBootServer, ForeignWatch
from netboot.errors import ProtocolError
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.protocols.dhcp import (
    NO_ADDRESS,
    REQUEST_OP,
    SERVER_PORT,
    MessageType,
    Option,
    Packet,
    dotted,
)
from netboot.protocols.pxe import HTTP_CLIENT, PXE_CLIENT

__all__ = ["Answer", "Ignored", "ProxyDhcp", "Settings", "learned_address"]

_DISCOVER, _REQUEST = MessageType.DISCOVER, MessageType.REQUEST
_NO_MAC: Final = bytes(6)
_MAC: Final = slice(28, 34)
_BOOT_WORDS: Final = (PXE_CLIENT, HTTP_CLIENT)


class Answer(NamedTuple):
    """A datagram to send, where to, and why. `warning` is for the administrator to check."""

    payload: bytes
    destination: tuple[str, int]
    client: BootClient
    file: str
    version: ContentVersion
    reason: str
    warning: str = ""


class Ignored(NamedTuple):
    """No answer, and why. `client` is None if the packet was no boot request at all.

    Only a `notable` one becomes an event; the rest (other hosts' DHCP) is counted. `mac` is the
    address in a malformed packet, if there is one.
    """

    reason: str
    client: BootClient | None = None
    notable: bool = True
    malformed: bool = False
    mac: str = ""


def malformed(data: bytes, reason: str) -> Ignored:
    """A malformed packet; it is notable if it contains the word of a boot request."""
    boots = data[:1] == bytes((REQUEST_OP,)) and any(word in data for word in _BOOT_WORDS)
    mac = data[_MAC]
    named = boots and len(mac) == 6 and mac != _NO_MAC and not mac[0] & 1
    return Ignored(
        reason=f"its request cannot be read: {reason}",
        notable=boots,
        malformed=True,
        mac=mac.hex(":") if named else "",
    )


def _no_room(client: BootClient) -> Ignored:
    return Ignored(reason="its relay information leaves no room for an answer", client=client)


class ProxyDhcp:
    """Answers boot clients: the rules of this room and their memory.

    `published` returns the state that is served now; a changed state is another object. `ours` are
    all addresses that the site serves: two networks of one LAN are not each other's strangers.
    """

    def __init__(
        self,
        settings: Settings,
        published: Callable[[], PublishedContent],
        *,
        recent: RecentClients | None = None,
        ours: AbstractSet[str] = frozenset(),
    ) -> None:
        self.settings = self._settings = settings
        self._published = published
        self._recent = RecentClients() if recent is None else recent
        self._decisions = Decisions(settings)
        self._watch = ForeignWatch(ours or frozenset({settings.server}))

    def receive(
        self, data: bytes, port: int, source: tuple[str, int], now: float
    ) -> tuple[Answer | Ignored, Packet | None, Settings]:
        """The outcome for any datagram, its packet if it could be parsed, and its network."""
        try:
            packet = Packet.from_bytes(data)
        except ProtocolError as error:
            return malformed(data, str(error)), None, self._settings
        return self.answer(packet, port, source, now), packet, self._settings

    def answer(
        self, packet: Packet, port: int, source: tuple[str, int], now: float
    ) -> Answer | Ignored:
        """The answer to `packet`, which came to `port` from `source`, at monotonic `now`."""
        client = identify(packet)
        if isinstance(client, NotOurs):
            return Ignored(reason=client.reason, notable=client.notable)
        mac, recent, settings = packet.mac, self._recent, self._settings
        discovers = client.message is _DISCOVER
        if client.message is _REQUEST:
            recent.requested(mac)
            if port == SERVER_PORT:
                reason = "the REQUEST is for the DHCP server that gives addresses"
                return Ignored(reason=reason, client=client, notable=False)
        destination = destination_of(
            packet,
            client,
            port=port,
            source=source,
            local=settings.local_masks,
            relays=settings.relay_masks,
            came_by_relay=not discovers and recent.came_by_relay(mac),
        )
        if isinstance(destination, str):
            return Ignored(reason=destination, client=client)
        seen = recent.client(mac, now)
        refusal = recent.refusal(seen, packet.xid, port, now)
        if refusal:
            return Ignored(reason=refusal, client=client)
        decision = self._decisions.of(client, self._published())
        if isinstance(decision, str):
            return Ignored(reason=decision, client=client)
        attempt = seen.discovered(client.stage, client.relay, now) if discovers else 0
        make = self._offer if discovers else self._acknowledge
        answer = make(packet, client, decision, destination, attempt)
        if attempt > 1 and isinstance(answer, Answer):
            answer = answer._replace(warning=seen.unheeded(now))
        return answer

    def _offer(
        self,
        packet: Packet,
        client: BootClient,
        decision: Decision,
        destination: tuple[str, int],
        attempt: int,
    ) -> Answer | Ignored:
        program = decision.program
        shape, reason, wording = decision.form(attempt)
        file, server = program.file, self._settings.identity
        if wording is None:
            file = program.file_for(client)
            http = client.speaks_http
            wording = reply.offer_wording(file, shape, speaks_http=http, server=server)
        payload = reply.offer(packet, wording)
        if payload is None:
            return _no_room(client)
        if client.notes:
            reason = "; ".join((reason, *client.notes))
        made = (payload, destination, client, file, program.version, reason, "")
        return tuple.__new__(Answer, made)  # Answer(...) calls this last, at twice the cost

    def _acknowledge(
        self,
        packet: Packet,
        client: BootClient,
        decision: Decision,
        destination: tuple[str, int],
        attempt: int,
    ) -> Answer | Ignored:
        del attempt  # only DISCOVERs are counted
        program = decision.program
        file = program.file_for(client)
        payload = reply.acknowledge(
            packet,
            file=file,
            shape=decision.form(1).shape,
            speaks_http=client.speaks_http,
            server=self._settings.identity,
        )
        if payload is None:
            return _no_room(client)
        reason = "; ".join((decision.reason, *client.notes))
        return Answer(payload, destination, client, file, program.version, reason)

    def overhear(self, data: bytes, *, source: str, now: float) -> ForeignBootServer | None:
        """Learn from another server's reply; returns its boot server if that is new."""
        try:
            packet = Packet.from_bytes(data)
        except ProtocolError:
            return None
        if packet.your_address != NO_ADDRESS and packet.message_type is MessageType.OFFER:
            self._recent.address_offered(packet.mac, source)
        return self._watch.receive(packet, source, now)

    def knows(self, mac: bytes) -> bool:
        return self._recent.knows(mac)


def learned_address(packet: Packet) -> str:
    """The address that a client's REQUEST asks for or has, or ""."""
    if packet.message_type is not MessageType.REQUEST:
        return ""
    if packet.client_address != NO_ADDRESS:
        return dotted(packet.client_address)
    asked = packet.options.get(Option.REQUESTED_ADDRESS, b"")
    return dotted(asked) if len(asked) == 4 else ""
