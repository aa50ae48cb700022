"""Pages are made one after the other, and nobody is stopped by a page that hangs."""

import threading
import time

import pytest

from web.app import create_app
from web.guard.access import Role, requires
from web.live import turns
from web.live.turns import out_of_turn


class Making:
    """Pages that wait until the test lets them go on, and what was made at a time."""

    def __init__(self):
        self.let_go = threading.Event()
        self.began = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.now = self.most = 0

    def page(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.began.release()
        assert self.let_go.wait(20)
        with self.lock:
            self.now -= 1
        return "made"


@pytest.fixture
def making():
    made = Making()
    yield made
    made.let_go.set()


@pytest.fixture
def app(furnished, making):
    made = create_app(furnished)

    def slow():
        return making.page()

    def waits():
        return making.page()

    slow, waits = requires(Role.PUBLIC)(slow), requires(Role.PUBLIC)(out_of_turn(waits))
    made.add_url_rule("/slow", "slow", slow, methods=["GET", "POST"])
    made.add_url_rule("/waits", "waits", waits)
    made.add_url_rule("/breaks", "breaks", requires(Role.PUBLIC)(lambda: 1 // 0))
    made.add_url_rule("/quick", "quick", requires(Role.PUBLIC)(lambda: "quick"))
    return made


@pytest.fixture
def ask(app):
    """Asks for a page in a thread of its own; all have ended after the test."""
    threads = []

    def begin(path, found=None):
        def fetch():
            answer = app.test_client().get(path)
            if found is not None:
                found.append(answer.status_code)

        threads.append(threading.Thread(target=fetch))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(20)


def test_one_page_is_made_at_a_time(ask, making, monkeypatch):
    """The second begins when the first is made."""
    monkeypatch.setattr(turns, "PATIENCE", 20.0)
    found = []
    for _ in range(3):
        ask("/slow", found)
    assert making.began.acquire(timeout=10)
    assert not making.began.acquire(timeout=0.3)
    making.let_go.set()
    assert making.began.acquire(timeout=10)
    assert making.began.acquire(timeout=10)

    assert making.most == 1


def test_a_page_that_hangs_stops_nobody(app, ask, making, monkeypatch):
    """Who has waited long enough goes on without a turn, and takes none from others."""
    monkeypatch.setattr(turns, "PATIENCE", 0.1)
    ask("/slow")
    assert making.began.acquire(timeout=10)

    assert [app.test_client().get("/quick").status_code for _ in range(3)] == [200, 200, 200]
    assert making.now == 1


def test_what_waits_for_others_takes_no_turn(app, ask, making, monkeypatch):
    """Another program's or another server's time is not the time of the other administrators."""
    monkeypatch.setattr(turns, "PATIENCE", 20.0)
    ask("/waits")
    assert making.began.acquire(timeout=10)
    began = time.monotonic()

    assert app.test_client().get("/quick").status_code == 200
    assert time.monotonic() - began < 10


def test_what_is_sent_to_us_takes_no_turn(app, making, monkeypatch):
    """An upload comes as slowly as its sender likes."""
    monkeypatch.setattr(turns, "PATIENCE", 20.0)
    script = {"Authorization": "Bearer nobody"}
    sender = threading.Thread(target=lambda: app.test_client().post("/slow", headers=script))
    sender.start()
    assert making.began.acquire(timeout=10)
    began = time.monotonic()

    assert app.test_client().get("/quick").status_code == 200
    assert time.monotonic() - began < 10
    making.let_go.set()
    sender.join(20)


def test_a_page_that_fails_gives_its_turn_back(app, monkeypatch):
    """Else every fault of ours would cost all others their patience from then on."""
    monkeypatch.setattr(turns, "PATIENCE", 20.0)
    assert app.test_client().get("/breaks").status_code == 500
    assert app.test_client().get("/no-such-page").status_code == 404
    began = time.monotonic()

    assert app.test_client().get("/quick").status_code == 200
    assert time.monotonic() - began < 10


def test_views_that_take_long_are_marked(app):
    """They list WIMs in another program, ask another server, or walk through all that was noted."""
    for endpoint in (
        *("images_versions.show", "audit.verify", "single_sign_on.begin"),
        *("single_sign_on.callback", "api_versions.compare_versions", "api_audit.verify_audit"),
    ):
        assert app.view_functions[endpoint].out_of_turn
