"""Every kind of event survives the journal."""

import dataclasses
import json
from pathlib import Path
from typing import get_type_hints

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netboot.boot.told.events import KINDS, Event, RequestIgnored
from netboot.store.boots.journal import Journal
from netboot.store.boots.journal_writer import BATCH, JournalWriter, UnknownEvent, encoded

STRATEGIES = {
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    int: st.integers(0, 1 << 60),
    float: st.floats(0, 1e12),
}


def any_event(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    return st.builds(kind, **{name: STRATEGIES[hints[name]] for name in names})


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
)
@given(st.tuples(*(any_event(kind) for kind in KINDS.values())))
def test_every_kind_comes_back_as_it_was(tmp_path: Path, events: tuple[Event, ...]) -> None:
    """What is read equals what was written, for each kind and any values."""
    journal = Journal(tmp_path / "journal.db")
    after = journal.last_id()
    for event in events:
        journal.emit(event)
    assert journal.flush()

    read = [entry.event for entry in journal.events_since(after)]

    journal.close()
    assert list(events) == read


def test_text_that_is_no_text_does_not_stop_the_journal(tmp_path: Path) -> None:
    """A lone surrogate, as from a broken name, is written as a question mark."""
    journal = Journal(tmp_path / "journal.db")
    journal.emit(RequestIgnored(at=1.0, mac="\udcff", reason="odd \udc80 name"))
    assert journal.flush()

    (entry,) = journal.latest()
    journal.close()

    assert entry.event == RequestIgnored(at=1.0, mac="?", reason="odd ? name")


def test_details_are_json_of_the_kinds_own_fields() -> None:
    """The row's columns hold what all events share, the JSON holds the rest."""
    row = encoded(RequestIgnored(at=1.0, mac="m", ip="i", reason="r"))

    assert row[:4] == (1.0, "RequestIgnored", "m", "i")
    assert json.loads(row[4]) == {"reason": "r", "port": 67}


def test_an_unknown_event_is_written_as_it_was_read() -> None:
    """Copying a journal of a newer release loses nothing."""
    row = encoded(UnknownEvent(at=1.0, name="TeaServed", text='{"sugar":2}'))

    assert row == (1.0, "TeaServed", "", "", '{"sugar":2}')


def test_a_long_queue_is_written_in_several_batches(tmp_path: Path) -> None:
    """No batch grows without limit, and stopping writes them all."""
    path = tmp_path / "journal.db"
    writer = JournalWriter(path, capacity=3 * BATCH)
    for number in range(2 * BATCH + 7):
        writer.put(RequestIgnored(at=float(number), reason="r"))
    writer.stop(30)

    assert writer.dropped == 0
    assert Journal(path).last_id() == 2 * BATCH + 7
