"""What the boot port answers over HTTP: scripts, programs, files of versions, reports from PE.

    GET  /boot.ipxe?mac=..&uuid=..      the script for this machine
    GET  /v/<image>/<number>/<file>     a file of a version
    GET  /p/<program>                   one of the site's own boot programs
    POST /report/<token>                a boot image reports that it is up

Plain functions from Request to Response: no session, no cookie, no template. A damaged or missing
blob is 503, never 404: the version has such a file, and our disk has failed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.told.events import (
    ContentRefused,
    ContentServed,
    ContentStarted,
    Event,
    ScriptServed,
    TransferContinued,
    TransferFailed,
)
from netboot.errors import ContentFault
from netboot.protocols import http_range
from netboot.protocols.http_range import Part, Unsatisfiable
from netboot.protocols.mac import read_mac
from netboot.serve.content import OpenContent
from netboot.serve.http.message import Answer, Fields, FilePart, Request, Response, plain

_REPORT = "/report/"
_STATUS = {1: 404, 2: 403}  # by the TFTP error code of a Refusal
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Script:
    """An iPXE script, the image and version that it boots, and why these.

    `architecture` is what the machine's processor can run, if an earlier script looked it up.
    """

    text: str
    image: str = ""
    version: int = 0
    reason: str = ""
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class BootSite:
    """How the boot port looks up names, machines and reports.

    `resolve_url` takes the path (`/v/lab-pe/7/boot.wim`) and our address that it was asked at,
    `script` the query, the client's address and ours, `report` the token, the body and the
    client's address.
    """

    resolve_url: Callable[[str, str], ContentRef | Refusal]
    open_content: OpenContent
    script: Callable[[Mapping[str, str], str, str], Script | Refusal]
    report: Callable[[str, bytes, str], Refusal | None]
    emit: Callable[[Event], None]


def boot_app(site: BootSite, *, mounts: Mapping[str, Answer] | None = None) -> Answer:
    """The boot port's answers; `mounts` maps further path prefixes to answers of their own."""
    others = tuple((mounts or {}).items())

    def answer(request: Request) -> Response:
        path = request.path
        if path.startswith(("/v/", "/p/")):
            return _allow(request, "GET", "HEAD") or _file(site, request)
        if path.rstrip(" ") == "/boot.ipxe":  # blanks after a name: see files.names.normalise
            return _allow(request, "GET", "HEAD") or _script(site, request)
        if path.startswith(_REPORT):
            return _allow(request, "POST") or _report(site, request)
        for prefix, other in others:
            if path.startswith(prefix):
                return other(request)
        return _refused(site, request, 404, "no such place")

    return answer


def serve_file(
    request: Request,
    ref: ContentRef,
    *,
    open_content: OpenContent,
    sent: Callable[[float], None] | None = None,
    broken: Callable[[int, str], None] | None = None,
    running: Callable[[int], None] | None = None,
    cache: str = "no-cache",
    kind: str = "application/octet-stream",
) -> Response:
    """A file by its digest: ranges, HEAD, conditions. Raises ContentFault.

    `sent` is called after the last byte of a GET that reaches the end of the file, `broken` if the
    connection ends before, `running` while a whole file takes its time.
    """
    etag, shared, typed = _fields_of(ref.digest, cache, kind)
    fields = request.fields
    if http_range.matches(fields.get("if-none-match"), etag):
        return Response(304, shared)
    wanted = fields.get("range") if request.method == "GET" else None
    extent = http_range.choose(wanted, fields.get("if-range"), size=ref.size, etag=etag)
    if isinstance(extent, Unsatisfiable):
        return Response(416, (*shared, ("Content-Range", extent.content_range(ref.size))))
    content = open_content(ref)
    if isinstance(extent, Part):
        ranged = (*typed, ("Content-Range", extent.content_range(ref.size)))
        last = extent.first + extent.length == ref.size
        body = FilePart(content, extent.first, extent.length)
        # A loader that moves about in a file ends its connections as it likes.
        return Response(206, ranged, body, sent if last else None)
    whole = FilePart(content, 0, ref.size)
    if request.method != "GET":
        return Response(200, typed, whole)
    return Response(200, typed, whole, sent, broken, running)


