"""The answer to a boot request: on port 67 beside the site's DHCP server, on 4011 as boot server.

PXE 2.1 §2.2; RFC 2131 §4.1. We never answer what does not ask for a network boot, and send only
where the request may have come from. Each refusal is a value with its reason, and each answer
carries the reasons for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final, NamedTuple

from netboot.boot.answer import reply
from netboot.boot.answer.client import BootClient, NotOurs, identify
from netboot.boot.answer.destination import Masks, destination_of, masks
from netboot.boot.answer.limits import RecentClients
from netboot.boot.answer.nbp import BootProgram, NoProgram, select
from netboot.boot.answer.policy import NoImage, choose
from netboot.boot.answer.quirks import quirk_of
from netboot.boot.answer.rogue_servers import ForeignBootServer, ForeignWatch
from netboot.boot.answer.twins import Twins, may_have_twins
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

_NO_MAC: Final = bytes(6)
_MAC: Final = slice(28, 34)
_BOOT_WORDS: Final = (PXE_CLIENT, HTTP_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the site says about its place in the network.

    `server` is the address that clients reach us at. `networks` are those of this server's own
    interface, `relays` those whose relay agents (and clients behind them) we answer.
    `authority` is whose UEFI loader machines get where neither they nor the image say it.
    """

    server: str
    http_port: int = 8081
    networks: tuple[IPv4Network, ...] = ()
    relays: tuple[IPv4Network, ...] = ()
    authority: str = ""
    identity: reply.Server = field(init=False)
    local_masks: Masks = field(init=False)
    relay_masks: Masks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", reply.Server(self.server))
        object.__setattr__(self, "local_masks", masks(self.networks))
        object.__setattr__(self, "relay_masks", masks(self.relays))


class Answer(NamedTuple):
    """A packet to send, where to, and why. `warning` is what a person should know.

    `shared` where any machine of this kind would get the same on its first try.
    """

    packet: Packet
    destination: tuple[str, int]
    client: BootClient
    file: str
    version: ContentVersion
    reason: str
    warning: str = ""
    shared: bool = False

    @property
    def message(self) -> MessageType:
        """OFFER (port 67) or ACK (port 4011, and an INFORM on 67)."""
        return self.packet.message_type or MessageType.OFFER


class Twin(NamedTuple):
    """The answer to a machine that asked just as another did; `of` is what the other got."""

    payload: bytes
    of: Answer
    mac: str
    machine_id: str


