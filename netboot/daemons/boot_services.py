"""The boot services `netboot boot`: proxyDHCP and TFTP, from the distribution point's folder.

They need the low ports and no other right: they read that folder and append to the journal.
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
from functools import partial
from ipaddress import IPv4Network

import structlog

from netboot.boot.answer.pins import Sessions
from netboot.boot.answer.proxy_dhcp import ProxyDhcp, Settings
from netboot.boot.files import grub_script
from netboot.boot.files.ipxe_script import BootServer
from netboot.boot.files.names import ContentRef, Refusal, normalise, resolve, starts_version
from netboot.boot.told.events import (
    AddressLearned,
    DhcpStarted,
    Event,
    OfferSent,
    RequestsCounted,
)
from netboot.daemons.journal_watch import watch_journal
from netboot.daemons.offered_addresses import OfferedTo
from netboot.daemons.pin_relay import PinRelay, Promise
from netboot.daemons.starting.service_manager import announce
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.interfaces import network_of
from netboot.operations.processes import OwnReport
from netboot.pe_reports import ReportTokens
from netboot.protocols.dhcp import SERVER_PORT
from netboot.serve.content import Content
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.tftp.limits import TftpLimits
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
RUNNING_SECONDS = 60.0
"""Between the events of a running transfer; netboot.boot.told.attempt waits for three of them."""


@dataclass(frozen=True)
class Text:
    """A text for one client, as content."""

    view: memoryview
    size: int
    fd: int = -1

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A network interface, and our address there."""

    interface: str
    address: str


class BootServices:
    """The look-ups of both daemons: names to content, events to the journal."""

    def __init__(self, site: Site, *, address: str, relay: PinRelay | None = None) -> None:
        """`relay` passes the pins of this process on to the other boot services."""
        self._relay = relay
        self._published = PublishedReader(site.point, log.error)
        self._programs = read_programs(site.point)
        self._cache = ContentCache(site.point.blobs.path)
        self._journal = site.journal
        self._sessions = Sessions()
        self._offered = OfferedTo(site.meeting_folder)
        self._tokens = ReportTokens(site.secret)
        self._authority = site.settings.uefi_authority
        self._server = BootServer(http=f"http://{address}:{site.settings.http_port}", tftp=address)
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def published(self) -> PublishedContent:
        return self._published()

    def resolve(self, name: bytes, ip: str) -> ContentRef | Refusal:
        """The file that a TFTP name means for the client at `ip`."""
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
        text = self._texts.get(ref.digest)
        if text is not None:
            return Text(memoryview(text), len(text))
        return self._cache.open(ref)

    def learn(self, mac: str, ip: str) -> None:
        self._promise(Promise(mac, ip))

    def emit(self, event: Event) -> None:
        """Store an event; an offer pins its version."""
        if isinstance(event, AddressLearned | OfferSent) and event.ip:
            self._offered.add(event.ip)
        if isinstance(event, OfferSent) and event.image:
            # The program shows which boot configuration the machine will request.
            uefi = event.file.endswith(".efi") or "platform=efi" in event.file
            firmware = "uefi" if uefi else "bios"
            fresh = event.port == SERVER_PORT
            mac, ip, image, number = event.mac, event.ip, event.image, event.version
            self._promise(Promise(mac, ip, image, number, firmware, fresh=fresh))
        self._journal.emit(self._sessions.identified(event, time.monotonic()))

    def take(self, promise: Promise) -> None:
        """Pin what was promised, by this process or by the one that answers DHCP."""
        now = time.monotonic()
        if not promise.image:
            self._sessions.learn(promise.mac, promise.ip, now)
            return
        self._sessions.pin(
            mac=promise.mac,
            ip=promise.ip,
            # The version in the offer: a newer one may be published by now.
            version=self.published().kept.get((promise.image, promise.number)),
            firmware=promise.firmware,
            now=now,
            fresh=promise.fresh,
        )

    def _promise(self, promise: Promise) -> None:
        self.take(promise)
        if self._relay is not None:
            self._relay.send(promise)

    def _menu(self, ip: str, now: float) -> ContentRef | Refusal:
        """GRUB's menu for this client, made now and kept for its read request."""
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
        of_version = (version.image, version.number) if version else ("", 0)
        return ContentRef(grub_script.MENU_NAME, digest, len(data), *of_version)

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
    # Try the port and the folder here first: a worker would only fail and be restarted again.
    open_udp(address, TFTP_PORT, interface=interface).close()
    site.point.load()
    workers = None
    if relay is not None:
        workers = Workers(processes, partial(_serve_tftp, site, place, relay, processes))
    loop = Loop()
    services = BootServices(site, address=address, relay=relay)
    dhcp = _dhcp(site, place, loop, services)
    tftp = None if workers is not None else _tftp(site, place, loop, services, processes=1)
    if workers is not None:
        loop.every(1.0, workers.check)
    report = OwnReport("boot services")
    watch_journal(loop, site.journal, report)
    report.ready()
    announce(loop, f"serves the network behind {interface or address} as {address}")
    log.info("boot.ready", interface=interface, address=address, dhcp=dhcp.ports, tftp=processes)
    _run(loop)
    dhcp.close()
    if tftp is not None:
        tftp.close()
    if workers is not None:
        workers.stop()
    site.journal.close()


def _serve_tftp(site: Site, place: Place, relay: PinRelay, processes: int, index: int) -> None:
    """The whole life of one TFTP process."""
    loop = Loop()
    services = BootServices(site, address=place.address, relay=relay)
    loop.add_reader(relay.fileno(index), lambda _now: relay.receive(index, services.take))
    tftp = _tftp(site, place, loop, services, processes=processes, index=index)
    watch_journal(loop, site.journal, OwnReport("boot services", 1 + index))
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
    loop.every(COUNT_SECONDS, CountReporter(site.journal.emit, "proxyDHCP", lambda: dhcp.counts))
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
    site: Site,
    place: Place,
    loop: Loop,
    services: BootServices,
    *,
    processes: int,
    index: int = 0,
) -> TftpServer:
    sizes = site.settings.tftp_block_sizes.items()
    limits = TftpLimits(block_sizes=tuple((IPv4Network(where), size) for where, size in sizes))
    server = TftpServer(
        loop=loop,
        address=place.address,
        port=TFTP_PORT,
        interface=place.interface,
        resolve=services.resolve,
        open_content=services.open_content,
        emit=services.emit,
        limits=limits,
        workers=processes,
    )
    report = CountReporter(services.emit, "TFTP", lambda: asdict(server.counters), process=index)
    loop.every(COUNT_SECONDS, report)
    loop.every(RUNNING_SECONDS, server.tell_running)
    return server


class CountReporter:
    """Emits the counters of a service when they have changed."""

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
        self._last = "{}"

    def __call__(self, _now: float) -> None:
        counts = json.dumps({name: count for name, count in self._counts().items() if count})
        if counts not in {self._last, "{}"}:
            self._last = counts
            service, process = self._service, self._process
            event = RequestsCounted(at=time.time(), service=service, counts=counts, process=process)
            self._emit(event)


def _run(loop: Loop) -> None:
    gc.freeze()  # all objects so far are permanent: the collector need not scan them
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: loop.stop())
    loop.run()
