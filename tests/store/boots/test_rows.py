"""Boots as rows."""

import time
from dataclasses import replace

import pytest

from netboot.boot.told.attempts import Outcome, fold
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.rows import BootFilter
from tests.web.support import seeding

NOW = 50_000.0


@pytest.fixture
def database(site):
    return site.database


@pytest.fixture
def kept(database):
    """Three boots: online, offline, and one that fell silent."""
    events = (
        *seeding.boot_events("52:54:00:00:00:01", at=NOW - 9000),
        *seeding.boot_events("52:54:00:00:00:02", at=NOW - 5000, online=False, image="Other"),
        *seeding.boot_events("52:54:00:00:00:03", at=NOW - 4000)[:2],
    )
    attempts = fold(events)
    with database.writing() as session:
        boot_rows.keep(session, attempts)
    return attempts


def last_digits(database, **wanted):
    with database.transaction() as session:
        found = boot_rows.newest(session, BootFilter(**wanted), 10, NOW)
    return [attempt.mac[-1] for attempt in found]


def test_a_row_gives_the_boot_back_without_its_steps(database, kept):
    """All that lists show; the story is the journal's."""
    with database.transaction() as session:
        found = boot_rows.newest(session, BootFilter(), 10, NOW)

    assert [replace(attempt, steps=()) for attempt in kept] == found


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["3", "2", "1"]),
        ({"search": "52-54-00-00-00-02"}, ["2"]),
        ({"search": "00:00:02"}, ["2"]),
        ({"search": "52:54:00:00:00:09"}, []),
        ({"search": "52:54", "outcome": Outcome.OFFLINE}, ["2"]),
        ({"search": "52:54", "image": "Other"}, ["2"]),
        ({"search": "52:54", "image": "Other", "outcome": Outcome.ONLINE}, []),
        ({"search": "E1000"}, ["1"]),
        ({"search": "100%"}, []),
        ({"version": 1, "way": ""}, ["2", "1"]),
        ({"version": 2}, []),
        ({"way": "iso"}, []),
        ({"outcome": Outcome.ONLINE}, ["1"]),
        ({"outcome": Outcome.OFFLINE}, ["2"]),
        ({"outcome": Outcome.STALLED}, ["3"]),
        ({"outcome": Outcome.UNDER_WAY}, []),
        ({"image": "Other"}, ["2"]),
        ({"machine": "52:54:00:00:00:01"}, ["1"]),
        ({"before": NOW - 5000}, ["1"]),
    ],
)
def test_boots_are_searched_by_each_field(database, kept, wanted, expected):
    """A list and its count use the same conditions."""
    assert last_digits(database, **wanted) == expected
    with database.transaction() as session:
        assert len(expected) == boot_rows.count(session, BootFilter(**wanted), NOW)


def test_a_boot_that_went_on_replaces_its_row(database):
    """Its key stays the same as it climbs."""
    events = seeding.boot_events(at=NOW)
    with database.writing() as session:
        boot_rows.keep(session, fold(events[:3]))
        boot_rows.keep(session, fold(events))
    with database.transaction() as session:
        (found,) = boot_rows.newest(session, BootFilter(), 10, NOW)

    assert found.driver == "e1000"


def test_a_trouble_counts_until_the_machine_boots_again(database, kept):
    """Only each machine's newest boot."""
    with database.transaction() as session:
        assert [a.mac[-1] for a in boot_rows.troubled(session, 0.0, NOW, 9)] == ["3", "2"]
    with database.writing() as session:
        boot_rows.keep(session, fold(seeding.boot_events("52:54:00:00:00:02", at=NOW - 100)))
    with database.transaction() as session:
        assert [a.mac[-1] for a in boot_rows.troubled(session, 0.0, NOW, 9)] == ["3"]


def test_only_the_newest_are_kept(database, kept):
    """What is older than those is forgotten."""
    with database.writing() as session:
        assert boot_rows.discard_oldest(session, 2) == 1
        assert boot_rows.discard_oldest(session, 2) == 0

    assert last_digits(database) == ["3", "2"]


def test_rates_are_those_of_images(database, kept):
    """One for each boot whose image was timed."""
    with database.transaction() as session:
        assert [rate for _, rate in boot_rows.rates(session, 9)] == [54_000_000 / 5.5] * 2


def test_a_hundred_boots_are_written_in_portions(database):
    """More than one statement may hold."""
    made = fold(
        event
        for n in range(250)
        for event in seeding.boot_events(f"52:54:00:00:01:{n:02x}", at=time.time() + n)[:1]
    )
    with database.writing() as session:
        boot_rows.keep(session, made)
    with database.transaction() as session:
        assert boot_rows.count(session, BootFilter(), NOW) == 250


def test_a_row_that_was_written_anew_is_read_anew(database):
    """Though what was read before is kept: it is kept by what the row says."""
    events = seeding.boot_events(at=NOW)
    for count in (2, 3, len(events)):
        (attempt,) = fold(events[:count])
        with database.writing() as session:
            boot_rows.keep(session, [attempt])
        with database.transaction() as session:
            (found,) = boot_rows.newest(session, BootFilter(), 9, NOW)
            assert replace(attempt, steps=()) == found == boot_rows.find(session, found.key)


def test_lists_are_told_by_indexes_alone(database, kept):
    """A search that finds nothing among a hundred thousand boots reads none of them."""
    if not database.is_sqlite:
        pytest.skip("SQLite's planner; PostgreSQL has statistics of its own")
    for wanted in (
        {"search": "nothing"},
        {"search": "nothing", "outcome": Outcome.OFFLINE},
        {"search": "nothing", "image": "Other"},
        {"outcome": Outcome.STALLED},
        {"image": "Other", "outcome": Outcome.ONLINE},
    ):
        with database.transaction() as session:
            statement = boot_rows.names(session, BootFilter(**wanted), 51, NOW)
            compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
        assert "COVERING INDEX" in str(plan), wanted
        assert "TEMP B-TREE" not in str(plan), wanted
