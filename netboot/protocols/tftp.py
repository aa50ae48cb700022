"""TFTP packets: bytes to values and back.

RFC 1350 (packets), RFC 2347 (options). What options mean is in `tftp_options`, what follows what
in `transfer`. `from_bytes` and `bytes(packet)` are inverses for every well-formed packet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from netboot.errors import ProtocolError
from netboot.protocols.printable import printable

MAX_REQUEST = 1024
"""Bytes of a request. RFC 2347 allows 512; some firmware sends more."""

MAX_OPTIONS = 8
MAX_OPTION = 64
"""Bytes of an option's name and value together; a longer one counts as unknown."""

MAX_ERROR_TEXT = 64


class Opcode(IntEnum):
    """The first two bytes of every packet (RFC 1350 §5, RFC 2347)."""

    READ = 1
    WRITE = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OPTION_ACK = 6


class ErrorCode(IntEnum):
    """RFC 1350 §5 and, for 8, RFC 2347."""

    NOT_DEFINED = 0
    FILE_NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TRANSFER_ID = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTION_REFUSED = 8


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A client wants a file. `mode` is in lower case; option names too, values as sent."""

    name: bytes
    mode: str = "octet"
    options: Mapping[str, bytes] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        return _request(Opcode.READ, self.name, self.mode, self.options)


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A client wants to store a file; we always refuse."""

    name: bytes
    mode: str = "octet"
    options: Mapping[str, bytes] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        return _request(Opcode.WRITE, self.name, self.mode, self.options)


@dataclass(frozen=True, slots=True)
class Data:
    """One block; `block` is the number on the wire, modulo 2^16."""

    block: int
    payload: bytes

    def __bytes__(self) -> bytes:
        return _numbered(Opcode.DATA, self.block) + self.payload


@dataclass(frozen=True, slots=True)
class Ack:
    """The client has all blocks up to `block` (modulo 2^16)."""

    block: int

    def __bytes__(self) -> bytes:
        return _numbered(Opcode.ACK, self.block)


@dataclass(frozen=True, slots=True)
class Error:
    """The end of a transfer, with a reason. Never acknowledged (RFC 1350 §7)."""

    code: int
    message: str = ""

    def __bytes__(self) -> bytes:
        text = self.message.encode("ascii", "replace").replace(b"\0", b"?")[:MAX_ERROR_TEXT]
        return _numbered(Opcode.ERROR, self.code) + text + b"\0"


@dataclass(frozen=True, slots=True)
class OptionAck:
    """The options that the server accepts, with their final values."""

    options: Mapping[str, bytes]

    def __bytes__(self) -> bytes:
        return Opcode.OPTION_ACK.to_bytes(2, "big") + _pairs(self.options)


Packet = ReadRequest | WriteRequest | Data | Ack | Error | OptionAck


def from_bytes(packet: bytes) -> Packet:
    """Parse any packet. Raises ProtocolError for anything that is not TFTP."""
    if len(packet) < 4:
        raise ProtocolError(f"a TFTP packet has at least 4 bytes, this one {len(packet)}")
    opcode, number = int.from_bytes(packet[:2], "big"), int.from_bytes(packet[2:4], "big")
    match opcode:
        case Opcode.READ:
            return ReadRequest(*_split_request(packet))
        case Opcode.WRITE:
            return WriteRequest(*_split_request(packet))
        case Opcode.DATA:
            return Data(number, packet[4:])
        case Opcode.ACK:
            return Ack(number)
        case Opcode.ERROR:
            return Error(number, printable(packet[4:].split(b"\0", 1)[0][:MAX_ERROR_TEXT]))
        case Opcode.OPTION_ACK:
            return OptionAck(_options(packet[2:].split(b"\0")))
    raise ProtocolError(f"TFTP has no packet type {opcode}")


def _numbered(opcode: Opcode, number: int) -> bytes:
    return opcode.to_bytes(2, "big") + (number & 0xFFFF).to_bytes(2, "big")


def _split_request(packet: bytes) -> tuple[bytes, str, dict[str, bytes]]:
    if len(packet) > MAX_REQUEST:
        raise ProtocolError(f"a request of {len(packet)} bytes is too long")
    fields = packet[2:].split(b"\0")
    if len(fields) < 3:
        raise ProtocolError("a request names a file and a mode, each ended by a zero byte")
    mode = fields[1].decode("ascii", "replace").lower()
    return fields[0], mode, _options(fields[2:])


def _options(fields: list[bytes]) -> dict[str, bytes]:
    """Name and value in turn; the last field is the rest after the last zero byte.

    Of several options with one name the first wins. An option without a value, a long one and
    all after the eighth are left out: an option that we do not accept is not acknowledged.
    """
    found: dict[str, bytes] = {}
    for name, value in zip(fields[0:-1:2], fields[1:-1:2], strict=False):
        if len(found) == MAX_OPTIONS:
            break
        if name and len(name) + len(value) <= MAX_OPTION:
            found.setdefault(name.decode("ascii", "replace").lower(), value)
    return found


def _request(opcode: Opcode, name: bytes, mode: str, options: Mapping[str, bytes]) -> bytes:
    head = opcode.to_bytes(2, "big") + name + b"\0" + mode.encode("ascii") + b"\0"
    return head + _pairs(options)


def _pairs(options: Mapping[str, bytes]) -> bytes:
    return b"".join(name.encode("ascii") + b"\0" + value + b"\0" for name, value in options.items())
