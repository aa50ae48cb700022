"""The boot HTTP service `netboot http`: iPXE scripts, boot files and reports.

It reads the point's folder and appends to the journal. It has no accounts, forms or uploads.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

import structlog

from netboot.boot.answer.client import Stage
from netboot.boot.answer.decision import Facts
from netboot.boot.answer.policy import NoImage, choose
from netboot.boot.files import ipxe_script
from netboot.boot.files.ipxe_script import BootServer, ScriptClient
from netboot.boot.files.names import ContentRef, Refusal, resolve_url
from netboot.boot.network_settings import NetworkSetting
from netboot.boot.networks import Network, network_at, serving_addresses
from netboot.daemons.journal_watch import watch_journal
from netboot.daemons.offered_addresses import OfferedAddresses
from netboot.daemons.serving.network_follower import NetworkFollower
from netboot.daemons.starting.service_manager import announce, service_manager
from netboot.errors import NetbootError
from netboot.images.architecture import Architecture
from netboot.operations.processes import OwnReport
from netboot.pe_reports import ReportTokens, read_report
from netboot.protocols.mac import read_mac
from netboot.protocols.pxe import ArchitectureType
from netboot.serve.content import Content
from netboot.serve.http.boot_app import BootSite, Script, boot_app
from netboot.serve.http.httpd import HttpServer
from netboot.serve.http.message import Request, Response, plain
from netboot.serve.http.process import serve_http
from netboot.serve.udp import Loop
from netboot.site import Site
from netboot.store.content.one_time_links import Tickets
from netboot.store.content.open_content import ContentCache
from netboot.store.content.point_folder import PublishedReader
from netboot.store.media.boot_programs import ProgramsReader

log = structlog.get_logger()

PACKAGES = "/package/"
"""Links to packages begin so; the rest is a token."""

_UEFI_CODES = {
    Architecture.X86: ArchitectureType.IA32_EFI,
    Architecture.X64: ArchitectureType.X64_EFI,
    Architecture.ARM64: ArchitectureType.ARM64_EFI,
}


class BootPages:
    """The look-ups behind the HTTP service's pages.

    `networks` are those that are served now. Each machine is answered at, and with, the address
    that it asked at; `address` is for a request without one.
    """

    def __init__(self, site: Site, *, address: str = "") -> None:
        self.networks: tuple[Network, ...] = ()
        self._published = PublishedReader(site.point, log.error)
        self._programs = ProgramsReader(site.point, log.error)
        self._cache = ContentCache(site.point.blobs.path)
        self._journal = site.journal
        self._tokens = ReportTokens(site.secret)
        self._authority = site.settings.uefi_authority
        self._tickets = Tickets(site.point.root)
        self._address, self._port = address, site.settings.http_port

    def resolve_url(self, path: str, to: str = "") -> ContentRef | Refusal:
        programs = self._programs(to or self._address)
        return resolve_url(path, self._published(), programs, site_authority=self._authority)

    def open_content(self, ref: ContentRef) -> Content:
        return self._cache.open(ref)

    def script(self, query: Mapping[str, str], ip: str, to: str = "") -> Script | Refusal:
        """The iPXE script for the machine that `query` describes, which asked at our address `to`.

        The MAC address identifies a machine, also among several behind one address; `ip` only says
        which network it is in.
        """
        published, address = self._published(), to or self._address
        network = network_at(self.networks, address, ip) if self.networks else None
        server = BootServer(http=f"http://{address}:{self._port}", tftp=address)
        mac, uefi = read_mac(query.get("mac", "")), query.get("platform") == "efi"
        firmware = "uefi" if uefi else "bios"
        client = ScriptClient(firmware=firmware, nic=query.get("nic", ""), mac=mac)
        code, processor = ArchitectureType.X86_BIOS, None
        if uefi:
            code = _UEFI_CODES[_architecture(query.get("arch", "")) or Architecture.X64]
        else:
            processor = _architecture(query.get("cpu", ""))  # only an earlier script knows it
        facts = Facts(mac, code, Stage.IPXE, speaks_http=False)
        choice = choose(facts, published, only_known=network is not None and network.only_known)
        if isinstance(choice, NoImage):
            return Script(text=ipxe_script.refuse(choice.reason, client), reason=choice.reason)
        candidates = choice.candidates
        if processor is Architecture.X86:
            candidates = tuple(one for one in candidates if one.architecture is processor)
        if not candidates:
            reason = f"{choice.version.label} needs a 64-bit processor, and this one has 32 bits"
            return Script(text=ipxe_script.refuse(reason, client), reason=reason)
        if len(candidates) > 1 and not processor:
            text = ipxe_script.choose_architecture(f"{server.http}/boot.ipxe?{_again(query)}")
            return Script(text=text, reason=ipxe_script.ASKS_AGAIN)
        version, supplied = candidates[0], published.supplied
        token = self._tokens.issue(version, mac)
        text = ipxe_script.render(version, client, server, token=token, supplied=supplied)
        return Script(text, version.image, version.number, architecture=processor or "")

    def package(self, request: Request) -> Response:
        """A package for a machine's own disk, by a link that works once."""
        if request.method != "GET":
            return plain(405, "method not allowed", ("Allow", "GET"))
        token = request.path.removeprefix(PACKAGES)
        ticket = self._tickets.take(token, now=time.time())
        if ticket is None:
            return plain(404, "this link was used, has expired or is wrong: request another one")
        fields = (
            ("Content-Type", ticket.kind),
            ("Content-Disposition", f'attachment; filename="{ticket.name}"'),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        )
        return Response(200, fields, ticket.data)

    def report(self, token: str, body: bytes, ip: str) -> Refusal | None:
        """Store the report of a boot image, or return why it is refused."""
        event = read_report(self._tokens, token, body, ip, self._published())
        if isinstance(event, Refusal):
            return event
        self._journal.emit(event)
        return None


