"""What was read from a file is kept until the file is another."""

import os
import time

import pytest

from netboot.store.content import kept_file as module
from netboot.store.content.kept_file import KeptFile, mark_of


@pytest.fixture
def path(tmp_path):
    """A file that was there for a while."""
    made = tmp_path / "file"
    replace(made, "one", age=60)
    return made


def replace(path, text, *, age=0.0):
    """As writers do it: by one rename."""
    part = path.with_name("part")
    part.write_text(text)
    at = time.time() - age
    os.utime(part, (at, at))
    part.replace(path)


def test_a_file_that_stays_is_read_once(path):
    """However often one asks."""
    reads = []
    kept = KeptFile(path, lambda text: reads.append(text) or text)

    assert [kept() for _ in range(3)] == ["one"] * 3
    assert len(reads) == 1


def test_a_file_that_was_replaced_is_read_again(path):
    """Be it newer or older than the one before."""
    kept = KeptFile(path, str)
    found = [kept()]
    for age in (30, 90, 0):
        replace(path, f"aged {age}", age=age)
        found.append(kept())

    assert found == ["one", "aged 30", "aged 90", "aged 0"]


def test_of_changes_within_a_moment_none_is_missed(path):
    """Files that are written within one step of the clock may look alike from outside."""
    kept = KeptFile(path, str)

    for number in range(200):
        replace(path, f"{number % 10}")
        assert f"{number % 10}" == kept()


def test_a_young_file_is_read_each_time(path, monkeypatch):
    """Two of them may look alike; what says the same is understood once."""
    understood = []
    kept = KeptFile(path, lambda text: understood.append(text) or text)
    monkeypatch.setattr(module, "mark_of", lambda _path: (1, time.time_ns(), 3))
    found = []
    for text in ("new", "new", "newer"):
        path.write_text(text)
        found.append(kept())

    assert (found, understood) == (["new", "new", "newer"], ["new", "newer"])


def test_a_file_that_cannot_be_read_is_tried_again(path):
    """What was kept of another one is not shown in its place."""
    kept = KeptFile(path, str)
    kept()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        kept()
    replace(path, "back", age=60)

    assert kept() == "back"
    assert None is mark_of(path.with_name("nothing"))
