"""Live pages: streams that tell what has changed, and the parts that pages fetch."""

import json
import re
import threading
import time

import pytest

from netboot.daemons.projector import catch_up
from netboot.errors import ContentFault
from netboot.operations import jobs
from netboot.operations.images import images
from netboot.site import Site
from netboot.store.database.records import AccountRow
from tests.support.settling import settled
from tests.web.support import seeding
from web.app import create_app
from web.live import parts as topics
from web.live import streams as live


class Reader:
    """Reads a stream in a thread, message by message."""

    def __init__(self, client, path, **headers):
        self.response = client.get(path, headers=headers, buffered=False)
        self.text = ""
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        if self.response.status_code == 200:
            self._thread.start()

    def _read(self):
        for chunk in self.response.response:
            with self._arrived:
                self.text += chunk.decode() if isinstance(chunk, bytes) else chunk
                self._arrived.notify_all()

    @property
    def told(self):
        """All versions that came, as (topic, version), in their order."""
        data = re.findall("event: changed\ndata: (.*)\n\n", self.text)
        return [pair for one in data for pair in json.loads(one).items()]

    def wait_until(self, fits, seconds=10):
        """The versions that were told, as soon as they fit."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: fits(self.told), seconds), self.text[-500:]
            return self.told

    def wait_for(self, pattern, seconds=10):
        """The match, as soon as it is there."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: re.search(pattern, self.text), seconds)
            assert found, f"{pattern!r} did not come; there came: {self.text[-500:]}"
            return found

    def join(self):
        if self._thread.ident:
            self._thread.join(10)
        self.response.close()


@pytest.fixture
def app(furnished):
    return create_app(furnished)


@pytest.fixture
def read(app, furnished, make_client):
    """Opens streams, and ends them after the test."""
    readers = []

    def open_stream(path, identity="viewer", **headers):
        readers.append(Reader(make_client(furnished, identity, app=app), path, **headers))
        return readers[-1]

    yield open_stream
    app.extensions["netboot_streams"].stopping.set()
    for reader in readers:
        reader.join()


def names(told):
    """The topics among what was told."""
    return [topic for topic, _ in told]


def test_a_page_learns_all_versions_at_once_and_then_what_changed(read, furnished):
    """State first; news within half a second."""
    reader = read("/live?topic=image:lab-pe-x64&topic=jobs&topic=captures&topic=decisions")
    first = reader.wait_until(lambda told: len(told) == 4)
    before = time.monotonic()
    jobs.submit(furnished, "build_version", {"image": "Lab PE x64"}, title="A new build")
    told = reader.wait_until(lambda told: len(told) >= 7)

    assert {"image:lab-pe-x64", "jobs", "captures", "decisions"} == set(names(first))
    assert {"image:lab-pe-x64", "jobs", "captures"} == set(names(told[4:]))
    assert time.monotonic() - before < 2.0


def test_nothing_is_sent_while_nothing_changes(read):
    """An idle site costs no traffic."""
    reader = read("/live?topic=jobs&topic=decisions")
    reader.wait_until(lambda told: len(told) == 2)
    time.sleep(1.0)

    assert len(reader.told) == 2


def test_time_alone_changes_what_depends_on_it(read, monkeypatch):
    """A boot that stalls does so without an event."""
    monkeypatch.setattr(topics, "CLOCK_SECONDS", 0.2)
    reader = read("/live?topic=boots:&topic=jobs")
    told = reader.wait_until(lambda told: len(told) > 3)

    assert names(told).count("jobs") == 1


def test_a_page_knows_the_versions_that_its_stream_tells(read, furnished, make_client, app):
    """So nothing is fetched after a page was loaded and nothing happened since."""
    page = make_client(furnished, "viewer", app=app).get("/jobs/").text
    shown = json.loads(re.search(r'data-versions="([^"]+)"', page)[1].replace("&#34;", '"'))
    reader = read("/live?topic=activity&topic=jobs")

    assert shown == dict(reader.wait_until(lambda told: len(told) == 2))


def test_versions_are_the_same_in_another_process(furnished):
    """A page that reconnects to another process, or after a restart, compares them."""
    other = Site.open(furnished.data)
    counters = [topics.read_counters(one) for one in (furnished, other)]
    other.database.close()
    other.journal.close()

    assert counters[0] == counters[1]
    assert topics.version_of("jobs", counters[0], 1.0) == topics.version_of("jobs", counters[1], 9)


def test_a_part_is_made_for_the_role(furnished, make_client, app):
    """A viewer's part has no buttons; a token for forms is in the page, not in its parts."""
    viewer, operator = (
        make_client(furnished, role, app=app).get("/live/part?topic=image:lab-pe-x64").text
        for role in ("viewer", "operator")
    )

    assert "Lab PE" in viewer
    assert "<form" not in viewer
    assert "<form" in operator
    assert "csrf_token" not in operator


def test_a_part_that_the_page_has_is_not_sent_again(furnished, make_client, app):
    """The ETag says what the page has."""
    client = make_client(furnished, "viewer", app=app)
    first = client.get("/live/part?topic=jobs")
    again = client.get("/live/part?topic=jobs", headers={"If-None-Match": first.headers["ETag"]})
    jobs.submit(furnished, "build_version", {"image": "x"}, title="Made meanwhile")
    newer = client.get("/live/part?topic=jobs", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.text) == (304, "")
    assert newer.status_code == 200
    assert "Made meanwhile" in newer.text


def test_a_part_of_what_is_gone_leaves_the_page_as_it_is(furnished, make_client, app):
    """The page keeps what it shows."""
    images.delete_image(furnished, "windows-pe-11")
    answer = make_client(furnished, "viewer", app=app).get("/live/part?topic=image:windows-pe-11")

    assert (answer.status_code, answer.text) == (204, "")


