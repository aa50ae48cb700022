"""An iPXE boot ROM made to look like an ordinary PXE ROM.

QEMU's network cards have iPXE, which announces itself (user class 77, option 175). Most machines in
the field have a plain PXE 2.1 ROM. Without these two options in its DHCP packets, iPXE is served as
they are. After the first TFTP request the packets come from the program that we sent: they stay as
they are.
"""

_ETHERTYPE_IPV4 = b"\x08\x00"
_UDP = 17
_TELLTALES = frozenset({77, 175})
_DHCP_SERVER = 67
_BOOT_SERVER = 4011
_TFTP = 69


class PlainPxe:
    """A switch hook for one machine's port."""

    def __init__(self) -> None:
        self._disguised = True

    def __call__(self, frame: bytes) -> bytes | None:
        port = udp_destination(frame)
        if port == _TFTP:
            self._disguised = False
        if self._disguised and port in {_DHCP_SERVER, _BOOT_SERVER}:
            return without_telltales(frame)
        return frame


def udp_destination(frame: bytes) -> int | None:
    """The destination port of a UDP frame over IPv4; None for anything else."""
    if len(frame) < 42 or frame[12:14] != _ETHERTYPE_IPV4 or frame[23] != _UDP:
        return None
    start = _udp_start(frame)
    return int.from_bytes(frame[start + 2 : start + 4], "big")


def without_telltales(frame: bytes) -> bytes:
    """A DHCP frame with options 77 and 175 turned into padding (RFC 2132 §3.1)."""
    start = _udp_start(frame)
    changed = bytearray(frame)
    at = start + 8 + 240  # UDP header, BOOTP header with magic cookie
    while at + 1 < len(changed) and changed[at] != 255:
        if changed[at] == 0:
            at += 1
            continue
        length = 2 + changed[at + 1]
        if changed[at] in _TELLTALES:
            changed[at : at + length] = bytes(length)
        at += length
    changed[start + 6 : start + 8] = b"\0\0"  # no checksum (RFC 768)
    return bytes(changed[: len(frame)])


def _udp_start(frame: bytes) -> int:
    return 14 + (frame[14] & 15) * 4
