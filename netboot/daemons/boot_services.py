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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from netboot.boot.answer.pins import Sessions
from netboot.boot.files import grub_script
from netboot.boot.files.ipxe_script import BootServer
from netboot.boot.files.names import ContentRef, Refusal, normalise, resolve, starts_version
from netboot.boot.network_settings import NetworkSetting
from netboot.boot.networks import Network, place, serving_addresses, summary
from netboot.boot.told.events import (
    AddressLearned,
    Event,
    OfferSent,
    RequestsCounted,
)
from netboot.daemons.journal_watch import watch_journal
from netboot.daemons.offered_addresses import OfferedTo
from netboot.daemons.pin_relay import PinRelay, Promise
from netboot.daemons.serving.boot_networks import (
    TFTP_PORT,
    DhcpNetworks,
    DhcpParts,
    TftpNetworks,
    TftpParts,
)
from netboot.daemons.serving.network_follower import NetworkFollower
from netboot.daemons.serving.served_networks import COUNT_SECONDS, ServedNetworks
from netboot.daemons.starting.service_manager import announce, service_manager
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.interfaces import read_host
from netboot.operations.boot_programs import programs_for
from netboot.operations.processes import OwnReport
from netboot.pe_reports import ReportTokens
from netboot.protocols.dhcp import SERVER_PORT
from netboot.serve.content import Content
from netboot.serve.udp import Loop, open_udp
from netboot.serve.workers import Workers
from netboot.site import Site
from netboot.store.content.open_content import ContentCache
from netboot.store.content.point_folder import PublishedReader
from netboot.store.media.boot_programs import ProgramsReader

log = structlog.get_logger()

TEXTS_KEPT = 256
MOST_WORKERS = 4
RUNNING_SECONDS = 60.0
"""Between the events of a running transfer; netboot.boot.told.attempt waits for three of them."""


@dataclass(frozen=True)
class Text:
    """A text for one client, as content."""

    view: memoryview
    size: int
    fd: int = -1

    def close(self) -> None: ...


class BootServices:
    """The look-ups of both daemons: names to content, events to the journal."""

    def __init__(self, site: Site, *, address: str = "", relay: PinRelay | None = None) -> None:
        """`relay` passes the pins of this process on to the other boot services.

        `address` is ours for requests that do not say which one they came to.
        """
        self._relay = relay
        self._published = PublishedReader(site.point, log.error)
        self._programs = ProgramsReader(site.point, log.error)
        self._cache = ContentCache(site.point.blobs.path)
        self._journal = site.journal
        self._sessions = Sessions()
        self._offered = OfferedTo(site.meeting_folder)
        self._tokens = ReportTokens(site.secret)
        self._authority = site.settings.uefi_authority
        self._address, self._http_port = address, site.settings.http_port
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def published(self) -> PublishedContent:
        return self._published()

    def resolve(self, name: bytes, ip: str, ours: str = "") -> ContentRef | Refusal:
        """The file that a TFTP name means for the client at `ip`, who asks at our address."""
        now, ours = time.monotonic(), ours or self._address
        if normalise(name) == grub_script.MENU_NAME:
            return self._menu(ip, ours, now)
        published = self.published()
        found = resolve(
            name,
            version=self._sessions.version_for(ip, now),
            firmware=self._sessions.firmware_for(ip, now),
            programs=self._programs(ours),
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

    def _menu(self, ip: str, ours: str, now: float) -> ContentRef | Refusal:
        """GRUB's menu for this client, made now and kept for its read request."""
        version = self._sessions.version_for(ip, now) or self._default(Architecture.X86)
        mac = self._sessions.mac_of(ip, now)
        if version is None:
            text = grub_script.refuse("no x86 boot image is published here")
        else:
            token = self._tokens.issue(version, mac)
            server = BootServer(http=f"http://{ours}:{self._http_port}", tftp=ours)
            text = grub_script.render(version, server, token=token)
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


def serve_boot(site: Site, wanted: Sequence[NetworkSetting]) -> None:
    """Serve proxyDHCP and TFTP in these networks until SIGTERM.

    Raises PortTaken, NotPermitted, InvalidInput, ContentFault, MissingTool.
    """
    networks = place(wanted, read_host())
    addresses = serving_addresses(networks)
    programs_for(site, addresses)
    processes = site.settings.tftp_workers or min(MOST_WORKERS, os.cpu_count() or 1)
    relay = PinRelay(processes) if processes > 1 else None
    # A service of several networks serves those that it can, and tries the others again.
    strict = len(networks) == 1 or not service_manager().is_there
    # Try the ports and the folder here first: a worker would only fail and be restarted again.
    for address, interface in addresses.items() if strict else ():
        open_udp(address, TFTP_PORT, interface=interface).close()
    site.point.load()
    workers = None
    if relay is not None:
        workers = Workers(processes, partial(_serve_tftp, site, tuple(wanted), relay, processes))
    loop = Loop()
    services = BootServices(site, relay=relay)
    dhcp = DhcpNetworks(
        DhcpParts(site.settings, loop, services.published, services.emit, services.learn)
    )
    tftp = None if workers is not None else _tftp(site, loop, services, processes=1)
    if workers is not None:
        loop.every(1.0, workers.check)
    served = ServedNetworks(site, loop, dhcp, tftp)
    follower = NetworkFollower(loop, wanted, served.apply)
    follower.is_done = served.open(follower.networks, strict=strict)
    loop.every(COUNT_SECONDS, CountReporter(site.journal.emit, "proxyDHCP", lambda: dhcp.counts))
    watch_journal(loop, site.journal, served.report)
    served.report.ready()
    announce(loop, f"serves {summary(follower.networks)}")
    log.info("boot.ready", networks=summary(follower.networks), dhcp=dhcp.ports, tftp=processes)
    _run(loop)
    served.close()
    dhcp.close()
    if tftp is not None:
        tftp.close()
    if workers is not None:
        workers.stop()
    site.journal.close()


def _serve_tftp(
    site: Site, wanted: Sequence[NetworkSetting], relay: PinRelay, processes: int, index: int
) -> None:
    """The whole life of one TFTP process."""
    loop = Loop()
    services = BootServices(site, relay=relay)
    loop.add_reader(relay.fileno(index), lambda _now: relay.receive(index, services.take))
    tftp = _tftp(site, loop, services, processes=processes, index=index)
    report = OwnReport("boot services", 1 + index)

    def apply(networks: Sequence[Network]) -> bool:
        troubles = tftp.apply(networks)
        report.trouble("network", "; ".join(troubles.values()))
        return not troubles

    follower = NetworkFollower(loop, wanted, apply)
    follower.is_done = apply(follower.networks)
    watch_journal(loop, site.journal, report)
    _run(loop)
    tftp.close()
    site.journal.close()


def _tftp(
    site: Site, loop: Loop, services: BootServices, *, processes: int, index: int = 0
) -> TftpNetworks:
    tftp = TftpNetworks(
        TftpParts(
            site.settings,
            loop,
            services.resolve,
            services.open_content,
            services.emit,
            processes,
        )
    )
    loop.every(
        COUNT_SECONDS, CountReporter(services.emit, "TFTP", lambda: tftp.counts, process=index)
    )
    loop.every(RUNNING_SECONDS, tftp.tell_running)
    return tftp


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