class Ignored(NamedTuple):
    """Silence, and why. `client` is None where the packet was no boot request at all.

    `notable` where a person would ask; the rest (other hosts' DHCP) is only counted. `mac` is
    whose packet it was, as far as it could be read.
    """

    reason: str
    client: BootClient | None = None
    notable: bool = True
    malformed: bool = False
    mac: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A program and the reasons for it: the same for all clients of one kind."""

    program: BootProgram
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Memory:
    """What answering remembers: recent clients, and the plans of one published snapshot."""

    recent: RecentClients = field(default_factory=RecentClients)
    published: PublishedContent | None = None
    plans: dict[tuple[object, ...], Plan | str] = field(default_factory=dict)


class _Request(NamedTuple):
    """A boot request with where it came from and when."""

    packet: Packet
    client: BootClient
    port: int
    source: tuple[str, int]
    now: float


def answer(
    packet: Packet,
    *,
    port: int,
    source: tuple[str, int],
    now: float,
    settings: Settings,
    published: PublishedContent,
    memory: Memory,
) -> Answer | Ignored:
    """What to send for `packet`, which came to `port` from `source`, at monotonic time `now`."""
    client = identify(packet)
    if isinstance(client, NotOurs):
        return Ignored(reason=client.reason, notable=client.notable)
    recent = memory.recent
    if client.message is MessageType.REQUEST:
        recent.requested(packet.mac)
        if port == SERVER_PORT:
            reason = "the REQUEST is for the DHCP server that gives addresses"
            return Ignored(reason=reason, client=client, notable=False)
    return _answer(_Request(packet, client, port, source, now), settings, published, memory)


def _answer(
    request: _Request, settings: Settings, published: PublishedContent, memory: Memory
) -> Answer | Ignored:
    client, recent = request.client, memory.recent
    destination = destination_of(
        request.packet,
        client,
        port=request.port,
        source=request.source,
        local=settings.local_masks,
        relays=settings.relay_masks,
        came_by_relay=recent.came_by_relay(request.packet.mac),
    )
    if isinstance(destination, str):
        return Ignored(reason=destination, client=client)
    refusal = recent.refusal(request.packet.mac, request.packet.xid, request.port, request.now)
    if refusal:
        return Ignored(reason=refusal, client=client)
    plan = _plan(client, settings, published, memory)
    if isinstance(plan, str):
        return Ignored(reason=plan, client=client)
    if client.message is MessageType.DISCOVER:
        return _offer(request, plan, destination, settings, recent)
    return _acknowledge(request, plan, destination, settings)


def _offer(
    request: _Request,
    plan: Plan,
    destination: tuple[str, int],
    settings: Settings,
    recent: RecentClients,
) -> Answer | Ignored:
    packet, client = request.packet, request.client
    attempt = recent.discovered(packet.mac, client.stage, client.relay, request.now)
    quirk = quirk_of(client, plan.program.chain, attempt)
    file = plan.program.file_for(client)
    made = reply.offer(packet, client, file=file, shape=quirk.shape, server=settings.identity)
    if made is None:
        return _no_room(client)
    return Answer(
        packet=made,
        destination=destination,
        client=client,
        file=file,
        version=plan.program.version,
        reason="; ".join((*plan.reasons, quirk.name, *client.notes)),
        warning=recent.unheeded(packet.mac, request.now) if attempt > 1 else "",
        shared=attempt == 1 and not plan.program.personal,
    )


def _acknowledge(
    request: _Request, plan: Plan, destination: tuple[str, int], settings: Settings
) -> Answer | Ignored:
    packet, client = request.packet, request.client
    file = plan.program.file_for(client)
    shape = quirk_of(client, plan.program.chain, 1).shape
    made = reply.acknowledge(packet, client, file=file, shape=shape, server=settings.identity)
    if made is None:
        return _no_room(client)
    return Answer(
        packet=made,
        destination=destination,
        client=client,
        file=file,
        version=plan.program.version,
        reason="; ".join((*plan.reasons, *client.notes)),
    )


def _malformed(data: bytes, reason: str) -> Ignored:
    """A packet that cannot be read; where it speaks of booting, a person will ask about it."""
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


def _plan(
    client: BootClient, settings: Settings, published: PublishedContent, memory: Memory
) -> Plan | str:
    """Choice and program for this kind of client, remembered while `published` stays the same."""
    if memory.published is not published:
        memory.published = published
        memory.plans.clear()
    is_known = client.mac in published.assignments or client.mac in published.authorities
    if is_known or client.architecture is None:
        return _make_plan(client, settings, published)
    key = (client.architecture_code, client.stage, settings.server, settings.http_port)
    plan = memory.plans.get(key)
    if plan is None:
        plan = memory.plans[key] = _make_plan(client, settings, published)
    return plan


def _make_plan(client: BootClient, settings: Settings, published: PublishedContent) -> Plan | str:
    choice = choose(client, published)
    if isinstance(choice, NoImage):
        return choice.reason
    program = select(
        client,
        choice,
        server=settings.server,
        http_port=settings.http_port,
        supplied=published.supplied,
        authority=published.authorities.get(client.mac, ""),
        site_authority=settings.authority,
    )
    if isinstance(program, NoProgram):
        return program.reason
    return Plan(program, (*choice.reasons, program.reason))


class ProxyDhcp:
    """`answer` with its settings and memory, over bytes: what a daemon is handed."""

    def __init__(
        self,
        settings: Settings,
        published: Callable[[], PublishedContent],
        *,
        memory: Memory | None = None,
    ) -> None:
        self._settings = settings
        self._published = published
        self._memory = memory or Memory()
        self._twins: Twins[Answer] = Twins()
        self._twins_of = PublishedContent.empty()
        self._watch = ForeignWatch(frozenset({settings.server}))

    def twin(self, data: bytes, now: float) -> Twin | None:
        """The answer to a DISCOVER on port 67, if a machine of the same kind had one before.

        None where the long way has to be gone: machines that are known, or have their own image.
        """
        found = self._twins.find(data)
        if found is None:
            return None
        published = self._published()
        if self._twins_of is not published:
            return None
        pattern, known = found
        mac = data[28:34]
        written = mac.hex(":")
        if mac[0] & 1 or mac == _NO_MAC or written in published.assignments:
            return None
        client = known.client
        xid = int.from_bytes(data[4:8], "big")
        if not self._memory.recent.first_discovered(mac, xid, client.stage, client.relay, now):
            return None
        return Twin(pattern.answer_to(data), known, written, pattern.machine_id(data))

    def receive(
        self, data: bytes, *, port: int, source: tuple[str, int], now: float
    ) -> tuple[Answer | Ignored, Packet | None]:
        """The outcome for any datagram, and the packet that it was, if it was one."""
        try:
            packet = Packet.from_bytes(data)
        except ProtocolError as error:
            return _malformed(data, str(error)), None
        published = self._published()
        outcome = answer(
            packet,
            port=port,
            source=source,
            now=now,
            settings=self._settings,
            published=published,
            memory=self._memory,
        )
        if isinstance(outcome, Answer) and port == SERVER_PORT:
            self._remember(data, outcome, published)
        return outcome, packet

    def _remember(self, data: bytes, outcome: Answer, published: PublishedContent) -> None:
        if self._twins_of is not published:
            self._twins.clear()
            self._twins_of = published
        client = outcome.client
        if (
            outcome.shared
            and may_have_twins(client)
            and client.mac not in published.assignments
            and self._twins.find(data) is None
        ):
            self._twins.remember(data, bytes(outcome.packet), outcome)

    def overhear(self, data: bytes, *, source: str, now: float) -> ForeignBootServer | None:
        """Learn from another server's reply; the boot server behind it, if that is news."""
        try:
            packet = Packet.from_bytes(data)
        except ProtocolError:
            return None
        if packet.your_address != NO_ADDRESS and packet.message_type is MessageType.OFFER:
            self._memory.recent.address_offered(packet.mac, source)
        return self._watch.receive(packet, source, now)

    def knows(self, mac: bytes) -> bool:
        """Whether this machine has asked for a boot lately."""
        return self._memory.recent.knows(mac)


def learned_address(packet: Packet) -> str:
    """The address that a client's REQUEST takes or already has, or ""."""
    if packet.message_type is not MessageType.REQUEST:
        return ""
    if packet.client_address != NO_ADDRESS:
        return dotted(packet.client_address)
    asked = packet.options.get(Option.REQUESTED_ADDRESS, b"")
    return dotted(asked) if len(asked) == 4 else ""
