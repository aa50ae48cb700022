"""The boot HTTP service `netboot http`: iPXE scripts, boot files and reports.

It reads the point's folder and appends to the journal. It has no accounts, forms or uploads.
"""

import time
from collections.abc import Mapping
from urllib.parse import quote

import structlog

from netboot.boot.files import ipxe_script
from netboot.boot.files.ipxe_script import BootServer, ScriptClient
from netboot.boot.files.names import ContentRef, Refusal, resolve_url
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.pe_reports import ReportTokens, read_report
from netboot.protocols.mac import read_mac
from netboot.serve.content import Content
from netboot.serve.http.boot_app import Script, boot_app
from netboot.serve.http.message import Request, Response, plain
from netboot.serve.http.process import serve_http
from netboot.site import Site
from netboot.store.content.one_time_links import Tickets
from netboot.store.content.open_content import ContentCache
from netboot.store.content.point_folder import PublishedReader
from netboot.store.media.boot_programs import read_programs

log = structlog.get_logger()

PACKAGES = "/package/"
"""Where links to packages begin; the rest is a ticket's token."""

_KNOWN = frozenset(architecture.value for architecture in Architecture)


class BootPages:
    """What the HTTP service is handed."""

    def __init__(self, site: Site, *, address: str) -> None:
        self._published = PublishedReader(site.point, log.error)
        self._programs = read_programs(site.point)
        self._cache = ContentCache(site.point.blobs.path)
        self._journal = site.journal
        self._tokens = ReportTokens(site.secret)
        self._authority = site.settings.uefi_authority
        self._tickets = Tickets(site.point.root)
        self._server = BootServer(http=f"http://{address}:{site.settings.http_port}", tftp=address)

    def resolve_url(self, path: str) -> ContentRef | Refusal:
        """What a path means."""
        return resolve_url(path, self._published(), self._programs, site_authority=self._authority)

    def open_content(self, ref: ContentRef) -> Content:
        """The bytes that `resolve_url` meant. Raises ContentFault."""
        return self._cache.open(ref)

    def script(self, query: Mapping[str, str], ip: str) -> Script | Refusal:
        """The iPXE script for a machine that says of itself what stands in `query`."""
        del ip  # machines behind one address are told apart by their MAC
        published = self._published()
        mac = read_mac(query.get("mac", ""))
        client = ScriptClient(
            firmware="uefi" if query.get("platform") == "efi" else "bios",
            nic=query.get("nic", ""),
            mac=mac,
        )
        candidates = _candidates(published, mac, client, query)
        if not candidates:
            reason = _nothing(mac, client, published)
            return Script(text=ipxe_script.refuse(reason, client), reason=reason)
        if len(candidates) > 1 and not _processor(client, query):
            text = ipxe_script.choose_architecture(f"{self._server.http}/boot.ipxe?{_again(query)}")
            return Script(text=text, reason=ipxe_script.ASKS_AGAIN)
        version = candidates[0]
        text = ipxe_script.render(
            version,
            client,
            self._server,
            token=self._tokens.issue(version, mac),
            supplied=published.supplied,
        )
        return Script(
            text=text,
            image=version.image,
            version=version.number,
            architecture=_processor(client, query),
        )

    def package(self, request: Request) -> Response:
        """A package for a machine's own disk: handed out once, to whoever has its link."""
        if request.method != "GET":
            return plain(405, "method not allowed", ("Allow", "GET"))
        token = request.path.removeprefix(PACKAGES)
        ticket = self._tickets.take(token, now=time.time())
        if ticket is None:
            return plain(404, "this link was used, is too old, or never was: ask for another one")
        fields = (
            ("Content-Type", ticket.kind),
            ("Content-Disposition", f'attachment; filename="{ticket.name}"'),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        )
        return Response(200, fields, ticket.data)

    def report(self, token: str, body: bytes, ip: str) -> Refusal | None:
        """Note a report home, or say why it is none."""
        event = read_report(self._tokens, token, body, ip, self._published())
        if isinstance(event, Refusal):
            return event
        self._journal.emit(event)
        return None


def serve_boot_files(site: Site, *, address: str) -> None:
    """Serve until SIGTERM. Raises PortTaken or NotPermitted."""
    pages = BootPages(site, address=address)
    answer = boot_app(
        resolve_url=pages.resolve_url,
        open_content=pages.open_content,
        script=pages.script,
        report=pages.report,
        emit=site.journal.emit,
        mounts={PACKAGES: pages.package},
    )
    log.info("http.ready", address=address, port=site.settings.http_port)
    try:
        serve_http(answer, address=address, port=site.settings.http_port)
    finally:
        site.journal.close()


def _again(query: Mapping[str, str]) -> str:
    """The same query, quoted: what a client said must not become a command of its script."""
    said = sorted((key, value) for key, value in query.items() if key != "cpu")
    return "&".join(f"{quote(key)}={quote(value, safe=':')}" for key, value in said) or "again=1"


def _candidates(
    published: PublishedContent, mac: str, client: ScriptClient, query: Mapping[str, str]
) -> list[ContentVersion]:
    """The version for this machine; two where only its processor can tell."""
    startable = _architectures(client, query)
    assigned = published.assignments.get(mac)
    if assigned is not None:
        version = published.current.get(assigned)
        return [version] if version and version.architecture in startable else []
    return [
        version
        for architecture in startable
        if (version := published.current.get(published.defaults.get(architecture, "")))
        and version.architecture is architecture
    ]


def _architectures(client: ScriptClient, query: Mapping[str, str]) -> tuple[Architecture, ...]:
    """Architectures that may be asked for, best first (as netboot.boot.answer.policy for DHCP)."""
    if client.is_uefi:
        said = query.get("arch", "")
        return (Architecture(said) if said in _KNOWN else Architecture.X64,)
    if _processor(client, query) == Architecture.X86:
        return (Architecture.X86,)
    return (Architecture.X64, Architecture.X86)


def _processor(client: ScriptClient, query: Mapping[str, str]) -> str:
    """What the machine's processor can run; empty where no script had it looked up."""
    said = query.get("cpu", "")
    return said if said in _KNOWN and not client.is_uefi else ""


def _nothing(mac: str, client: ScriptClient, published: PublishedContent) -> str:
    assigned = published.assignments.get(mac)
    if assigned is None:
        return f"no boot image for a {client.firmware} machine is published here"
    version = published.current.get(assigned)
    if version is None:
        return f"{mac} is assigned {assigned}, which is not published here"
    return f"{mac} is assigned {version.label}, an {version.architecture} image it cannot start"
