"""What the boot port answers, asked without a server: answers are plain functions."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.told.events import (
    ContentRefused,
    ContentServed,
    ContentStarted,
    Event,
    ScriptServed,
    TransferContinued,
)
from netboot.serve.http.boot_app import BootSite, Script, boot_app, serve_file
from netboot.serve.http.message import Answer, FilePart, Request, Response, plain
from tests.support.serving import Files, digest

WIM = random.Random(1).randbytes(10_000)
ETAG = f'"{digest(WIM)}"'


@dataclass
class Site:
    """What the boot port is handed, and what it told."""

    files: Files = field(default_factory=lambda: Files({"boot.wim": WIM, "empty": b""}))
    events: list[Event] = field(default_factory=list)
    reports: list[tuple[str, bytes, str]] = field(default_factory=list)
    scripts: list[Mapping[str, str]] = field(default_factory=list)

    def script(self, query: Mapping[str, str], ip: str, to: str) -> Script | Refusal:
        self.scripts.append(query)
        if "mac" not in query:
            return Refusal("who are you?")
        return Script("#!ipxe\nboot\n", "Lab PE x64", 7, "default for x64", "x64")

    def report(self, token: str, body: bytes, ip: str) -> Refusal | None:
        self.reports.append((token, body, ip))
        return None if token == "good" else Refusal("unknown token", 2)

    def app(self, **mounts: Answer) -> Answer:
        site = BootSite(
            resolve_url=lambda path, _to: self.files.resolve_url(path),
            open_content=self.files.open_content,
            script=self.script,
            report=self.report,
            emit=self.events.append,
        )
        return boot_app(site, mounts={f"/{name}/": answer for name, answer in mounts.items()})


def ask(
    site: Site, path: str, method: str = "GET", body: bytes = b"", **fields: str
) -> tuple[Response, bytes, dict[str, str]]:
    """The response, its body as it would go out, and its fields."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    path, _, query = path.partition("?")
    pairs = dict(pair.split("=") for pair in query.split("&") if pair)
    response = site.app()(Request(method, path, "10.0.0.7", pairs, named, body))
    sent = response.body
    if isinstance(sent, FilePart):
        whole = bytes(sent.content.view)
        sent = whole[sent.first : sent.first + sent.length]
    if response.sent:
        response.sent(0.25)
    response.close()
    assert site.files.opened == 0
    return response, b"" if method == "HEAD" else sent, dict(response.fields)


def test_a_file_of_a_version() -> None:
    """Whole, with its digest as entity tag; the journal hears when the last byte went out."""
    site = Site()
    response, body, fields = ask(site, "/v/lab-pe-x64/7/boot.wim")

    assert response.status == 200
    assert body == WIM
    assert fields["ETag"] == ETAG
    assert fields["Accept-Ranges"] == "bytes"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in fields["Cache-Control"]
    assert site.files.asked == [("/v/lab-pe-x64/7/boot.wim", "")]
    (served,) = site.events
    assert isinstance(served, ContentServed)
    assert (served.name, served.size, served.seconds, served.ip) == (
        "boot.wim",
        10_000,
        0.25,
        "10.0.0.7",
    )
    assert (served.image, served.version) == ("Lab PE x64", 7)


def test_a_file_that_takes_its_time_is_told_to_begin_and_then_to_go_on() -> None:
    """A server that is killed tells no end; by that it is known. Parts of a file do not tell."""
    site = Site()
    response = site.app()(Request("GET", "/v/boot.wim", "10.0.0.7", {}, {}))
    assert response.running is not None
    for sent in (100, 2000, 3000):
        response.running(sent)
    response.close()
    part = site.app()(Request("GET", "/v/boot.wim", "10.0.0.7", {}, {"range": "bytes=0-9"}))
    part.close()

    told = [(type(event), event.sent, event.name, event.size) for event in site.events]  # type: ignore[attr-defined]
    assert told == [
        (ContentStarted, 100, "boot.wim", len(WIM)),
        (TransferContinued, 2000, "boot.wim", len(WIM)),
        (TransferContinued, 3000, "boot.wim", len(WIM)),
    ]
    assert part.running is None


def test_a_program_of_the_site_may_change() -> None:
    """Its address stays when it is replaced, so clients have to ask again."""
    _, body, fields = ask(Site(), "/p/boot.wim")

    assert body == WIM
    assert fields["Cache-Control"] == "no-cache"


def test_head_tells_the_size_and_nothing_is_served() -> None:
    """HEAD opens and closes; no event says that a file went out."""
    site = Site()
    response, body, _ = ask(site, "/v/i/7/boot.wim", "HEAD", range="bytes=0-9")

    assert (response.status, response.length, body) == (200, 10_000, b"")
    assert site.events == []


@pytest.mark.parametrize(
    ("wanted", "status", "part", "says"),
    [
        ("bytes=0-99", 206, slice(0, 100), "bytes 0-99/10000"),
        ("bytes=9000-", 206, slice(9000, 10_000), "bytes 9000-9999/10000"),
        ("bytes=-1", 206, slice(9999, 10_000), "bytes 9999-9999/10000"),
        ("bytes=10000-", 416, slice(0, 0), "bytes */10000"),
        ("bytes=0-1,4-5", 200, slice(0, 10_000), None),
        ("nonsense", 200, slice(0, 10_000), None),
    ],
)
def test_ranges(wanted: str, status: int, part: slice, says: str | None) -> None:
    """One range is served, several are the whole file, beyond the end is 416."""
    response, body, fields = ask(Site(), "/v/i/7/boot.wim", range=wanted)

    assert status == response.status
    assert WIM[part] == body
    assert says == fields.get("Content-Range")


