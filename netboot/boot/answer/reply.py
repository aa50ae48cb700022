"""The bytes of an answer: an OFFER beside the DHCP server's, or a boot server's ACK.

PXE 2.1 §2.2, RFC 4578. Both forms of every fact are filled, BOOTP fields and options 66 and 67:
some ROMs read only the one, some only the other. There is never an address, a router, a name
server or a lease in it.
"""

from collections.abc import Mapping
from typing import Final

from netboot.boot.answer.client import BootClient
from netboot.boot.answer.quirks import Shape
from netboot.protocols.dhcp import (
    BROADCAST_FLAG,
    HEADER_SIZE,
    REPLY_OP,
    MessageType,
    Option,
    Packet,
    from_dotted,
)
from netboot.protocols.pxe import (
    HTTP_CLIENT,
    PXE_CLIENT,
    USE_THIS_FILE,
    boot_item,
    encode_boot_item,
)

_SMALLEST_LIMIT: Final = 576 - 28  # RFC 2131 §2: what every client takes, less IP and UDP headers
_LARGEST_LIMIT: Final = 1500 - 28
_FILE_FIELD: Final = 127  # its 128th byte is the NUL

# Plain numbers: an IntEnum as a dictionary key costs a call each time.
_TYPE, _SERVER_ID, _CLASS = (
    int(Option.MESSAGE_TYPE),
    int(Option.SERVER_ID),
    int(Option.VENDOR_CLASS),
)
_MACHINE_ID, _VENDOR = int(Option.MACHINE_ID), int(Option.VENDOR_INFORMATION)
_NAME, _FILE = int(Option.SERVER_NAME), int(Option.BOOT_FILE)
_RELAY, _MAXIMUM = int(Option.RELAY_INFORMATION), int(Option.MAXIMUM_SIZE)


class Server:
    """Our address in the forms that packets want."""

    __slots__ = ("address", "name")

    def __init__(self, dotted: str) -> None:
        """Raises ValueError where `dotted` is not an IPv4 address."""
        self.address = from_dotted(dotted)
        self.name = dotted.encode("ascii")


def offer(
    packet: Packet, client: BootClient, *, file: str, shape: Shape, server: Server
) -> Packet | None:
    """The OFFER for a DISCOVER in the shape that its firmware needs; None where it cannot fit."""
    vendor = USE_THIS_FILE if shape.use_this_file else b""
    name = file.encode("ascii") if shape.names_file else b""
    options = _options(packet, client, MessageType.OFFER, name=name, server=server, vendor=vendor)
    if shape.terminated:
        _terminate(options)
    in_field = name if len(name) <= _FILE_FIELD else b""
    if not _made_fit(packet, options, file_in_field=bool(in_field)):
        return None
    return Packet(
        op=REPLY_OP,
        xid=packet.xid,
        mac=packet.mac,
        options=options,
        # Without an address of its own the client hears broadcasts only, behind a relay too.
        flags=packet.flags | BROADCAST_FLAG,
        next_server=server.address,
        relay=packet.relay,
        server_name=server.name,
        boot_file=in_field,
    )


def acknowledge(
    packet: Packet, client: BootClient, *, file: str, shape: Shape, server: Server
) -> Packet | None:
    """The boot server's ACK, with the boot item that was asked for; None where it cannot fit."""
    item = boot_item(packet.options.get(_VENDOR, b""))
    vendor = encode_boot_item(item) if item else b""
    name = file.encode("ascii")
    options = _options(packet, client, MessageType.ACK, name=name, server=server, vendor=vendor)
    if shape.terminated:
        _terminate(options)
    in_field = name if len(name) <= _FILE_FIELD else b""
    if not _made_fit(packet, options, file_in_field=bool(in_field)):
        return None
    return Packet(
        op=REPLY_OP,
        xid=packet.xid,
        mac=packet.mac,
        options=options,
        flags=packet.flags,
        client_address=packet.client_address,
        next_server=server.address,
        relay=packet.relay,
        server_name=server.name,
        boot_file=in_field,
    )


def _options(
    packet: Packet,
    client: BootClient,
    kind: MessageType,
    *,
    name: bytes,
    server: Server,
    vendor: bytes,
) -> dict[int, bytes]:
    asked = packet.options
    options = {
        _TYPE: bytes((kind,)),
        _SERVER_ID: server.address,
        _CLASS: HTTP_CLIENT if client.speaks_http else PXE_CLIENT,
    }
    machine_id = asked.get(_MACHINE_ID, b"")
    if len(machine_id) == 17:  # RFC 4578 §2.3: mirrored; odd ones are not
        options[_MACHINE_ID] = machine_id
    if vendor:
        options[_VENDOR] = vendor
    if name:
        options[_NAME] = server.name
        options[_FILE] = name
    if _RELAY in asked:  # RFC 3046 §2.2: echoed, last
        options[_RELAY] = asked[_RELAY]
    return options


def _terminate(options: dict[int, bytes]) -> None:
    for code in (_NAME, _FILE):
        if code in options:
            options[code] += b"\0"


def _made_fit(packet: Packet, options: dict[int, bytes], *, file_in_field: bool) -> bool:
    """Leave out what BOOTP fields say too, then what is only mirrored; whether it fits now."""
    limit = _size_limit(packet.options)
    spare = (_NAME, _FILE, _MACHINE_ID) if file_in_field else (_NAME, _MACHINE_ID)
    for code in spare:
        if _size(options) <= limit:
            return True
        options.pop(code, None)
    return _size(options) <= limit


def _size_limit(asked: Mapping[int, bytes]) -> int:
    value = asked.get(_MAXIMUM, b"")
    said = int.from_bytes(value, "big") - 28 if len(value) == 2 else 0
    return min(max(said, _SMALLEST_LIMIT), _LARGEST_LIMIT)


def _size(options: dict[int, bytes]) -> int:
    size = HEADER_SIZE + 1
    for value in options.values():
        length = len(value)
        size += 2 + length if length <= 255 else 2 * -(-length // 255) + length
    return size
