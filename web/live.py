"""Live pages: one stream of server-sent events per page, which replaces parts of it by name.

A stream sends state, not steps: whenever a topic reads differently from before, its whole part
is sent again. So a page that was away (a closed lid, a restarted server) is right again with
the first message, and nothing can be missed. `Last-Event-ID` names what the page has seen last,
so that only what is newer is sent.

Topics are read at most a few times a second for all pages together, the more costly ones less
often, and rendered only when what was read is different.
"""

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    render_template,
    request,
)

from netboot.errors import NetbootError
from netboot.site import Site
from web.access import Role, requires, role_now, site, still_allowed
from web.topics import TOPICS, Topic

FRESH_SECONDS = 0.15
LONGEST_FRESH_SECONDS = 3.0
REST_PER_READING = 20  # a topic may take a twentieth of a processor
POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 5.0
"""A page that went away is noticed when something is written to it: so long it holds a place."""

ACCOUNT_SECONDS = 30.0
TOPICS_PER_STREAM = 8
STREAMS = 100
PARTS = 512
RETRY_AFTER_SECONDS = 5

live = Blueprint("live", __name__)


@dataclass(slots=True)
class Part:
    """A topic as one role sees it: what was read last, and what came of it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = 0.0
    fresh_for: float = FRESH_SECONDS
    value: dict[str, Any] | None = None
    html: str = ""
    generation: int = 0


class Board:
    """All parts that pages look at now, shared by their streams."""

    def __init__(self, app: Flask, site: Site) -> None:
        self.nonce = secrets.token_hex(4)
        self._app = app
        self._site = site
        self._parts: dict[tuple[str, str, Role], Part] = {}
        self._lock = threading.Lock()
        self._generations = itertools.count(1)

    def look(self, name: str, argument: str, role: Role, now: float) -> Part:
        """The part, read anew unless somebody has just done so."""
        with self._lock:
            if len(self._parts) > PARTS:
                self._parts = {
                    key: part for key, part in self._parts.items() if now - part.read_at < 60
                }
            part = self._parts.setdefault((name, argument, role), Part())
        with part.lock:
            if now - part.read_at >= part.fresh_for:
                part.read_at = now
                self._refresh(part, TOPICS[name], argument, role)
        return part

    def _refresh(self, part: Part, topic: Topic, argument: str, role: Role) -> None:
        # Parts belong to no request: they are shared, and made while streams go on.
        with self._app.test_request_context():
            self._refresh_here(part, topic, argument, role)

    def _refresh_here(self, part: Part, topic: Topic, argument: str, role: Role) -> None:
        began = time.thread_time()
        value = topic.read(self._site, argument)
        rest = REST_PER_READING * (time.thread_time() - began)
        part.fresh_for = min(LONGEST_FRESH_SECONDS, max(FRESH_SECONDS, rest))
        if value != part.value:
            part.value = value
            part.html = render_template(topic.template, role=role, live=True, **value)
            part.generation = next(self._generations)


class Streams:
    """How many streams are open, and whether they may go on."""

    def __init__(self, limit: int = STREAMS) -> None:
        self._limit = limit
        self._open = 0
        self._lock = threading.Lock()
        self.going_on: Callable[[], bool] = lambda: True
        self.stopping = threading.Event()

    def enter(self) -> bool:
        """Take a place; False when all are taken."""
        with self._lock:
            if self._open >= self._limit:
                return False
            self._open += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._open -= 1

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._open


def message(event_id: str, parts: list[tuple[str, str]]) -> str:
    """One server-sent event that replaces these parts (topic name, HTML)."""
    body = "".join(
        f'<hx-partial hx-target="#live-{name}" hx-swap="innerMorph">{html}</hx-partial>'
        for name, html in parts
    )
    lines = "".join(f"data: {line}\n" for line in body.splitlines())
    return f"id: {event_id}\n{lines}\n"


def parse_topics(wanted: list[str]) -> tuple[tuple[str, str], ...]:
    """`["boots", "image:lab-pe"]` as names and arguments; 400 for what is no topic."""
    parted = (text.partition(":") for text in wanted)
    pairs = tuple((name, argument) for name, _, argument in parted)
    if not pairs or len(pairs) > TOPICS_PER_STREAM or any(name not in TOPICS for name, _ in pairs):
        abort(400)
    return pairs


def generation_seen(board: Board) -> int:
    """What the page has seen of this board already; -1 for nothing."""
    nonce, _, generation = request.headers.get("Last-Event-ID", "").partition("-")
    return int(generation) if nonce == board.nonce and generation.isdecimal() else -1


@dataclass(frozen=True, slots=True)
class Viewing:
    """Who looks at what."""

    site: Site
    board: Board
    topics: tuple[tuple[str, str], ...]
    role: Role
    still_allowed: Callable[[], bool]


def _news(viewing: Viewing, seen: int) -> tuple[str, int]:
    """A message with all parts that are newer than `seen`, or an empty one."""
    now = time.monotonic()
    newer, newest = [], seen
    for name, argument in viewing.topics:
        try:
            part = viewing.board.look(name, argument, viewing.role, now)
        except NetbootError:
            continue  # deleted meanwhile: the page keeps what it shows
        if part.generation > seen:
            newer.append((name, part.html))
            newest = max(newest, part.generation)
    if not newer:
        return "", seen
    return message(f"{viewing.board.nonce}-{newest}", newer), newest


def _events(streams: Streams, viewing: Viewing, seen: int) -> Iterator[str]:
    """The stream, until the page goes away, the server stops or the account changes."""
    sent_at = asked_at = time.monotonic()
    yield "retry: 500\n\n"
    while streams.going_on() and not streams.stopping.is_set():
        text, seen = _news(viewing, seen)
        now = time.monotonic()
        if text or now - sent_at > HEARTBEAT_SECONDS:
            yield text or ": still here\n\n"
            sent_at = now
        if now - asked_at > ACCOUNT_SECONDS:
            if not viewing.still_allowed():
                yield "event: bye\ndata: account\n\n"
                return
            asked_at = now
        streams.stopping.wait(POLL_SECONDS)
    yield "event: bye\ndata: stopping\n\n"


@live.get("/live")
@requires(Role.VIEWER)
def stream() -> Response:
    """The stream of a page: `/live?topic=boots&topic=jobs`."""
    topics = parse_topics(request.args.getlist("topic"))
    streams: Streams = current_app.extensions["netboot_streams"]
    board: Board = current_app.extensions["netboot_board"]
    if not streams.enter():
        response = make_response("", 503)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        response.headers["HX-Reswap"] = "none"
        return response
    viewing = Viewing(site(), board, topics, role_now(), still_allowed())
    events = _events(streams, viewing, generation_seen(board))
    response = Response(events, mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # a proxy in front must not hold it back
    response.call_on_close(streams.leave)
    return response


def init_live(app: Flask, site: Site) -> None:
    """Give the application its live streams."""
    app.extensions["netboot_board"] = Board(app, site)
    app.extensions["netboot_streams"] = Streams()
    app.register_blueprint(live)