@pytest.mark.parametrize(("wanted", "served"), [("bytes=0-99", 0), ("bytes=5000-", 1)])
def test_only_the_part_with_the_end_counts_as_served(wanted: str, served: int) -> None:
    """A client that fetches in ranges has the file when it has the last one."""
    site = Site()
    ask(site, "/v/i/7/boot.wim", range=wanted)

    assert served == len(site.events)


def test_a_range_is_given_only_of_the_same_file() -> None:
    """If-Range with another digest: the whole new file."""
    same, _, _ = ask(Site(), "/v/i/7/boot.wim", range="bytes=0-9", if_range=ETAG)
    other, body, _ = ask(Site(), "/v/i/7/boot.wim", range="bytes=0-9", if_range='"sha256:0"')

    assert same.status == 206
    assert other.status == 200
    assert body == WIM


def test_who_has_the_file_already_is_told_so() -> None:
    """If-None-Match: 304 without a body, and nothing is opened."""
    response, body, fields = ask(Site(), "/v/i/7/boot.wim", if_none_match=f'"x", {ETAG}')

    assert (response.status, body) == (304, b"")
    assert fields["ETag"] == ETAG


def test_an_empty_file() -> None:
    """200 and no bytes; of nothing there are no ranges."""
    assert ask(Site(), "/v/i/7/empty")[0].status == 200
    assert ask(Site(), "/v/i/7/empty", range="bytes=0-")[0].status == 416


def test_a_file_that_is_not_there() -> None:
    """404 with the reason, also in the journal."""
    site = Site()
    response, body, _ = ask(site, "/v/i/7/none.wim")

    assert (response.status, body) == (404, b"no such file in this version\n")
    (refused,) = site.events
    assert isinstance(refused, ContentRefused)
    assert (refused.status, refused.name) == (404, "/v/i/7/none.wim")


def test_a_file_that_we_should_have_is_503() -> None:
    """Never 404: our disk's failure is not the version's content."""
    site = Site(Files({"boot.wim": WIM}, broken={"boot.wim"}))
    response, body, fields = ask(site, "/v/i/7/boot.wim")

    assert response.status == 503
    assert fields["Retry-After"] == "5"
    assert b"blob" not in body
    (refused,) = site.events
    assert isinstance(refused, ContentRefused)
    assert refused.reason == "the blob of boot.wim is gone"


def test_a_script() -> None:
    """As it was rendered, never cached; the journal knows for whom and why."""
    site = Site()
    response, body, fields = ask(site, "/boot.ipxe?mac=52-54-00-AA-BB-CC&uuid=1")

    assert (response.status, body) == (200, b"#!ipxe\nboot\n")
    assert fields["Content-Type"].startswith("text/plain")
    assert fields["Cache-Control"] == "no-store"
    (served,) = site.events
    assert isinstance(served, ScriptServed)
    assert served == ScriptServed(
        at=served.at,
        mac="52:54:00:aa:bb:cc",
        ip=served.ip,
        image="Lab PE x64",
        version=7,
        reason="default for x64",
        architecture="x64",
    )
    assert site.scripts == [{"mac": "52-54-00-AA-BB-CC", "uuid": "1"}]


def test_a_script_for_nobody() -> None:
    """A refusal is an answer with its reason."""
    response, body, _ = ask(Site(), "/boot.ipxe")

    assert (response.status, body) == (404, b"who are you?\n")


def test_a_report() -> None:
    """The token of the path, the body and the address go to the site."""
    site = Site()
    response, body, _ = ask(site, "/report/good", "POST", b'{"driver": "e1000"}')

    assert (response.status, body) == (204, b"")
    assert site.reports == [("good", b'{"driver": "e1000"}', "10.0.0.7")]


def test_a_report_with_a_wrong_token() -> None:
    """403, as the site's refusal says."""
    assert ask(Site(), "/report/bad", "POST")[0].status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        (method, path, 200 if method in allowed else 405)
        for path, allowed in {
            "/v/i/7/boot.wim": {"GET", "HEAD"},
            "/p/boot.wim": {"GET", "HEAD"},
            "/boot.ipxe?mac=1": {"GET", "HEAD"},
            "/report/good": {"POST"},
        }.items()
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
    ],
)
def test_methods(method: str, path: str, status: int) -> None:
    """Reading is GET and HEAD, a report is POST, all else is 405 with what is allowed."""
    response, _, fields = ask(Site(), path, method)

    if status == 405:
        assert response.status == 405
        assert ("POST" in fields["Allow"]) == path.startswith("/report/")
    else:
        assert response.status in {200, 204}


@pytest.mark.parametrize("path", ["/", "/v", "/boot.ipxe/", "/../etc/passwd", "/admin", "//v/a"])
def test_no_such_place(path: str) -> None:
    """Everything else is 404, and nothing is looked up."""
    site = Site()
    response, _, _ = ask(site, path)

    assert response.status == 404
    assert site.files.asked == []


def test_more_may_be_mounted_beside() -> None:
    """Another room's answers under a prefix of their own."""
    site = Site()
    app = site.app(v2=lambda request: plain(200, request.path))

    assert app(Request("GET", "/v2/x", "10.0.0.7")).body == b"/v2/x\n"
    assert app(Request("GET", "/v3/x", "10.0.0.7")).status == 404


def test_a_file_may_be_served_by_others_too() -> None:
    """`serve_file` is the same for every room that has digests."""
    files = Files({"layer": b"abc"})
    ref = files.resolve(b"layer", "")
    assert isinstance(ref, ContentRef)
    request = Request("GET", "/v2/blobs/x", "10.0.0.7", fields={"range": "bytes=1-1"})

    response = serve_file(request, ref, open_content=files.open_content, kind="application/x-layer")

    assert response.status == 206
    assert ("Content-Type", "application/x-layer") in response.fields
    response.close()
    assert files.opened == 0
