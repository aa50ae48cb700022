"""Live streams."""

import re
import threading
import time

import pytest

from netboot.operations import jobs
from netboot.operations.images import images
from netboot.site import Site
from netboot.store.database.records import AccountRow
from tests.web.support import seeding
from web.app import create_app
from web.guard.access import Role
from web.live import streams as live
from web.live.parts import JOURNAL, SUBJECTS


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


def test_a_message_names_the_part_that_it_replaces():
    """In the form that htmx's extension wants; each line of HTML is a line of data."""
    text = live.message("ab-3", [("boots", "<p>\none\n</p>"), ("jobs", "")])

    assert (
        "id: ab-3\n"
        'data: <hx-partial hx-target="#live-boots" hx-swap="innerMorph"><p>\n'
        "data: one\n"
        'data: </p></hx-partial><hx-partial hx-target="#live-jobs" hx-swap="innerMorph">'
        "</hx-partial>\n\n"
    ) == text


def test_a_page_gets_its_parts_at_once_and_again_when_they_change(read, furnished):
    """State, then news, each within half a second."""
    reader = read("/live?topic=image:lab-pe-x64&topic=jobs")
    reader.wait_for("live-image.*Lab PE")
    reader.wait_for("live-jobs")
    before = time.monotonic()
    jobs.submit(furnished, "build_version", {"image": "Lab PE x64"}, title="A new build")
    reader.wait_for("A new build")

    assert time.monotonic() - before < 2.0


def test_nothing_is_sent_while_nothing_changes(read):
    """An idle site costs no traffic."""
    reader = read("/live?topic=jobs")
    reader.wait_for("live-jobs")
    time.sleep(1.0)

    assert 1 == reader.text.count("id: ")


def test_a_page_that_comes_back_gets_only_what_is_newer(read, furnished):
    """Last-Event-ID names what it has seen."""
    first = read("/live?topic=jobs&topic=images")
    seen = first.wait_for(r"id: (\S+)")[1]
    first.wait_for("live-images")
    seen = re.findall(r"id: (\S+)", first.text)[-1]
    again = read("/live?topic=jobs&topic=images", **{"Last-Event-ID": seen})
    jobs.submit(furnished, "build_version", {"image": "x"}, title="Made meanwhile")
    again.wait_for("Made meanwhile")

    assert "live-images" not in again.text


def test_an_id_of_another_server_counts_for_nothing(read):
    """After a restart the page gets everything anew."""
    for seen in ("00000000-99", "nonsense", "-1", "a-b-c"):
        reader = read("/live?topic=images", **{"Last-Event-ID": seen})
        assert reader.wait_for("live-images")


def test_parts_are_made_for_the_role(read):
    """A viewer's stream carries no buttons."""
    viewer = read("/live?topic=image:lab-pe-x64")
    operator = read("/live?topic=image:lab-pe-x64", "operator")
    viewer.wait_for("live-image")
    operator.wait_for("live-image")

    assert "<form" not in viewer.text
    assert "<form" in operator.text
    assert "csrf_token" not in operator.text


def test_there_are_only_so_many_streams(app, read, monkeypatch):
    """One more is told to come back, and a place that is given back is given away again."""
    app.extensions["netboot_streams"]._limit = 2
    first, second, third = (read("/live?topic=jobs") for _ in range(3))

    assert [200, 200, 503] == [r.response.status_code for r in (first, second, third)]
    assert third.response.headers["Retry-After"] == "5"
    assert third.response.headers["HX-Reswap"] == "none"
    app.extensions["netboot_streams"].stopping.set()
    first.join()
    second.join()
    assert 0 == app.extensions["netboot_streams"].open


@pytest.mark.parametrize("query", ["", "topic=nothing", "topic=jobs" + "&topic=jobs" * 8])
def test_what_is_no_topic_is_refused(read, query):
    """None, unknown, or too many."""
    assert read(f"/live?{query}").response.status_code == 400


def test_a_stream_of_something_that_is_gone_stays_open(read, furnished):
    """The page keeps what it shows."""
    reader = read("/live?topic=image:windows-pe-11&topic=images")
    reader.wait_for('live-image&quot;|live-image"')
    images.delete_image(furnished, "windows-pe-11")
    reader.wait_for(r"(?s)live-images.*live-images")

    assert "bye" not in reader.text


def test_a_stream_ends_when_the_account_changes(read, furnished, monkeypatch):
    """Somebody who lost a role does not go on seeing what it sees."""
    monkeypatch.setattr(live, "ACCOUNT_SECONDS", 0.2)
    reader = read("/live?topic=jobs", "operator")
    reader.wait_for("live-jobs")
    with furnished.database.writing() as session:
        for row in session.query(AccountRow).filter_by(role="operator"):
            row.role = "viewer"

    assert reader.wait_for("event: bye\ndata: account")


def test_streams_end_by_themselves_when_the_server_stops(app, read):
    """Otherwise the server would wait for them until it loses patience."""
    reader = read("/live?topic=jobs")
    reader.wait_for("live-jobs")
    app.extensions["netboot_streams"].going_on = lambda: False

    assert reader.wait_for("event: bye\ndata: stopping")


