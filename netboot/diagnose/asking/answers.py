"""Reads servers' replies with scapy, independently of our own DHCP code."""

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from scapy.error import Scapy_Exception
from scapy.layers.dhcp import BOOTP, DHCP

from netboot.diagnose.asking.menu import BootMenu, read_menu

_BOOT_WORDS: Final = (b"PXEClient", b"HTTPClient")
_OFFER: Final = 2
ACK: Final = 5
# What scapy raises if one of its fields cannot read the bytes.
_UNREADABLE = (Scapy_Exception, struct.error, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Reply:
    """One server's answer to a simulated machine; it came from `via_port`.

    `offered` is the address for the client, with its `mask` and `router`; `server` is the server
    identifier. `after` is the time until the answer, in seconds.
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
        """Whether it is a DHCP server's answer; on port 4011 servers only repeat the address."""
        return self.offered != "0.0.0.0" and self.via_port != 4011  # noqa: S104 - compared

    @property
    def is_boot(self) -> bool:
        """Whether it is a boot server's answer: it has option 60, or names a file."""
        return bool(self.vendor_class or self.file)

    @property
    def skips_discovery(self) -> bool:
        """Whether option 43 tells PXE firmware to load this file at once."""
        return b"\x06\x01\x08" in self.vendor_options[:3]

    @property
    def menu(self) -> BootMenu | None:
        """The PXE boot menu that option 43 contains, if there is one."""
        return read_menu(self.vendor_options)

    @property
    def boot_server(self) -> str:
        """The server that has the file, or that answers on port 4011."""
        return self.next_server if self.next_server != "0.0.0.0" else self.server  # noqa: S104


def read_reply(data: bytes, source: str, port: int, *, after: float = 0.0) -> Reply | None:
    """The OFFER or ACK in a datagram, or None."""
    try:
        packet = BOOTP(data)
        options = {o[0]: o[1] for o in packet[DHCP].options if isinstance(o, tuple)}
    except _UNREADABLE:
        return None
    message = options.get("message-type")
    if packet.op != 2 or message not in {_OFFER, ACK}:
        return None
    vendor_class = _bytes(options.get("vendor_class_id"))
    # As firmware reads it: option 67, else the BOOTP field; up to the first NUL.
    file = _bytes(options.get("boot-file-name")) or _bytes(packet.file)
    return Reply(
        xid=packet.xid,
        source=source,
        via_port=port,
        message=message,
        server=str(options.get("server_id") or source),
        offered=str(packet.yiaddr),
        next_server=str(packet.siaddr),
        file=_text(file.split(b"\0")[0]),
        vendor_class=_text(vendor_class) if vendor_class.startswith(_BOOT_WORDS) else "",
        vendor_options=_bytes(options.get("vendor_specific")),
        mask=str(options.get("subnet_mask") or ""),
        router=str(options.get("router") or ""),
        after=after,
    )


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode() if value is not None else b""


def _text(value: bytes) -> str:
    return value.decode("ascii", errors="backslashreplace")
