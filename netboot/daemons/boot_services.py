"""The boot services `netboot boot`: proxyDHCP and TFTP, from what the distribution point serves.

They need the low ports and no other right: they read the point's folder and append to the journal.
"""

import gc
import hashlib
import json
import os
import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network

import structlog

from netboot.boot.answer.pins import Sessions
from netboot.boot.answer.proxy_dhcp import ProxyDhcp, Settings
from netboot.boot.files import grub_script
from netboot.boot.files.ipxe_script import BootServer
from netboot.boot.files.names import ContentRef, Refusal, normalise, resolve, starts_version
from netboot.boot.told.events import DhcpStarted, Event, OfferSent, RequestsCounted
from netboot.daemons.pin_relay import PinRelay, Promise
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.interfaces import network_of
from netboot.pe_reports import ReportTokens
from netboot.serve.content import Content
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop, open_udp
from netboot.serve.workers import Workers
from netboot.site import Site
from netboot.store.content.open_content import ContentCache
from netboot.store.content.point_folder import PublishedReader
from netboot.store.media.boot_programs import read_programs

log = structlog.get_logger()

TEXTS_KEPT = 256
TFTP_PORT = 69
MOST_WORKERS = 4
COUNT_SECONDS = 30.0


@dataclass(frozen=True)
class Text:
    """A text that was made for one client, as content."""

    view: memoryview
    size: int
    fd: int = -1

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where we serve: an interface, and our address there."""

    interface: str
    address: str


class BootServices:
    """What the daemons are handed: names to content, events to the journal."""

    def __init__(self, site: Site, *, address: str, relay: PinRelay | None = None) -> None:
        """`relay` passes the promises of this process on to the other boot services."""
        self._relay = relay
        self._published = PublishedReader(site.point, log.error)
        self._programs = read_programs(site.point)
        self._cache = ContentCache(site.point.blobs.path)
        self._journal = site.journal
        self._sessions = Sessions()
        self._tokens = ReportTokens(site.secret)
        self._authority = site.settings.uefi_authority
        self._server = BootServer(http=f"http://{address}:{site.settings.http_port}", tftp=address)
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def published(self) -> PublishedContent:
        return self._published()

    def resolve(self, name: bytes, ip: str) -> ContentRef | Refusal:
        """What a TFTP name means for the client at `ip`."""
        now = time.monotonic()
        if normalise(name) == grub_script.MENU_NAME:
            return self._menu(ip, now)
        published = self.published()
        found = resolve(
            name,
            version=self._sessions.version_for(ip, now),
            firmware=self._sessions.firmware_for(ip, now),
            programs=self._programs,
            published=published,
            authority=published.authorities.get(self._sessions.mac_of(ip, now), ""),
            site_authority=self._authority,
        )
        if isinstance(found, ContentRef) and starts_version(name):
            self._promise(Promise("", ip, image=found.image, number=found.version, fresh=True))
        return found

    def open_content(self, ref: ContentRef) -> Content:
        """The bytes that `resolve` meant. Raises ContentFault."""
        text = self._texts.get(ref.digest)
        if text is not None:
            return Text(memoryview(text), len(text))
        return self._cache.open(ref)

    def learn(self, mac: str, ip: str) -> None:
        self._promise(Promise(mac, ip))

    def emit(self, event: Event) -> None:
        """Note an event; an answer pins the version that it promised."""
        if isinstance(event, OfferSent) and event.image:
            self._promise(
                Promise(
                    mac=event.mac,
                    ip=event.ip,
                    image=event.image,
                    number=event.version,
                    firmware=_firmware_of(event),
                    fresh=event.port == 67,
                )
            )
        self._journal.emit(self._sessions.identified(event, time.monotonic()))

    def take(self, promise: Promise) -> None:
        """Remember what was promised, by this process or by the one that answers DHCP."""
        now = time.monotonic()
        if not promise.image:
            self._sessions.learn(promise.mac, promise.ip, now)
            return
        self._sessions.pin(
            mac=promise.mac,
            ip=promise.ip,
            # The very version that was answered: the point may have moved on meanwhile.
            version=self.published().kept.get((promise.image, promise.number)),
            firmware=promise.firmware,
            now=now,
            fresh=promise.fresh,
        )

    def _promise(self, promise: Promise) -> None:
        self.take(promise)
        if self._relay is not None:
            self._relay.tell(promise)

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
    """Serve proxyDHCP and TFTP until SIGTERM.

    Raises PortTaken, NotPermitted, InvalidInput, ContentFault.
    """
    place = Place(interface, address)
    processes = site.settings.tftp_workers or min(MOST_WORKERS, os.cpu_count() or 1)
    relay = PinRelay(processes) if processes > 1 else None
    # The port and the point are tried here first: a child could only die of them, again and again.
    open_udp(address, TFTP_PORT, interface=interface).close()
    site.point.load()
    workers = (
        Workers(processes, lambda index: _serve_tftp(site, place, relay, index, processes))
        if relay is not None
        else None
    )
    loop = Loop()
    services = BootServices(site, address=address, relay=relay)
    dhcp = _dhcp(site, place, loop, services)
    tftp = None if workers is not None else _tftp(place, loop, services, processes=1)
    if workers is not None:
        loop.every(1.0, workers.check)
    log.info("boot.ready", interface=interface, address=address, dhcp=dhcp.ports, tftp=processes)
    _run(loop)
    dhcp.close()
    if tftp is not None:
        tftp.close()
    if workers is not None:
        workers.stop()
    site.journal.close()


def _serve_tftp(site: Site, place: Place, relay: PinRelay, index: int, processes: int) -> None:
    """The whole life of one TFTP process."""
    loop = Loop()
    services = BootServices(site, address=place.address, relay=relay)
    loop.add_reader(relay.fileno(index), lambda _now: relay.receive(index, services.take))
    tftp = _tftp(place, loop, services, processes=processes, index=index)
    _run(loop)
    tftp.close()
    site.journal.close()


def _dhcp(site: Site, place: Place, loop: Loop, services: BootServices) -> DhcpServer:
    settings = Settings(
        server=place.address,
        http_port=site.settings.http_port,
        networks=tuple(network_of(place.address)),
        relays=tuple(IPv4Network(relay) for relay in site.settings.relays),
        authority=site.settings.uefi_authority,
    )
    dhcp = DhcpServer(
        loop=loop,
        interface=place.interface,
        address=place.address,
        proxy=ProxyDhcp(settings, services.published),
        emit=services.emit,
        learn=services.learn,
    )
    for note in dhcp.notes:
        log.warning("boot.note", note=note)
    loop.every(COUNT_SECONDS, CountTeller(site.journal.emit, "proxyDHCP", lambda: dhcp.counts))
    site.journal.emit(
        DhcpStarted(
            at=time.time(),
            interface=place.interface,
            address=place.address,
            ports=", ".join(map(str, dhcp.ports)),
            notes="\n\n".join(dhcp.notes),
        )
    )
    return dhcp


def _tftp(
    place: Place, loop: Loop, services: BootServices, *, processes: int, index: int = 0
) -> TftpServer:
    server = TftpServer(
        loop=loop,
        address=place.address,
        port=TFTP_PORT,
        interface=place.interface,
        resolve=services.resolve,
        open_content=services.open_content,
        emit=services.emit,
        workers=processes,
    )
    tell = CountTeller(services.emit, "TFTP", lambda: asdict(server.counters), process=index)
    loop.every(COUNT_SECONDS, tell)
    return server


class CountTeller:
    """Tells the journal what came to a service, whenever that has changed."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        service: str,
        counts: Callable[[], Mapping[str, int]],
        *,
        process: int = 0,
    ) -> None:
        self._emit, self._service, self._process = emit, service, process
        self._counts = counts
        self._told = ""

    def __call__(self, _now: float) -> None:
        """Tell, if there is news. Numbers that are 0 say nothing."""
        counts = json.dumps({name: count for name, count in self._counts().items() if count})
        if counts not in {self._told, "{}"}:
            self._told = counts
            self._emit(
                RequestsCounted(
                    at=time.time(), service=self._service, counts=counts, process=self._process
                )
            )


def _run(loop: Loop) -> None:
    gc.freeze()  # what is here now stays: no need to look through it again
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: loop.stop())
    loop.run()


def _firmware_of(event: OfferSent) -> str:
    """Which boot configuration the machine will ask for, told by the program it was given."""
    return "uefi" if event.file.endswith(".efi") or "platform=efi" in event.file else "bios"
