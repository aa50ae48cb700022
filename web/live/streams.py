"""Live pages: one stream of server-sent events per page, which replaces parts of it by name.

A stream sends state, not steps: whenever a topic reads differently from before, its whole part
is sent again. So a page that was away (a closed lid, a restarted server) is right again with
the first message, and nothing can be missed. `Last-Event-ID` names what the page has seen last,
so that only what is newer is sent.

One thread reads the topics of all pages and wakes their streams. It reads a topic when something
has changed that it tells of, at most a few times a second, the more costly ones less often, and
renders it only when what was read is different.
"""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
from web.guard.access import Role, requires, role_now, still_allowed
from web.live.parts import JOURNAL, SUBJECTS, TOPICS, Topic
from web.live.turns import Turns

TICK_SECONDS = 0.05
FRESH_SECONDS = 0.1
UNCHANGED_SECONDS = 1.0
"""So often a topic is read though nothing has changed that is counted: time itself goes on."""

LONGEST_FRESH_SECONDS = 3.0
REST_PER_READING = 20  # a topic may take a twentieth of a processor
WAIT_SECONDS = 0.5
"""A stream that has no news looks so often whether it may go on."""

HEARTBEAT_SECONDS = 5.0
"""A page that went away is noticed when something is written to it: so long it holds a place."""

ACCOUNT_SECONDS = 30.0
TOPICS_PER_STREAM = 8
STREAMS = 100
PARTS = 512
RETRY_AFTER_SECONDS = 5

Key = tuple[str, str, Role]
"""A topic, what it is about, and for whom."""

live = Blueprint("live", __name__)


