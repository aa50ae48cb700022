"""Live pages: a stream of server-sent events reports which parts of a page have changed.

A stream sends state, not steps: the versions of all parts first, then those of changed parts. The
page compares them with its own and fetches what differs (`/live/part`). So a page that was
disconnected (a closed lid, a restarted server) is correct again after the first message, and any
process can answer.

Versions come from the change counters in the database. While pages are open, one thread in each
process reads the counters after each commit and wakes the streams. Parts are rendered only in
requests.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, make_response, request
from flask import render_template as render

from netboot.errors import NetbootError, NotFound
from netboot.site import Site
from web.guard.access import Role, requires, role_now, site, still_allowed
from web.live.parts import TOPICS, read_counters, topic_of, version_of
from web.live.places import Places

APART_SECONDS = 0.05
"""Between two looks at the counters: a boot storm commits more often than pages can follow."""

WAIT_SECONDS = 0.5
"""How often a stream without changes checks whether it may continue."""

HEARTBEAT_SECONDS = 5.0
"""Only a failed write shows that a page is closed; until then it keeps its place."""

ACCOUNT_SECONDS = 30.0
TOPICS_PER_STREAM = 8
STREAMS = 100
RETRY_AFTER_SECONDS = 5

live = Blueprint("live", __name__)


class Pulse:
    """Reads the change counters for all streams of this process."""

    def __init__(self, own_site: Site) -> None:
        self._site = own_site
        self._news = threading.Condition()
        self._followers = 0
        self._thread: threading.Thread | None = None
        self._counters: Mapping[str, int] = {}

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Read the counters until the last follower leaves."""
        with self._news:
            self._followers += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._news:
                self._followers -= 1
                self._news.notify_all()

    def wait(self, seen: Mapping[str, int], timeout: float) -> Mapping[str, int]:
        """The counters, when they differ from `seen` or after `timeout` seconds."""
        with self._news:
            self._news.wait_for(lambda: self._counters != seen, timeout)
            return self._counters

    def _run(self) -> None:
        with self._site.news() as commits:
            while True:
                counters = self._counters
                with suppress(NetbootError):  # the database is unavailable for a moment: pages wait
                    counters = read_counters(self._site)
                with self._news:
                    if counters != self._counters:
                        self._counters = counters
                        self._news.notify_all()
                    if self._news.wait_for(lambda: not self._followers, APART_SECONDS):
                        self._thread = None  # under the lock: the next follower starts another
                        self._counters = {}  # the next follower must not see old ones
                        return
                commits.wait(WAIT_SECONDS)


class Streams:
    """The open streams: their number is limited over all processes together."""

    def __init__(self, folder: Path, limit: int = STREAMS) -> None:
        self._places = Places(folder / "streams.lock", limit)
        self.going_on: Callable[[], bool] = lambda: True
        self.report: Callable[[int], None] = lambda _open: None
        self.stopping = threading.Event()

    def enter(self) -> int | None:
        """Take a place; None if all are taken."""
        place = self._places.take()
        self.report(self.open)
        return place

    def leave(self, place: int) -> None:
        self._places.give_back(place)
        self.report(self.open)

    @property
    def open(self) -> int:
        """The number of open streams of this process."""
        return self._places.held


def parse_topics(wanted: list[str]) -> tuple[str, ...]:
    """Parts like `boots` and `image:lab-pe`. Aborts with 400 for an unknown topic."""
    names = {text.partition(":")[0] for text in wanted}
    if not wanted or len(wanted) > TOPICS_PER_STREAM or not names <= TOPICS.keys():
        abort(400)
    return tuple(wanted)


def _events(
    streams: Streams, pulse: Pulse, topics: tuple[str, ...], allowed: Callable[[], bool]
) -> Iterator[str]:
    """The stream, until the page is closed, the server stops or the account changes."""
    sent_at = asked_at = time.monotonic()
    sent: dict[str, str] = {}
    counters: Mapping[str, int] = {}
    yield "retry: 500\n\n"  # milliseconds until a browser reconnects (HTML Standard, SSE)
    with pulse.followed():
        while streams.going_on() and not streams.stopping.is_set():
            counters = pulse.wait(counters, WAIT_SECONDS)
            versions = {one: version_of(one, counters, time.time()) for one in topics if counters}
            changed = {
                one: version for one, version in versions.items() if sent.get(one) != version
            }
            sent |= changed
            now = time.monotonic()
            if changed or now - sent_at > HEARTBEAT_SECONDS:
                data = json.dumps(changed)
                yield f"event: changed\ndata: {data}\n\n" if changed else ": still here\n\n"
                sent_at = now
            if now - asked_at > ACCOUNT_SECONDS:
                if not allowed():
                    yield "event: bye\ndata: account\n\n"
                    return
                asked_at = now
    yield "event: bye\ndata: stopping\n\n"


@live.get("/live")
@requires(Role.VIEWER)
def stream() -> Response:
    """The stream of a page: `/live?topic=boots&topic=jobs`."""
    topics = parse_topics(request.args.getlist("topic"))
    streams: Streams = current_app.extensions["netboot_streams"]
    place = streams.enter()
    if place is None:
        response = make_response("", 503)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        response.headers["HX-Reswap"] = "none"
        return response
    pulse: Pulse = current_app.extensions["netboot_pulse"]
    events = _events(streams, pulse, topics, still_allowed())
    response = Response(events, mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx must not buffer the stream
    response.call_on_close(lambda: streams.leave(place))
    return response


@live.get("/live/part")
@requires(Role.VIEWER)
def part() -> Response:
    """The current part: `/live/part?topic=image:lab-pe`; 304 if the page has it already."""
    (wanted,) = parse_topics([request.args.get("topic", "")])
    topic, argument = topic_of(wanted)
    try:
        values = topic.read(site(), argument)
    except NotFound:  # it was deleted: the page keeps what it shows
        return make_response("", 204)
    response = make_response(render(topic.template, role=role_now(), live=True, **values))
    response.add_etag()
    response.make_conditional(request)
    return response


def init_live(app: Flask, own_site: Site) -> None:
    app.extensions["netboot_pulse"] = Pulse(own_site)
    app.extensions["netboot_streams"] = Streams(own_site.web_folder)
    app.register_blueprint(live)
