"""netboot.store.database.changes.touches: who commits wakes who waits."""

import os
import subprocess
import sys
import threading
import time

import pytest

from netboot.store.database.changes import touches as module
from netboot.store.database.changes.touches import Touches, touch
from tests.support.settling import settled


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "a.db"
    made.touch()
    return made


def waited(touches, timeout=30.0):
    """The seconds that it waited."""
    began = time.monotonic()
    touches.wait(timeout)
    return time.monotonic() - began


def test_a_touch_of_another_process_ends_the_wait(path, monkeypatch):
    """Long before the next look."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    with Touches(path) as touches:
        code = f"from pathlib import Path; from {touch.__module__} import touch; touch(Path(%r))"
        other = subprocess.Popen([sys.executable, "-c", code % str(path)])

        assert waited(touches) < 30.0
        assert other.wait(30) == 0


def test_a_touch_before_the_wait_is_not_missed(path, monkeypatch):
    """It reads what is new and then waits: what came in between ends the wait at once."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    with Touches(path) as touches:
        touch(path)
        assert waited(touches) < 10.0


def test_other_files_of_the_folder_wake_nobody(path):
    """Nor does one that is written without a touch."""
    with Touches(path) as touches:
        touch(path.with_name("gone.db"))
        path.with_name("b.db").touch()
        touch(path.with_name("b.db"))
        path.with_name("a.db-wal").write_bytes(b"x")

        assert waited(touches, 0.2) >= 0.2


def test_no_wait_is_longer_than_until_the_next_look(path):
    """Whatever is missed is found then."""
    with Touches(path) as touches:
        assert module.LOOK_SECONDS <= waited(touches) < 10.0
    assert waited(touches, 0.0) < 1.0


def test_without_watches_it_looks_often(path, monkeypatch):
    """A user has 128 of them; one who has none left still waits, and is told nothing."""
    monkeypatch.setattr(module, "_watched", lambda _folder: -1)
    for touches in (Touches(path), Touches()):
        assert module.BLIND_SECONDS <= waited(touches) < 10.0
        touches.close()


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_a_descriptor_is_given_back(path):
    """Each wait for the journal has one."""
    before = open_files()
    for _ in range(10):
        with Touches(path):
            pass

    assert settled(open_files, before) <= before


def test_a_commit_touches_the_file(site, monkeypatch):
    """A reader who waits for the database sees the change when it is woken."""
    if not site.database.is_sqlite:
        pytest.skip("PostgreSQL has no file here")
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    with site.news() as news:
        before = site.database.stamp("jobs")
        writer = threading.Thread(target=lambda: site.jobs.submit("x", {}, title="x"))
        writer.start()
        news.wait(30)
        assert before != site.database.stamp("jobs")
        writer.join()
