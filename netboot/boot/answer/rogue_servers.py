"""Another boot server on the same network: noticed by the offers that it broadcasts.

DHCP proves no identity, and the first answer may win. We cannot prevent that, but we can
say who it was (facts: a rogue server, a forgotten WDS, boot options in the site's own DHCP).
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from netboot.boot.answer.client import printable
from netboot.protocols.dhcp import NO_ADDRESS, REPLY_OP, MessageType, Option, Packet, dotted
from netboot.protocols.pxe import HTTP_CLIENT, PXE_CLIENT

_REMEMBERED: Final = 256
_SAY_AGAIN: Final = 600.0  # seconds
_FILE_SHOWN: Final = 128


@dataclass(frozen=True, slots=True)
class ForeignBootServer:
    """Who offered what to whom."""

    server: str
    file: str
    mac: str
    reason: str


class ForeignWatch:
    """Judges the replies of other servers; says the same thing once in ten minutes."""

    def __init__(self, ours: frozenset[str]) -> None:
        self._ours = ours
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()

    def receive(self, packet: Packet, source: str, now: float) -> ForeignBootServer | None:
        """The foreign boot server behind `packet`, unless there is none or it is known."""
        found = judge(packet, source, self._ours)
        if found is None:
            return None
        key = (found.server, found.file)
        last = self._said.get(key)
        if last is not None and now - last < _SAY_AGAIN:
            return None
        self._said.pop(key, None)
        if len(self._said) >= _REMEMBERED:
            self._said.popitem(last=False)
        self._said[key] = now
        return found


def judge(packet: Packet, source: str, ours: frozenset[str]) -> ForeignBootServer | None:
    """Whether this reply leads clients to a boot server that is not one of `ours`."""
    if packet.op != REPLY_OP or packet.message_type not in {MessageType.OFFER, MessageType.ACK}:
        return None
    server = _server_of(packet, source)
    leads_to = dotted(packet.next_server)
    if server in ours or source in ours or leads_to in ours or _named_server(packet) in ours:
        return None  # a DHCP server that sends clients to us is a friend
    file = packet.boot_file or packet.options.get(Option.BOOT_FILE, b"").rstrip(b"\0")
    if packet.options.get(Option.VENDOR_CLASS, b"").startswith((PXE_CLIENT, HTTP_CLIENT)):
        reason = "it answers network boot requests"
    elif file:
        reason = "its DHCP answers name a boot file"
    else:
        return None
    return ForeignBootServer(server, printable(file[:_FILE_SHOWN]), packet.mac_address, reason)


def _server_of(packet: Packet, source: str) -> str:
    identity = packet.options.get(Option.SERVER_ID, b"")
    return dotted(identity) if len(identity) == 4 and identity != NO_ADDRESS else source


def _named_server(packet: Packet) -> str:
    return printable(packet.options.get(Option.SERVER_NAME, b"").rstrip(b"\0"))