def serve_boot_files(site: Site, wanted: Sequence[NetworkSetting]) -> None:
    """Serve these networks until SIGTERM. Raises PortTaken or NotPermitted."""
    pages = BootPages(site)
    boot_site = BootSite(
        resolve_url=pages.resolve_url,
        open_content=pages.open_content,
        script=pages.script,
        report=pages.report,
        emit=site.journal.emit,
    )
    answer = boot_app(boot_site, mounts={PACKAGES: pages.package})
    report = OwnReport("boot files over HTTP")
    port = site.settings.http_port

    def offered(loop: Loop) -> Callable[[str], bool]:
        return OfferedAddresses(loop, site.meeting_folder).holds

    def ready(loop: Loop, server: HttpServer) -> None:
        listeners = Listeners(pages, server, report)
        follower = NetworkFollower(loop, wanted, listeners.follow)
        strict = len(follower.networks) == 1 or not service_manager().is_there
        follower.is_done = listeners.apply(follower.networks, strict=strict)
        watch_journal(loop, site.journal, report)
        report.ready()
        addresses = ", ".join(server.addresses) or "no address yet"
        announce(loop, f"serves boot files on {addresses}, TCP port {port}")
        log.info("http.ready", address=addresses, port=port)

    try:
        serve_http(answer, port=port, ready=ready, prefer=offered)
    finally:
        site.journal.close()


class Listeners:
    """Our addresses at which boot files are served, as the networks come and go."""

    def __init__(self, pages: BootPages, server: HttpServer, report: OwnReport) -> None:
        self._pages, self._server, self._report = pages, server, report

    def apply(self, networks: tuple[Network, ...], *, strict: bool = False) -> bool:
        """Listen where the networks are now; False if that has to be tried again.

        With `strict` it raises PortTaken, NotPermitted or InvalidInput.
        """
        self._pages.networks = networks
        addresses, troubles = serving_addresses(networks), []
        for address in set(self._server.addresses) - set(addresses):
            self._server.stop_listening(address)
        for address in addresses:
            if address in self._server.addresses:
                continue
            try:
                self._server.listen(address)
            except (NetbootError, OSError) as fault:
                if strict:
                    raise
                troubles.append(str(fault))
        self._report.trouble("network", "; ".join(troubles))
        return not troubles

    def follow(self, networks: tuple[Network, ...]) -> bool:
        """As `apply`, while the process runs."""
        done = self.apply(networks)
        log.info("http.networks", addresses=", ".join(self._server.addresses))
        return done


def _again(query: Mapping[str, str]) -> str:
    """The same query, quoted: a client's text must not become a command of its script."""
    pairs = sorted((key, value) for key, value in query.items() if key != "cpu")
    return "&".join(f"{quote(key)}={quote(value, safe=':')}" for key, value in pairs) or "again=1"


def _architecture(text: str) -> Architecture | None:
    try:
        return Architecture(text)
    except ValueError:
        return None
