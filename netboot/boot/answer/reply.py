"""The bytes of an answer: an OFFER next to the DHCP server's, or a boot server's ACK.

PXE 2.1 §2.2, RFC 4578. Both forms of every fact are filled, BOOTP fields and options 66 and 67:
some ROMs read only the one, some only the other. There is never an address, a router, a name
server or a lease in it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from netboot.boot.answer.quirks import Shape
from netboot.protocols.dhcp import (
    BROADCAST_FLAG,
    HEADER_SIZE,
    NO_ADDRESS,
    MessageType,
    Option,
    Packet,
    ReplyFields,
    encode_options,
    encode_reply,
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
_AROUND_OPTIONS: Final = HEADER_SIZE + 1  # and the END
_FILE_FIELD: Final = 127

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


class Wording(NamedTuple):
    """What an OFFER says to every machine of a model.

    `options` are encoded, by code and in the order in which they are sent; those that come from
    the request itself are empty here and keep their place.
    """

    options: Mapping[int, bytes]
    fields: ReplyFields


def offer_wording(file: str, shape: Shape, *, speaks_http: bool, server: Server) -> Wording:
    """The words for an OFFER of `file` in the shape that the firmware needs."""
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
    """The OFFER for a DISCOVER; None where the relay's information leaves no room for it."""
    options = _filled(packet, wording)
    if options is None:
        return None
    # Without an address of its own the client hears broadcasts only, behind a relay too.
    flags = packet.flags | BROADCAST_FLAG
    return encode_reply(packet, wording.fields, options, flags, NO_ADDRESS)


def acknowledge(
    packet: Packet, *, file: str, shape: Shape, speaks_http: bool, server: Server
) -> bytes | None:
    """The boot server's ACK, with the boot item that was asked for; None as for `offer`."""
    item = boot_item(packet.options.get(_VENDOR, b""))
    wording = _wording(
        MessageType.ACK,
        file.encode("ascii"),
        vendor=encode_boot_item(item) if item else b"",
        terminated=shape.terminated,
        speaks_http=speaks_http,
        server=server,
    )
    options = _filled(packet, wording)
    if options is None:
        return None
    return encode_reply(packet, wording.fields, options, packet.flags, packet.client_address)


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
    options = {
        _TYPE: bytes((kind,)),
        _SERVER_ID: server.address,
        # UEFI HTTP boot ignores an answer without its own word here (edk2: HttpBootDhcp4.c).
        _CLASS: HTTP_CLIENT if speaks_http else PXE_CLIENT,
        _MACHINE_ID: b"",
        _VENDOR: vendor,
        _NAME: server.name + end if name else b"",
        _FILE: name + end if name else b"",
        _RELAY: b"",  # RFC 3046 §2.2: a relay looks for its information at the end
    }
    return Wording(
        {code: encode_options({code: value}) if value else b"" for code, value in options.items()},
        # A longer name is in option 67 alone: the field's 128th byte is the NUL.
        ReplyFields(server.address, server.name, name if len(name) <= _FILE_FIELD else b""),
    )


def _filled(packet: Packet, wording: Wording) -> bytes | None:
    """The options with what the request itself brings, cut to the size that the client takes."""
    asked = packet.options
    options = dict(wording.options)
    machine_id = asked.get(_MACHINE_ID)
    if machine_id and len(machine_id) == 17:  # RFC 4578 §2.3: mirrored; odd ones are not
        options[_MACHINE_ID] = b"\x61\x11" + machine_id
    relay = asked.get(_RELAY)
    if relay is not None:
        options[_RELAY] = encode_options({_RELAY: relay})  # RFC 3046 §2.2: echoed
    made = b"".join(options.values())
    if len(made) <= _SMALLEST_LIMIT - _AROUND_OPTIONS:
        return made
    # First goes what the BOOTP fields say too, then what is only mirrored.
    limit = _size_limit(asked) - _AROUND_OPTIONS
    for code in (_NAME, _FILE, _MACHINE_ID) if wording.fields.file else (_NAME, _MACHINE_ID):
        if len(made) <= limit:
            break
        del options[code]
        made = b"".join(options.values())
    return made if len(made) <= limit else None


def _size_limit(asked: Mapping[int, bytes]) -> int:
    value = asked.get(_MAXIMUM, b"")
    said = int.from_bytes(value, "big") - 28 if len(value) == 2 else 0
    return min(max(said, _SMALLEST_LIMIT), _LARGEST_LIMIT)
