"""What servers replied, read with scapy: another reader than the one that our server uses."""

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from scapy.error import Scapy_Exception
from scapy.layers.dhcp import BOOTP, DHCP

_BOOT_WORDS: Final = (b"PXEClient", b"HTTPClient")
_OFFER, _ACK = 2, 5
# What scapy raises on bytes that make no sense to one of its fields.
_UNREADABLE = (Scapy_Exception, struct.error, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Reply:
    """One server's answer to a made-up machine; `via_port` is the port it came from.

    `offered` is the address that the client may have, with its `mask` and `router`; `server` is
    who says it is answering. `after` is how many seconds it took.
    """

    xid: int
    source: str
    via_port: int
    message: int
    server: str
    offered: str
    next_server: str
    file: str
    vendor_class: str
    vendor_options: bytes = b""
    mask: str = ""
    router: str = ""
    after: float = field(default=0.0, compare=False)

    @property
    def gives_address(self) -> bool:
        """Whether it is an ordinary DHCP server's answer; on 4011 addresses are only repeated."""
        return self.offered != "0.0.0.0" and self.via_port != 4011  # noqa: S104 - compared

    @property
    def is_boot(self) -> bool:
        """Whether it speaks of booting: by option 60, or by naming a file."""
        return bool(self.vendor_class or self.file)

    @property
    def skips_discovery(self) -> bool:
        """Whether option 43 tells PXE firmware to take this very file."""
        return b"\x06\x01\x08" in self.vendor_options[:3]

    @property
    def boot_server(self) -> str:
        """Where the file is to be had, or where port 4011 is to be asked."""
        return self.next_server if self.next_server != "0.0.0.0" else self.server  # noqa: S104


def read_reply(data: bytes, source: str, port: int, *, after: float = 0.0) -> Reply | None:
    """The OFFER or ACK in a datagram, or None."""
    try:
        packet = BOOTP(data)
        options = _options(packet)
    except _UNREADABLE:
        return None
    message = options.get("message-type")
    if packet.op != 2 or message not in {_OFFER, _ACK}:
        return None
    vendor_class = _bytes(options.get("vendor_class_id"))
    return Reply(
        xid=packet.xid,
        source=source,
        via_port=port,
        message=message,
        server=str(options.get("server_id") or source),
        offered=str(packet.yiaddr),
        next_server=str(packet.siaddr),
        file=_file(packet, options),
        vendor_class=_text(vendor_class) if vendor_class.startswith(_BOOT_WORDS) else "",
        vendor_options=_bytes(options.get("vendor_specific")),
        mask=str(options.get("subnet_mask") or ""),
        router=str(options.get("router") or ""),
        after=after,
    )


def _options(packet: Any) -> dict[str, Any]:
    if DHCP not in packet:
        return {}
    return {one[0]: one[1] for one in packet[DHCP].options if isinstance(one, tuple)}


def _file(packet: Any, options: dict[str, Any]) -> str:
    """As firmware reads it: option 67, else the BOOTP field; up to the first NUL."""
    named = _bytes(options.get("boot-file-name")) or _bytes(packet.file)
    return _text(named.split(b"\0")[0])


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode() if value is not None else b""


def _text(value: bytes) -> str:
    return value.decode("ascii", errors="backslashreplace")
