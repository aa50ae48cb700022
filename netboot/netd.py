"""netd: proxyDHCP and TFTP in one process and one loop, joined to what the point serves.

It needs the low ports and nothing else: it reads the point's folder and appends to the journal.
"""

import hashlib
import signal
import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Network

import structlog

from netboot.boot import grub_script
from netboot.boot.events import Event, OfferSent
from netboot.boot.files import ContentRef, Refusal, normalise, resolve
from netboot.boot.ipxe_script import BootServer
from netboot.boot.proxy_dhcp import ProxyDhcp, Settings
from netboot.boot.sessions import Sessions
from netboot.images.architecture import Architecture
from netboot.images.content_version import ContentVersion, PublishedContent
from netboot.interfaces import network_of
from netboot.report import ReportTokens
from netboot.serve.content import Content
from netboot.serve.dhcpd import DhcpServer
from netboot.serve.tftpd import TftpServer
from netboot.serve.udp import Loop
from netboot.site import Site
from netboot.store.boot_programs import read_programs
from netboot.store.open_content import ContentCache
from netboot.store.points import PublishedReader

log = structlog.get_logger()

TEXTS_KEPT = 256


@dataclass(frozen=True)
class Text:
    """A text that was made for one client, as content."""

    view: memoryview
    size: int
    fd: int = -1

    def close(self) -> None:
        """Nothing to give back."""


class BootServices:
    """What the daemons are handed: names to content, events to the journal."""

    def __init__(self, site: Site, *, address: str) -> None:
        self._published = PublishedReader(site.point, log.error)
        self._programs = read_programs(site.point)
        self._cache = ContentCache(site.point.blobs.path)
        self._journal = site.journal
        self._sessions = Sessions()
        self._tokens = ReportTokens(site.secret)
        self._server = BootServer(http=f"http://{address}:{site.settings.http_port}", tftp=address)
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def published(self) -> PublishedContent:
        """What the point serves now."""
        return self._published()

    def resolve(self, name: bytes, ip: str) -> ContentRef | Refusal:
        """What a TFTP name means for the client at `ip`."""
        now = time.monotonic()
        if normalise(name) == grub_script.MENU_NAME:
            return self._menu(ip, now)
        return resolve(
            name,
            version=self._sessions.version_for(ip, now),
            firmware=self._sessions.firmware_for(ip, now),
            programs=self._programs,
            published=self.published(),
        )

    def open_content(self, ref: ContentRef) -> Content:
        """The bytes that `resolve` meant. Raises ContentFault."""
        text = self._texts.get(ref.digest)
        if text is not None:
            return Text(memoryview(text), len(text))
        return self._cache.open(ref)

    def learn(self, mac: str, ip: str) -> None:
        """A machine took an address."""
        self._sessions.learn(mac, ip, time.monotonic())

    def emit(self, event: Event) -> None:
        """Note an event; an answer pins the version that it promised."""
        now = time.monotonic()
        if isinstance(event, OfferSent) and event.image:
            # The very version that was answered: the point may have moved on meanwhile.
            self._sessions.pin(
                mac=event.mac,
                ip=event.ip,
                version=self.published().kept.get((event.image, event.version)),
                firmware=_firmware_of(event),
                now=now,
                fresh=event.port == 67,
            )
        self._journal.emit(self._sessions.identified(event, now))

    def _menu(self, ip: str, now: float) -> ContentRef | Refusal:
        """GRUB's menu for this client, made now and kept until it is read."""
        version = self._sessions.version_for(ip, now) or self._default(Architecture.X86)
        mac = self._sessions.mac_of(ip, now)
        if version is None:
            text = grub_script.refuse("no x86 boot image is published here")
        else:
            token = self._tokens.issue(version, mac)
            text = grub_script.render(version, self._server, token=token)
        data = text.encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self._texts[digest] = data
        while len(self._texts) > TEXTS_KEPT:
            self._texts.popitem(last=False)
        label = (version.image, version.number) if version else ("", 0)
        return ContentRef(grub_script.MENU_NAME, digest, len(data), *label)

    def _default(self, architecture: Architecture) -> ContentVersion | None:
        published = self.published()
        return published.current.get(published.defaults.get(architecture, ""))


def serve_boot(site: Site, *, interface: str, address: str) -> None:
    """Serve proxyDHCP and TFTP until SIGTERM. Raises PortTaken, NotPermitted, InvalidInput."""
    services = BootServices(site, address=address)
    loop = Loop()
    settings = Settings(
        server=address,
        http_port=site.settings.http_port,
        networks=tuple(network_of(address)),
        relays=tuple(IPv4Network(relay) for relay in site.settings.relays),
    )
    dhcp = DhcpServer(
        loop=loop,
        interface=interface,
        address=address,
        proxy=ProxyDhcp(settings, services.published),
        emit=services.emit,
        learn=services.learn,
    )
    tftp = TftpServer(
        loop=loop,
        address=address,
        interface=interface,
        resolve=services.resolve,
        open_content=services.open_content,
        emit=services.emit,
    )
    for note in dhcp.notes:
        log.warning("boot.note", note=note)
    log.info("boot.ready", interface=interface, address=address, dhcp=dhcp.ports, tftp=tftp.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: loop.stop())
    try:
        loop.run()
    finally:
        tftp.close()
        dhcp.close()
        site.journal.close()


def _firmware_of(event: OfferSent) -> str:
    """Which boot configuration the machine will ask for, told by the program it was given."""
    return "uefi" if event.file.endswith(".efi") or "platform=efi" in event.file else "bios"