@lru_cache(256)
def _fields_of(digest: str, cache: str, kind: str) -> tuple[str, Fields, Fields]:
    """A file's ETag, and the fields of its responses without and with its type."""
    etag = f'"{digest}"'
    shared = (
        ("ETag", etag),
        ("Cache-Control", cache),
        ("Accept-Ranges", "bytes"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return etag, shared, (("Content-Type", kind), *shared)


def _file(site: BootSite, request: Request) -> Response:
    ref = site.resolve_url(request.path, request.to)
    if isinstance(ref, Refusal):
        return _refused(site, request, _STATUS.get(ref.code, 404), ref.reason)

    def served(seconds: float) -> None:
        site.emit(ContentServed(**_about(request, ref), size=ref.size, seconds=seconds))

    def broken(sent: int, reason: str) -> None:
        site.emit(TransferFailed(**_about(request, ref), reason=reason, sent=sent))

    cache = _FOREVER if request.path.startswith("/v/") else "no-cache"
    try:
        return serve_file(
            request,
            ref,
            open_content=site.open_content,
            sent=served,
            broken=broken,
            running=_teller(site, request, ref),
            cache=cache,
        )
    except ContentFault as fault:
        _emit_refused(site, request, 503, str(fault))
        return plain(503, "this file cannot be read at the moment", ("Retry-After", "5"))


def _teller(site: BootSite, request: Request, ref: ContentRef) -> Callable[[int], None]:
    """Tells that a file is on its way: first that it began, then that it goes on."""
    begun = False

    def running(sent: int) -> None:
        nonlocal begun
        kind = TransferContinued if begun else ContentStarted
        begun = True
        site.emit(kind(**_about(request, ref), size=ref.size, sent=sent))

    return running


class _About(TypedDict):
    at: float
    ip: str
    name: str
    image: str
    version: int


def _about(request: Request, ref: ContentRef) -> _About:
    """What every event of a file says: when, to whom, and which file."""
    return _About(
        at=time.time(), ip=request.ip, name=ref.name, image=ref.image, version=ref.version
    )


def _script(site: BootSite, request: Request) -> Response:
    script = site.script(request.query, request.ip, request.to)
    if isinstance(script, Refusal):
        return _refused(site, request, _STATUS.get(script.code, 404), script.reason)

    def served(_: float) -> None:
        event = ScriptServed(
            at=time.time(),
            mac=read_mac(request.query.get("mac", "")),
            ip=request.ip,
            image=script.image,
            version=script.version,
            reason=script.reason,
            architecture=script.architecture,
        )
        site.emit(event)

    page = plain(200, script.text.removesuffix("\n"))
    return page._replace(sent=served) if request.method == "GET" else page


def _report(site: BootSite, request: Request) -> Response:
    refusal = site.report(request.path.removeprefix(_REPORT), request.body, request.ip)
    if refusal is not None:
        return _refused(site, request, _STATUS.get(refusal.code, 404), refusal.reason)
    return Response(204, (("Cache-Control", "no-store"),))


def _allow(request: Request, *methods: str) -> Response | None:
    if request.method in methods:
        return None
    return plain(405, "method not allowed", ("Allow", ", ".join(methods)))


def _refused(site: BootSite, request: Request, status: int, reason: str) -> Response:
    _emit_refused(site, request, status, reason)
    return plain(status, reason)


def _emit_refused(site: BootSite, request: Request, status: int, reason: str) -> None:
    name = request.path[:255]
    site.emit(
        ContentRefused(at=time.time(), ip=request.ip, name=name, status=status, reason=reason)
    )