def test_many_pages_share_one_reading(app, furnished, monkeypatch):
    """A hundred pages cost as much as one."""
    board = app.extensions["netboot_board"]
    calls = []
    monkeypatch.setitem(
        live.TOPICS,
        "jobs",
        live.Topic("jobs/_list.html", lambda *a: calls.append(a) or {"jobs": []}),
    )
    for moment in (100.0, 100.05, 100.09, 110.0):
        board.look("jobs", "", Role.VIEWER, moment)

    assert 2 == len(calls)


def test_a_costly_topic_rests_longer(app, monkeypatch):
    """So that live pages never take more than a small share of a processor."""

    def costly(*_):
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        return {"jobs": []}

    monkeypatch.setitem(live.TOPICS, "jobs", live.Topic("jobs/_list.html", costly))
    part = app.extensions["netboot_board"].look("jobs", "", Role.VIEWER, 100.0)

    assert 1.0 <= part.fresh_for <= live.LONGEST_FRESH_SECONDS


def test_parts_that_nobody_looks_at_are_forgotten(app, monkeypatch):
    """Memory stays bounded however many boots were looked at."""
    monkeypatch.setattr(live, "PARTS", 10)
    board = app.extensions["netboot_board"]
    for number in range(50):
        board.look("jobs", str(number), Role.VIEWER, 1000.0 * (number + 1))

    assert len(board._parts) <= 12


def test_a_part_of_which_nothing_has_changed_is_left_alone_for_a_second(app, monkeypatch):
    """Time itself goes on: what stalls, stalls without an event."""
    calls = []
    topic = live.Topic("jobs/_list.html", lambda *a: calls.append(a) or {"jobs": []})
    monkeypatch.setitem(live.TOPICS, "jobs", topic)
    board = app.extensions["netboot_board"]
    board.look("jobs", "", Role.VIEWER, 100.0, (7,))
    board._parts["jobs", "", Role.VIEWER].fresh_for = live.FRESH_SECONDS  # templates are compiled
    for moment, number in ((100.3, 7), (100.6, 7), (100.7, 8), (101.0, 8), (101.8, 8)):
        board.look("jobs", "", Role.VIEWER, moment, (number,))

    assert 3 == len(calls)


def test_the_reader_ends_with_the_last_stream(app, read):
    """Nothing is read for nobody; it begins again with the next page."""
    board = app.extensions["netboot_board"]
    for _ in range(2):
        reader = read("/live?topic=jobs")
        reader.wait_for("live-jobs")
        thread = board._reader
        assert thread.is_alive()
        app.extensions["netboot_streams"].stopping.set()
        reader.join()
        thread.join(10)
        assert not thread.is_alive()
        assert board._reader is None
        app.extensions["netboot_streams"].stopping.clear()


def test_what_another_process_does_reaches_the_page(read, furnished):
    """The worker and the boot services have connections of their own."""
    reader = read("/live?topic=jobs&topic=boots:")
    reader.wait_for("live-boots")
    other = Site.open(furnished.data)
    other.jobs.submit("build_version", {"image": "Lab PE x64"}, title="Of another process")
    reader.wait_for("Of another process")
    for event in seeding.boot_events("52:54:00:ab:cd:ef", at=time.time()):
        other.journal.emit(event)
    other.journal.close()

    assert reader.wait_for("52:54:00:ab:cd:ef")
    other.database.close()


def test_news_come_in_the_order_of_their_numbers(app, furnished):
    """A stream that has seen a number has seen all that came before it."""
    board = app.extensions["netboot_board"]
    keys = [("jobs", "", Role.VIEWER), ("images", "", Role.VIEWER)]
    for key in keys:
        board.look(*key, 100.0)
    jobs.submit(furnished, "build_version", {"image": "x"}, title="Newer")
    board.look(*keys[0], 200.0)
    names = {name: generation for name, _, generation in board.newer(keys, -1)}

    assert names["jobs"] == board.newest > names["images"]
    assert ["jobs"] == [name for name, _, _ in board.newer(keys, names["images"])]
    assert [] == board.newer(keys, board.newest)


def test_a_part_that_breaks_ends_its_streams_and_no_others(app, read, monkeypatch):
    """A bug of one part is met by whoever shows it; the others are read on."""
    broken = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # it would fill the terminal

    def fragile(*_):
        if broken.is_set():
            raise ZeroDivisionError
        return {"images": []}

    monkeypatch.setitem(live.TOPICS, "images", live.Topic("images/_list.html", fragile))
    board, streams = app.extensions["netboot_board"], app.extensions["netboot_streams"]
    reader = read("/live?topic=jobs")
    reader.wait_for("live-jobs")
    viewing = live.Viewing(board, (("images", "", Role.VIEWER),), lambda: True)
    stream = live._events(streams, viewing, -1)
    assert [True, True] == ["retry" in next(stream), "live-images" in next(stream)]
    broken.set()
    with pytest.raises(ZeroDivisionError):
        list(stream)
    jobs.submit(app.extensions["netboot_site"], "build_version", {"image": "x"}, title="Goes on")

    assert reader.wait_for("Goes on")


def test_topics_tell_of_what_the_database_counts():
    """A subject that nobody counts would never be news."""
    from netboot.store.database import change_counters as changes

    assert set(SUBJECTS) <= set(changes.SUBJECTS)
    for name, topic in live.TOPICS.items():
        assert set(topic.subjects) <= {JOURNAL, *SUBJECTS}, name
        assert topic.subjects, name
