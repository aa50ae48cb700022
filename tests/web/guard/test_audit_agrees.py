"""An answer and its audit entry agree, whatever fails on the way."""

import threading

import pytest

from netboot.errors import DatabaseFault
from netboot.operations.accounts import accounts, audit
from netboot.store.database import audit as store

NEW = {"name": "new", "role": "viewer", "password": "a long enough one"}


def names(site):
    return {account.name for account in accounts.list_accounts(site)}


def actions(site):
    return [(entry.action, entry.outcome) for entry in audit.entries(site)]


@pytest.fixture
def full(monkeypatch):
    """The database takes no more from a given moment on."""

    def refuse(*_, **__):
        raise DatabaseFault("database or disk is full")

    def fill(what):
        monkeypatch.setattr(store, what, refuse)

    fill.undo = monkeypatch.undo
    return fill


@pytest.mark.parametrize("via", ["page", "api"])
def test_a_change_that_was_made_is_reported_as_made_and_its_entry_follows(
    furnished, make_client, full, via
):
    """The disk fills up between the change and its entry."""
    client = make_client(furnished)
    full("append")
    if via == "api":
        answer = client.post("/api/v1/accounts", json=NEW)
        assert answer.status_code == 201
    else:
        answer = client.post("/users/", data=NEW)
        assert answer.status_code == 303
    assert "new" in names(furnished)
    full.undo()

    assert actions(furnished)[0] == ("accounts.create", "done")
    assert store.overdue(furnished.database, before=float("inf")) == []


def test_an_entry_follows_by_itself_as_soon_as_there_is_space(
    furnished, make_client, full, monkeypatch
):
    """Nobody needs to change or read anything else."""
    monkeypatch.setattr(audit, "FOLLOW_SECONDS", 0.05)
    client = make_client(furnished)
    append = store.append
    failed, written = threading.Event(), threading.Event()

    def fails_at_first(*words, **more):
        if not failed.is_set():
            failed.set()
            raise DatabaseFault("database or disk is full")
        found = append(*words, **more)
        written.set()
        return found

    monkeypatch.setattr(store, "append", fails_at_first)
    assert client.post("/api/v1/accounts", json=NEW).status_code == 201
    assert written.wait(20)
    assert actions(furnished)[0] == ("accounts.create", "done")


def test_a_change_that_cannot_be_noted_is_not_made(furnished, make_client, full):
    """It is refused as what it is, and not as an error of netboot."""
    client = make_client(furnished)
    full("begin")
    answer = client.post("/api/v1/accounts", json=NEW)

    assert answer.status_code == 503
    assert "full" in answer.json["detail"]
    assert "new" not in names(furnished)


def test_a_change_whose_process_died_gets_an_entry_of_unknown_outcome(furnished):
    """The note is in the database before the change."""
    audit.begin(furnished, actor="ada", via="page", action="accounts.create", subject="accounts/x",
                details={"name": "x", "password": "secret"})  # fmt: skip
    before = len(actions(furnished))
    assert audit.settle(furnished, now=0.0) == 0
    assert audit.settle(furnished, now=4e9) == 1
    assert audit.settle(furnished, now=4e9) == 0
    newest = audit.entries(furnished, limit=1)[0]

    assert len(actions(furnished)) == before + 1
    assert (newest.actor, newest.action, newest.outcome) == ("ada", "accounts.create", "unknown")
    assert "secret" not in str(newest.details)
    assert audit.verify(furnished).faults == ()


def test_what_was_refused_leaves_neither_note_nor_entry(furnished, make_client):
    """A wrong value changes nothing."""
    client = make_client(furnished)
    before = actions(furnished)
    answer = client.post("/api/v1/accounts", json={**NEW, "role": "king"})

    assert answer.status_code == 422
    assert actions(furnished) == before
    assert store.overdue(furnished.database, before=float("inf")) == []


def test_a_view_that_fails_in_the_middle_is_recorded_as_failed(furnished, make_client, monkeypatch):
    """Something may have been changed by then."""
    client = make_client(furnished)
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(accounts, "_added", lambda *_: 1 // 0)
    answer = client.post("/api/v1/accounts", json=NEW)

    assert answer.status_code == 500
    assert actions(furnished)[0] == ("accounts.create", "failed")


def test_a_head_that_cannot_be_written_fails_nothing_and_leaves_no_file(
    furnished, make_client, monkeypatch
):
    """The entry is in the database; an older head stays, which is in the chain as well."""
    client = make_client(furnished)
    monkeypatch.setattr(store.os, "fsync", _full)
    answer = client.post("/api/v1/accounts", json=NEW)
    monkeypatch.undo()

    assert answer.status_code == 201
    assert actions(furnished)[0] == ("accounts.create", "done")
    assert list(furnished.data.glob("audit.head.*")) == []
    assert audit.verify(furnished).faults == ()


def _full(_fd):
    raise OSError(28, "No space left on device")
