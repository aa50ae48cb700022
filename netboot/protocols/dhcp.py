"""DHCP packets: any bytes give a Packet or a ProtocolError with a reason.

Header and options: RFC 2131 §2 and RFC 2132. Overload (option 52) is read once, file before sname
(RFC 2131 §4.1). An option in several parts is one value (RFC 3396). Relay agent information goes
back last (RFC 3046 §2.2). Ethernet, and InfiniBand, whose ROMs (FlexBoot, iPXE) have an address of
8 bytes in chaddr, or none (RFC 4390 §2.1): the six bytes that stand for it are made of its GUID.

Addresses are the four bytes of the wire; `dotted` makes them readable.

A Packet is a named tuple because a frozen dataclass of its size takes six times as long to make
(3.2 us and 0.5 us, measured), and a boot storm brings thousands a second.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from netboot.errors import ProtocolError

SERVER_PORT: Final = 67
CLIENT_PORT: Final = 68

REQUEST_OP: Final = 1  # from a client, BOOTREQUEST
REPLY_OP: Final = 2  # from a server, BOOTREPLY
BROADCAST_FLAG: Final = 0x8000
NO_ADDRESS: Final = bytes(4)

_COOKIE = b"\x63\x82\x53\x63"
_START = struct.Struct(
    ">"
    "B"  # 0x00 op
    "B"  # 0x01 htype: 1 is Ethernet
    "B"  # 0x02 hlen
    "B"  # 0x03 hops
    "I"  # 0x04 xid
    "H"  # 0x08 secs
    "H"  # 0x0a flags
    "4s"  # 0x0c ciaddr
    "4s"  # 0x10 yiaddr
    "4s"  # 0x14 siaddr
    "4s"  # 0x18 giaddr
    "6s"  # 0x1c chaddr
    "10x"  # 0x22 chaddr's padding
)
_REST = struct.Struct(
    ">"
    "64s"  # 0x2c sname
    "128s"  # 0x6c file
    "4s"  # 0xec magic cookie
)
_START_AND_COOKIE = struct.Struct(f"{_START.format}192x4s")
HEADER_SIZE: Final = _START.size + _REST.size
_NAME, _FILE = slice(44, 108), slice(108, 236)
_MINIMUM_SIZE = 300  # RFC 1542 §2.1: a BOOTP message is never shorter; old ROMs insist

_new = tuple.__new__  # Packet(...) calls this last and takes twice as long

_INFINIBAND: Final = 32  # IANA's hardware types; RFC 4390
_LINK_TYPE: Final = slice(1, 3)
_LINK_ADDRESS: Final = slice(28, 44)
_CLIENT_ID: Final = 61
_LINK: Final = 256
"""Beside the options of an InfiniBand request: its hardware type, length and chaddr, for the reply.
No option on the wire has this code."""

_OVERLOAD: Final = 52
_OVERLOADED_FILE: Final = 1
_OVERLOADED_NAME: Final = 2


class MessageType(IntEnum):
    """Option 53 (RFC 2132 §9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """The options that a boot server reads or writes."""

    ROUTER = 3
    VENDOR_INFORMATION = 43
    REQUESTED_ADDRESS = 50
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    MAXIMUM_SIZE = 57
    VENDOR_CLASS = 60
    SERVER_NAME = 66
    BOOT_FILE = 67
    USER_CLASS = 77
    RELAY_INFORMATION = 82
    ARCHITECTURE = 93
    MACHINE_ID = 97
    IPXE = 175
    BCD_PATH = 252  # of a private use, for Microsoft's boot managers


class Packet(NamedTuple):
    """One DHCP message. `bytes(packet)` is its wire form, `Packet.from_bytes` the inverse.

    `server_name` and `boot_file` end before the first NUL; they are empty if option 52 uses those
    fields for options. `options` has each option once, in the order of the wire.
    """

    op: int
    xid: int
    mac: bytes
    options: Mapping[int, bytes]
    hops: int = 0
    seconds: int = 0
    flags: int = 0
    client_address: bytes = NO_ADDRESS
    your_address: bytes = NO_ADDRESS
    next_server: bytes = NO_ADDRESS
    relay: bytes = NO_ADDRESS
    server_name: bytes = b""
    boot_file: bytes = b""

    @staticmethod
    def from_bytes(data: bytes) -> "Packet":
        """Parse any bytes. Raises ProtocolError with the reason, and nothing else."""
        if len(data) < HEADER_SIZE:
            raise ProtocolError(f"{len(data)} bytes are less than a DHCP header")
        (op, htype, hlen, hops, xid, seconds, flags, client, yours, server, relay, mac,
         cookie) = _START_AND_COOKIE.unpack_from(data)  # fmt: skip
        if cookie != _COOKIE:
            raise ProtocolError("no DHCP magic cookie")
        if op != REQUEST_OP and op != REPLY_OP:  # noqa: PLR1714 - a storm's hot path
            raise ProtocolError(f"operation {op} is neither request nor reply")
        options = _options_of(data)
        if htype != 1 or hlen != 6:
            mac = _infiniband_address(htype, hlen, data, options)
            options[_LINK] = data[_LINK_TYPE] + data[_LINK_ADDRESS]
        # Requests seldom have names: a byte is looked at before 192 are copied.
        name = data[_NAME] if data[_NAME.start] or _OVERLOAD in options else b""
        file = data[_FILE] if data[_FILE.start] or _OVERLOAD in options else b""
        if _OVERLOAD in options:
            name, file = _read_overloaded(options.pop(_OVERLOAD), name, file, options)
        name, file = name.partition(b"\0")[0], file.partition(b"\0")[0]
        return _new(Packet, (op, xid, mac, options, hops, seconds, flags, client, yours, server,
                             relay, name, file))  # fmt: skip

    def __bytes__(self) -> bytes:
        if len(self.server_name) > 64 or len(self.boot_file) > 128:
            raise ValueError("server name or boot file does not fit its field")
        (op, xid, mac, options, hops, seconds, flags, client, yours, server, relay, name,
         file) = self  # fmt: skip
        header = _START.pack(op, 1, 6, hops, xid, seconds, flags, client, yours, server, relay,
                             mac)  # fmt: skip
        rest = _REST.pack(name, file, _COOKIE)
        return (header + rest + encode_options(options) + b"\xff").ljust(_MINIMUM_SIZE, b"\0")

    @property
    def message_type(self) -> MessageType | None:
        """Option 53, or None if it is missing or unknown."""
        return message_type_of(self.options)

    @property
    def mac_address(self) -> str:
        """The hardware address in lower case with colons."""
        return self.mac.hex(":")


# Plain numbers: an attribute of an Enum class costs a call in Python 3.11.
_MESSAGE_TYPE: Final = int(Option.MESSAGE_TYPE)
_MACHINE_ID: Final = int(Option.MACHINE_ID)
_MESSAGE_TYPES: Final = {bytes([kind]): kind for kind in MessageType}


def message_type_of(options: Mapping[int, bytes]) -> MessageType | None:
    """Option 53, or None if it is missing or unknown."""
    return _MESSAGE_TYPES.get(options.get(_MESSAGE_TYPE, b""))


def _infiniband_address(htype: int, hlen: int, data: bytes, options: Mapping[int, bytes]) -> bytes:
    """Six bytes for an InfiniBand port: its GUID without the two in the middle.

    iPXE sends the GUID as chaddr (src/net/udp/dhcp.c), FlexBoot at the end of its client id. Raises
    ProtocolError for other hardware.
    """
    if htype != _INFINIBAND or hlen > 16:
        raise ProtocolError(f"hardware type {htype} with {hlen}-byte addresses: not Ethernet")
    guid = data[_LINK_ADDRESS][:8] if hlen == 8 else options.get(_CLIENT_ID, b"")[-8:]
    if len(guid) < 8:
        raise ProtocolError("an InfiniBand request without an address and a client id")
    return guid[:3] + guid[5:]


def dotted(address: bytes) -> str:
    first, second, third, fourth = address
    return f"{first}.{second}.{third}.{fourth}"


def from_dotted(address: str) -> bytes:
    """The inverse of `dotted`. Raises ValueError."""
    parts = [int(part) for part in address.split(".") if part.isdecimal()]
    if len(parts) != 4 or address.count(".") != 3:
        raise ValueError(f"{address!r} is not an IPv4 address")
    return bytes(parts)


class ReplyFields(NamedTuple):
    """The BOOTP fields of a reply that name the server: siaddr, sname and file."""

    server: bytes
    name: bytes
    file: bytes


def encode_reply_rest(fields: ReplyFields, options: bytes) -> bytes:
    """The part of a reply that is the same for all clients: sname, file and first options."""
    return _REST.pack(fields.name, fields.file, _COOKIE) + options


def encode_reply(
    request: Packet, server: bytes, rest: tuple[bytes, ...], flags: int, client_address: bytes
) -> bytes:
    """The reply to `request`; making a Packet would take longer.

    `server` is siaddr; `rest` begins with `encode_reply_rest`, then encoded options.
    """
    start = _START.pack(REPLY_OP, 1, 6, 0, request.xid, 0, flags, client_address, NO_ADDRESS,
                        server, request.relay, request.mac)  # fmt: skip
    if _LINK in request.options:
        start, rest = _infiniband_reply(request, start, rest)
    return b"".join((start, *rest, b"\xff")).ljust(_MINIMUM_SIZE, b"\0")


def _infiniband_reply(
    request: Packet, start: bytes, rest: tuple[bytes, ...]
) -> tuple[bytes, tuple[bytes, ...]]:
    """The client's own link address, and its client id: it tells its answer by that."""
    link = request.options[_LINK]
    start = start[:1] + link[:2] + start[3:28] + link[2:]
    if own := request.options.get(_CLIENT_ID):  # RFC 4390 §2.1
        rest = (rest[0], encode_options({_CLIENT_ID: own}), *rest[1:])
    return start, rest


def encode_options(options: Mapping[int, bytes]) -> bytes:
    """Options as code, length, value; without the END. Values over 255 bytes are split."""
    parts = []
    for code, value in options.items():
        if len(value) <= 255:
            parts.append(bytes((code, len(value))) + value)
            continue
        for start in range(0, len(value), 255):  # RFC 3396 §5
            piece = value[start : start + 255]
            parts.append(bytes((code, len(piece))) + piece)
    return b"".join(parts)


def decode_options(data: bytes) -> dict[int, bytes]:
    """The options inside another option. Raises ProtocolError."""
    return _read_options(data, 0, {})


_OWN_ID: Final = bytes((Option.MACHINE_ID, 17))  # option 97 as RFC 4578 §2.3 has it
_OTHER_IDS: Final = (bytes(17), b"\xff" * 17)
_MODELS_KEPT: Final = 256
_models: dict[tuple[int, bytes], dict[int, bytes]] = {}
_CHADDR: Final = slice(28, 34)


def _options_of(data: bytes) -> dict[int, bytes]:
    """The options after the header.

    Machines of one model send the same bytes except for their id (option 97), so what all of them
    send is parsed once. The key is every byte that is read, except for the id itself.
    """
    place = data.find(_OWN_ID, HEADER_SIZE)
    end = place + 2 + 17
    key = place, data[HEADER_SIZE:place] + data[end:]
    alike = _models.get(key)
    if alike is None:
        options = _read_options(data, HEADER_SIZE, {})
        if place > 0 and data.find(data[_CHADDR], HEADER_SIZE) < 0:  # no MAC address in option 61
            _remember_model(data, place, key)
        return options
    options = alike.copy()
    options[_MACHINE_ID] = data[place + 2 : end]
    return options


def _remember_model(data: bytes, place: int, key: tuple[int, bytes]) -> None:
    """Keep the options if the bytes at `place` are option 97, and the only one.

    They are if the option follows them: those bytes may be a part of another option's value.
    """
    before, after = data[: place + 2], data[place + 2 + 17 :]
    read = [_read_options(before + own + after, HEADER_SIZE, {}) for own in _OTHER_IDS]
    if all(own == options.get(_MACHINE_ID) for own, options in zip(_OTHER_IDS, read, strict=True)):
        if len(_models) >= _MODELS_KEPT:  # a hostile client can invent options
            _models.clear()
        _models[key] = read[0]


def _read_options(data: bytes, start: int, options: dict[int, bytes]) -> dict[int, bytes]:
    """Add the options from `start` to END, or to the last byte: some ROMs omit END."""
    position, size = start, len(data)
    try:
        while (code := data[position]) != 255:  # END
            if not code:  # PAD
                position += 1
                continue
            end = position + 2 + data[position + 1]
            value = data[position + 2 : end]
            position = end
            # RFC 3396 §7: the parts of an option are joined in the order of appearance.
            options[code] = options[code] + value if code in options else value
    except IndexError:
        if position < size:
            raise ProtocolError(f"option {code} has no length") from None
        if position > size:
            raise ProtocolError(f"option {code} runs past the end") from None
    return options


def _read_overloaded(
    overload: bytes, name: bytes, file: bytes, options: dict[int, bytes]
) -> tuple[bytes, bytes]:
    """Add the options in the fields that option 52 names; return the fields without options."""
    if len(overload) != 1:
        raise ProtocolError(f"option 52 says {overload.hex() or 'nothing'}: not 1, 2 or 3")
    if not 1 <= overload[0] <= 3:  # some ROMs send 0: they overload nothing
        return name, file
    if overload[0] & _OVERLOADED_FILE:
        _read_options(file, 0, options)
        file = b""
    if overload[0] & _OVERLOADED_NAME:
        _read_options(name, 0, options)
        name = b""
    options.pop(_OVERLOAD, None)  # an overload inside these fields has no meaning
    return name, file