@dataclass(slots=True)
class Part:
    """A topic as one role sees it: what was read last, and what came of it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = 0.0
    fresh_for: float = FRESH_SECONDS
    changes: tuple[int, ...] = ()
    value: dict[str, Any] | None = None
    html: str = ""
    generation: int = 0


class Board:
    """All parts that pages look at now, shared by their streams."""

    def __init__(self, app: Flask, site: Site) -> None:
        self.nonce = secrets.token_hex(4)
        self.newest = 0
        self._app = app
        self._site = site
        self._parts: dict[Key, Part] = {}
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._watched: Counter[Key] = Counter()
        self._reader: threading.Thread | None = None

    @contextmanager
    def watched(self, keys: Sequence[Key]) -> Iterator[None]:
        """Have these parts read again and again while somebody asks for that, see `read_on`."""
        with self._news:
            self._watched.update(keys)
        try:
            yield
        finally:
            with self._news:
                self._watched.subtract(keys)
                self._watched = +self._watched
                self._news.notify_all()

    @property
    def reading(self) -> bool:
        """Whether what is watched is being read."""
        return self._reader is not None

    def read_on(self) -> None:
        """Read what is watched from now on, in a thread of its own that ends when nothing is."""
        with self._news:
            if self._reader is None and self._watched:
                self._reader = threading.Thread(target=self._read_on, name="live", daemon=True)
                self._reader.start()

    def wait(self, seen: int, timeout: float) -> None:
        """Wait until some part is newer than `seen` or reading has ended, or for so long."""
        with self._news:
            self._news.wait_for(lambda: self.newest > seen or self._reader is None, timeout)

    def tell(self) -> None:
        """Wake whoever waits."""
        with self._news:
            self._news.notify_all()

    def newer(self, keys: Sequence[Key], seen: int) -> list[tuple[str, str, int]]:
        """Name, HTML and generation of the parts that are newer than `seen`."""
        with self._lock:
            parts = [(key[0], self._parts[key]) for key in keys if key in self._parts]
            return [
                (name, part.html, part.generation)
                for name, part in parts
                if part.generation > max(seen, 0)
            ]

    def look(
        self, name: str, argument: str, role: Role, now: float, changes: tuple[int, ...] = ()
    ) -> Part:
        """The part, read anew unless that was just done or nothing has changed since.

        `changes` says what was changed until now; empty where that is not known.
        """
        with self._lock:
            if len(self._parts) > PARTS:
                self._parts = {
                    key: part for key, part in self._parts.items() if now - part.read_at < 60
                }
            part = self._parts.setdefault((name, argument, role), Part())
        with part.lock:
            same = bool(changes) and changes == part.changes
            rest = max(part.fresh_for, UNCHANGED_SECONDS) if same else part.fresh_for
            if now - part.read_at >= rest:
                self._refresh(part, TOPICS[name], argument, role, now)
                part.changes = changes
        return part

    def _read_on(self) -> None:
        """Read what is watched, as long as there is any. A bug ends it; its streams meet it too."""
        try:
            while keys := self._keys():
                self._read_all(keys)
                with self._news:
                    self._news.wait_for(lambda: not self._watched, TICK_SECONDS)
        finally:
            with self._news:
                self._reader = None
                self._news.notify_all()

    def _keys(self) -> list[Key]:
        with self._lock:
            return list(self._watched)

    def _read_all(self, keys: list[Key]) -> None:
        before = self.newest
        changes = self._changes()
        for name, argument, role in keys:
            about = tuple(changes[one] for one in TOPICS[name].subjects) if changes else ()
            with suppress(NetbootError):  # deleted meanwhile: the page keeps what it shows
                self.look(name, argument, role, time.monotonic(), about)
        if self.newest > before:
            self.tell()

    def _changes(self) -> dict[str, int]:
        """How often each subject was changed; empty where that cannot be read."""
        try:
            told = self._site.journal.last_id()
            counts = self._site.database.stamp(*SUBJECTS)
            return {JOURNAL: told, **dict(zip(SUBJECTS, counts, strict=True))}
        except NetbootError:
            return {}

    def _refresh(self, part: Part, topic: Topic, argument: str, role: Role, now: float) -> None:
        # Parts belong to no request: they are shared, and made while streams go on.
        turns: Turns = self._app.extensions["netboot_turns"]
        with turns.one(), self._app.test_request_context():
            try:
                self._refresh_here(part, topic, argument, role)
            except NetbootError:
                part.read_at = now
                raise
        part.read_at = now

    def _refresh_here(self, part: Part, topic: Topic, argument: str, role: Role) -> None:
        began = time.thread_time()
        value = topic.read(self._site, argument)
        if value != part.value:
            html = render_template(topic.template, role=role, live=True, **value)
            with self._lock:  # or a stream could see a later number before an earlier one
                self.newest += 1
                part.value, part.html, part.generation = value, html, self.newest
        rest = REST_PER_READING * (time.thread_time() - began)
        part.fresh_for = min(LONGEST_FRESH_SECONDS, max(FRESH_SECONDS, rest))


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
    for end in ("\r\n", "\r"):
        body = body.replace(end, "\n")
    lines = body.replace("\n", "\ndata: ")
    return f"id: {event_id}\ndata: {lines}\n\n"


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

    board: Board
    keys: tuple[Key, ...]
    still_allowed: Callable[[], bool]


def _news(viewing: Viewing, seen: int) -> tuple[str, int]:
    """A message with all parts that are newer than `seen`, or an empty one."""
    newer = viewing.board.newer(viewing.keys, seen)
    if not newer:
        return "", seen
    newest = max(generation for _, _, generation in newer)
    parts = [(name, html) for name, html, _ in newer]
    return message(f"{viewing.board.nonce}-{newest}", parts), newest


def _look_once(viewing: Viewing) -> None:
    """Have all parts at once, however long nobody looked at them."""
    for name, argument, role in viewing.keys:
        with suppress(NetbootError):  # deleted meanwhile: the page keeps what it shows
            viewing.board.look(name, argument, role, time.monotonic())
    viewing.board.tell()


def _events(streams: Streams, viewing: Viewing, seen: int) -> Iterator[str]:
    """The stream, until the page goes away, the server stops or the account changes."""
    sent_at = asked_at = time.monotonic()
    yield "retry: 500\n\n"
    with viewing.board.watched(viewing.keys):
        _look_once(viewing)
        while streams.going_on() and not streams.stopping.is_set():
            if not viewing.board.reading:
                _look_once(viewing)  # raises what ended the reading, if that was of these parts
                viewing.board.read_on()
            looked = viewing.board.newest
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
            viewing.board.wait(looked, WAIT_SECONDS)
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
    role = role_now()
    keys = tuple((name, argument, role) for name, argument in topics)
    viewing = Viewing(board, keys, still_allowed())
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
