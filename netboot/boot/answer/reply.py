"""The bytes of an answer: an OFFER next to the DHCP server's, or a boot server's ACK.

PXE 2.1 §2.2, RFC 4578. The server and file are in the BOOTP fields and in options 66 and 67: some
ROMs read only these, some only those. An answer never has an address, a router, a name server or
a lease.
"""

from typing import Final, NamedTuple

from netboot.boot.answer.quirks import Shape
from netboot.boot.files.ipxe_script import BCD_PATH
from netboot.boot.files.names import FIRST_PROGRAMS
from netboot.protocols.dhcp import (
    BROADCAST_FLAG,
    NO_ADDRESS,
    MessageType,
    Option,
    Packet,
    ReplyFields,
    encode_options,
    encode_reply,
    encode_reply_rest,
    from_dotted,
)
from netboot.protocols.pxe import (
    HTTP_CLIENT,
    PXE_CLIENT,
    USE_THIS_FILE,
    boot_item,
    encode_boot_item,
)

_SMALLEST_LIMIT: Final = 576 - 28  # RFC 2131 §2: every client accepts this; less IP and UDP
_LARGEST_LIMIT: Final = 1500 - 28
_BEFORE_REST: Final = 44 + 1  # bytes of the header before sname, and the END
_FILE_FIELD: Final = 127

# Windows 8's boot manager (6.2.8400) asks for no BCD unless the boot server's answer names it;
# later ones take that name too (seen).
_MANAGERS: Final = frozenset(name.encode("ascii") for name in FIRST_PROGRAMS)
_BCD_PATH: Final = encode_options({Option.BCD_PATH: BCD_PATH})

# Plain numbers: an attribute of an Enum class costs a call in Python 3.11.
_MACHINE_ID, _RELAY = int(Option.MACHINE_ID), int(Option.RELAY_INFORMATION)


class Server:
    """Our address in the forms that packets need."""

    __slots__ = ("address", "name")

    def __init__(self, dotted: str) -> None:
        """Raises ValueError where `dotted` is not an IPv4 address."""
        self.address = from_dotted(dotted)
        self.name = dotted.encode("ascii")


class Wording(NamedTuple):
    """The part of an answer that is the same for all machines of a model: encoded options."""

    start: bytes  # sname, file; type, server and class, before the machine's own id
    vendor: bytes  # with the path of the BCD, for Microsoft's boot managers
    name: bytes
    file: bytes
    together: bytes  # the three above
    server: bytes
    room: int  # bytes of options that fit with `start` into the smallest limit
    file_in_field: bool


def offer_wording(file: str, shape: Shape, *, speaks_http: bool, server: Server) -> Wording:
    name = file.encode("ascii") if shape.names_file else b""
    return _wording(
        MessageType.OFFER,
        name,
        vendor=USE_THIS_FILE if shape.use_this_file else b"",
        terminated=shape.terminated,
        speaks_http=speaks_http,
        server=server,
    )


def offer(packet: Packet, wording: Wording) -> bytes | None:
    """The OFFER for a DISCOVER; None if the relay's information leaves no room for it."""
    rest = _filled(packet, wording)
    if rest is None:
        return None
    # A client without an address receives broadcasts only, also behind a relay (RFC 2131 §4.1).
    flags = packet.flags | BROADCAST_FLAG
    return encode_reply(packet, wording.server, rest, flags, NO_ADDRESS)


def acknowledge(
    packet: Packet, *, file: str, shape: Shape, speaks_http: bool, server: Server
) -> bytes | None:
    """The boot server's ACK, with the requested boot item; None as for `offer`."""
    item = boot_item(packet.options.get(Option.VENDOR_INFORMATION, b""))
    wording = _wording(
        MessageType.ACK,
        file.encode("ascii"),
        vendor=encode_boot_item(item) if item else b"",
        terminated=shape.terminated,
        speaks_http=speaks_http,
        server=server,
    )
    rest = _filled(packet, wording)
    if rest is None:
        return None
    return encode_reply(packet, wording.server, rest, packet.flags, packet.client_address)


def _wording(
    kind: MessageType,
    name: bytes,
    *,
    vendor: bytes,
    terminated: bool,
    speaks_http: bool,
    server: Server,
) -> Wording:
    end = b"\0" if terminated else b""
    before: dict[int, bytes] = {
        Option.MESSAGE_TYPE: bytes((kind,)),
        Option.SERVER_ID: server.address,
        # UEFI HTTP boot ignores an answer without this class (edk2: HttpBootDhcp4.c).
        Option.VENDOR_CLASS: HTTP_CLIENT if speaks_http else PXE_CLIENT,
    }
    # A longer name is in option 67 alone: the field's 128th byte is the NUL.
    fields = ReplyFields(server.address, server.name, name if len(name) <= _FILE_FIELD else b"")
    start = encode_reply_rest(fields, encode_options(before))
    vendor = encode_options({Option.VENDOR_INFORMATION: vendor}) if vendor else b""
    if name in _MANAGERS:
        vendor += _BCD_PATH
    server_name = encode_options({Option.SERVER_NAME: server.name + end}) if name else b""
    file = encode_options({Option.BOOT_FILE: name + end}) if name else b""
    return Wording(
        start=start,
        vendor=vendor,
        name=server_name,
        file=file,
        together=vendor + server_name + file,
        server=server.address,
        room=_SMALLEST_LIMIT - _BEFORE_REST - len(start),
        file_in_field=bool(fields.file),
    )


def _filled(packet: Packet, wording: Wording) -> tuple[bytes, ...] | None:
    """The rest of a reply, with options from the request, in the size that the client accepts."""
    asked = packet.options
    own = asked.get(_MACHINE_ID, b"")
    own = b"\x61\x11" + own if len(own) == 17 else b""  # RFC 4578 §2.3: returned unchanged
    # RFC 3046 §2.2: returned unchanged, as the last option.
    relay = encode_options({_RELAY: asked[_RELAY]}) if _RELAY in asked else b""
    start, vendor, name, file, together, _, room, file_in_field = wording
    if len(own) + len(together) + len(relay) <= room:
        return start, own, together, relay
    maximum = asked.get(Option.MAXIMUM_SIZE, b"")
    accepted = int.from_bytes(maximum, "big") - 28 if len(maximum) == 2 else 0
    room += min(max(accepted, _SMALLEST_LIMIT), _LARGEST_LIMIT) - _SMALLEST_LIMIT
    # Drop first what the BOOTP fields contain too, then the machine's own id.
    kept = b"" if file_in_field else file
    for parts in (
        (own, vendor, name, file),
        (own, vendor, file),
        (own, vendor, kept),
        (vendor, kept),
    ):
        if sum(map(len, parts)) + len(relay) <= room:
            return start, *parts, relay
    return None