def test_parts_and_streams_are_for_those_who_signed_in(furnished, make_client, app):
    """A part is no page: it does not lead to the form."""
    client = make_client(furnished, "anonymous", app=app)
    accepts = {"Accept": "text/html, text/event-stream"}

    for path in ("/live?topic=jobs", "/live/part?topic=jobs"):
        assert client.get(path, headers=accepts).status_code == 401


def test_there_are_only_so_many_streams(app, read, furnished):
    """The next page has to come back; a place that is given back is given away again."""
    app.extensions["netboot_streams"] = streams = live.Streams(furnished.web_folder, limit=2)
    first, second, third = (read("/live?topic=jobs") for _ in range(3))

    assert [r.response.status_code for r in (first, second, third)] == [200, 200, 503]
    assert third.response.headers["Retry-After"] == "5"
    assert third.response.headers["HX-Reswap"] == "none"
    streams.stopping.set()
    first.join()
    second.join()
    assert streams.open == 0


@pytest.mark.parametrize("query", ["", "topic=nothing", "topic=jobs" + "&topic=jobs" * 8])
def test_what_is_no_topic_is_refused(read, query):
    """None, unknown, or too many."""
    assert read(f"/live?{query}").response.status_code == 400


@pytest.mark.parametrize("query", ["", "topic=nothing"])
def test_a_part_of_no_topic_is_refused(furnished, make_client, app, query):
    """As the stream refuses it."""
    client = make_client(furnished, "viewer", app=app)

    assert client.get(f"/live/part?{query}").status_code == 400


def test_a_stream_ends_when_the_account_changes(read, furnished, monkeypatch):
    """A lost role ends what it allowed."""
    monkeypatch.setattr(live, "ACCOUNT_SECONDS", 0.2)
    reader = read("/live?topic=jobs", "operator")
    reader.wait_until(bool)
    with furnished.database.writing() as session:
        for row in session.query(AccountRow).filter_by(role="operator"):
            row.role = "viewer"

    assert reader.wait_for("event: bye\ndata: account")


def test_streams_end_by_themselves_when_the_server_stops(app, read):
    """Otherwise the server would wait for them until it loses patience."""
    reader = read("/live?topic=jobs")
    reader.wait_until(bool)
    app.extensions["netboot_streams"].going_on = lambda: False

    assert reader.wait_for("event: bye\ndata: stopping")


def test_many_streams_share_one_reading(app, read, furnished):
    """A hundred pages cost as much as one."""
    for _ in range(3):
        read("/live?topic=jobs").wait_until(bool)

    def pulses():
        return [one.name for one in threading.enumerate()].count("pulse")

    assert settled(pulses, 1) == 1  # that of an earlier test may be ending


def test_the_reading_ends_with_the_last_stream(app, read):
    """It begins again with the next page."""
    pulse, streams = app.extensions["netboot_pulse"], app.extensions["netboot_streams"]
    for _ in range(2):
        reader = read("/live?topic=jobs")
        reader.wait_until(bool)
        thread = pulse._thread
        assert thread.is_alive()
        streams.stopping.set()
        reader.join()
        thread.join(10)
        assert not thread.is_alive()
        streams.stopping.clear()


def test_a_stream_begins_with_the_versions_of_now(app, read, furnished):
    """Not with those of the time when the last page was closed."""
    streams = app.extensions["netboot_streams"]
    first = read("/live?topic=jobs")
    before = dict(first.wait_until(bool))
    streams.stopping.set()
    first.join()
    streams.stopping.clear()
    jobs.submit(furnished, "build_version", {"image": "x"}, title="Made meanwhile")
    told = read("/live?topic=jobs").wait_until(bool)

    assert dict(told[:1]) != before


def test_a_stream_outlives_a_database_that_is_away(app, read, furnished, monkeypatch):
    """News come as soon as it is back."""
    away = threading.Event()

    def read_counters(site):
        if away.is_set():
            raise ContentFault("the disk is away")
        return topics.read_counters(site)

    monkeypatch.setattr(live, "read_counters", read_counters)
    reader = read("/live?topic=jobs")
    reader.wait_until(bool)
    away.set()
    jobs.submit(furnished, "build_version", {"image": "x"}, title="Made meanwhile")
    time.sleep(0.3)
    assert len(reader.told) == 1
    away.clear()

    assert reader.wait_until(lambda told: len(told) == 2)


def test_what_another_process_does_reaches_the_page(read, furnished):
    """The worker and the boot services have connections of their own."""
    reader = read("/live?topic=jobs&topic=decisions&topic=boots:")
    reader.wait_until(lambda told: len(told) == 3)
    other = Site.open(furnished.data)
    other.jobs.submit("build_version", {"image": "Lab PE x64"}, title="Of another process")
    reader.wait_until(lambda told: names(told).count("jobs") == 2)
    for event in seeding.boot_events("52:54:00:ab:cd:ef", at=time.time()):
        other.journal.emit(event)
    assert other.journal.flush()
    catch_up(other)
    other.journal.close()

    assert reader.wait_until(lambda told: {"decisions", "boots:"} <= set(names(told[4:])))
    other.database.close()


def test_topics_name_subjects_that_the_database_counts():
    """A subject that is not counted would never be news."""
    from netboot.store.database.changes import change_counters as changes

    assert set(topics.SUBJECTS) <= set(changes.SUBJECTS)
    for name, topic in live.TOPICS.items():
        assert set(topic.subjects) <= {topics.JOURNAL, *topics.SUBJECTS}, name
        assert topic.subjects, name
