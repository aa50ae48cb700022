"""Another boot server on the same network, detected by the offers that it broadcasts.

DHCP proves no identity, and the first answer may win. We cannot prevent that, but we can name the
server: a rogue one, a forgotten WDS, or the site's DHCP server with boot options.
"""

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from netboot.protocols.dhcp import NO_ADDRESS, REPLY_OP, MessageType, Option, Packet, dotted
from netboot.protocols.printable import printable
from netboot.protocols.pxe import HTTP_CLIENT, PXE_CLIENT

_REMEMBERED: Final = 256
_SAY_AGAIN: Final = 600.0  # seconds
_FILE_SHOWN: Final = 128


@dataclass(frozen=True, slots=True)
class ForeignBootServer:
    """A server, and the file that it offered to a machine."""

    server: str
    file: str
    mac: str
    reason: str


class ForeignWatch:
    """Judges the replies of other servers; reports the same one once in ten minutes."""

    def __init__(self, ours: AbstractSet[str]) -> None:
        self._ours = ours
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()

    def receive(self, packet: Packet, source: str, now: float) -> ForeignBootServer | None:
        """The foreign boot server behind `packet`, unless it was reported already."""
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


def judge(packet: Packet, source: str, ours: AbstractSet[str]) -> ForeignBootServer | None:
    """The boot server that this reply names, if it is not one of `ours`."""
    if packet.op != REPLY_OP or packet.message_type not in {MessageType.OFFER, MessageType.ACK}:
        return None
    identity = packet.options.get(Option.SERVER_ID, b"")
    server = dotted(identity) if len(identity) == 4 and identity != NO_ADDRESS else source
    named = printable(packet.options.get(Option.SERVER_NAME, b"").rstrip(b"\0"))
    if not ours.isdisjoint((server, source, dotted(packet.next_server), named)):
        return None  # a DHCP server that sends clients to us is welcome
    file = packet.boot_file or packet.options.get(Option.BOOT_FILE, b"").rstrip(b"\0")
    if packet.options.get(Option.VENDOR_CLASS, b"").startswith((PXE_CLIENT, HTTP_CLIENT)):
        reason = "it answers network boot requests"
    elif file:
        reason = "its DHCP answers name a boot file"
    else:
        return None
    return ForeignBootServer(server, printable(file[:_FILE_SHOWN]), packet.mac_address, reason)
