"""Requests as firmware sends them, and content to be offered: what DHCP tests begin with."""

import struct
from ipaddress import IPv4Network
from types import MappingProxyType

from netboot.boot.answer.proxy_dhcp import Settings
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile, PublishedContent
from netboot.protocols.dhcp import MessageType, Packet

MAC = bytes.fromhex("525400770001")
MACHINE_ID = b"\0" + bytes.fromhex("33221100554477668899aabbccddeeff")
SERVER = "10.77.0.2"
SETTINGS = Settings(
    server=SERVER,
    networks=(IPv4Network("10.77.0.0/24"),),
    relays=(IPv4Network("10.78.0.0/24"),),
)


def request(
    *,
    message: MessageType = MessageType.DISCOVER,
    architecture: int | None = 7,
    vendor_class: bytes | None = None,
    mac: bytes = MAC,
    xid: int = 0x1234,
    relay: bytes = bytes(4),
    address: bytes = bytes(4),
    options: dict[int, bytes] | None = None,
) -> Packet:
    """A client's packet; `options` are added to those that every PXE ROM sends."""
    kind = b"PXEClient:Arch:%05d:UNDI:003000" % (architecture or 0)
    built = {53: bytes((message,)), 60: kind if vendor_class is None else vendor_class}
    if architecture is not None:
        built[93] = struct.pack(">H", architecture)
    built |= {94: b"\x01\x03\x00", 97: MACHINE_ID, **(options or {})}
    return Packet(
        op=1,
        xid=xid,
        mac=mac,
        options=built,
        flags=0x8000,
        relay=relay,
        client_address=address,
    )


def ipxe(*, architecture: int = 0, **fields: object) -> Packet:
    """The DISCOVER of an iPXE on an Intel 82540EM."""
    extra = {77: b"iPXE", 175: bytes.fromhex("b105018086100eeb03010000")}
    return request(architecture=architecture, options=extra, **fields)  # type: ignore[arg-type]


def version(
    architecture: Architecture = Architecture.X64,
    *,
    chains: tuple[str, ...] = ("linux",),
    files: tuple[str, ...] = (),
    image: str = "",
    number: int = 7,
) -> ContentVersion:
    """A version that holds `files`, of no account but their names."""
    manifest = tuple(ManifestFile(name, "sha256:" + "0" * 64, 1) for name in files)
    name = image or f"Lab PE {architecture}"
    return ContentVersion(name, number, architecture, "sha256:0", 0.0, manifest, chains)


def published(
    *versions: ContentVersion,
    defaults: dict[Architecture, str] | None = None,
    assignments: dict[str, str] | None = None,
) -> PublishedContent:
    """A point that holds `versions`; the first of each architecture is its default."""
    if defaults is None:
        defaults = {one.architecture: one.image for one in reversed(versions)}
    return PublishedContent(
        1,
        MappingProxyType({one.image: one for one in versions}),
        MappingProxyType({(one.image, one.number): one for one in versions}),
        MappingProxyType(defaults),
        MappingProxyType(assignments or {}),
    )


X64 = version()
X86 = version(Architecture.X86, number=3)
BOTH = published(X64, X86)
