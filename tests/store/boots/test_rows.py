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
    """Rows, and boots that have none yet, are judged alike."""
    assert expected == last_digits(database, **wanted)
    judged = [one.mac[-1] for one in kept if BootFilter(**wanted).fits(one, NOW)]
    assert expected == judged


def test_a_boot_that_went_on_replaces_its_row(database):
    """Its key stays the same as it climbs."""
    events = seeding.boot_events(at=NOW)
    with database.writing() as session:
        boot_rows.keep(session, fold(events[:3]))
        boot_rows.keep(session, fold(events))
    with database.transaction() as session:
        (found,) = boot_rows.newest(session, BootFilter(), 10, NOW)

    assert "e1000" == found.driver


def test_boots_are_counted_by_the_hour(database, kept):
    """By the hour in which they began, and whether they came online."""
    with database.transaction() as session:
        found = boot_rows.counts_by_hour(session, 0.0, ["x"])
        without = boot_rows.counts_by_hour(session, 0.0, [kept[0].key])

    assert {(11, True, 1), (12, False, 2)} == set(found)
    assert {(11, True, 1), (12, False, 1)} == set(without)


def test_a_trouble_counts_until_the_machine_boots_again(database, kept):
    """Only each machine's newest boot."""
    with database.transaction() as session:
        assert ["3", "2"] == [a.mac[-1] for a in boot_rows.troubled(session, 0.0, NOW, 9)]
    with database.writing() as session:
        boot_rows.keep(session, fold(seeding.boot_events("52:54:00:00:00:02", at=NOW - 100)))
    with database.transaction() as session:
        assert ["3"] == [a.mac[-1] for a in boot_rows.troubled(session, 0.0, NOW, 9)]


def test_only_the_newest_are_kept(database, kept):
    """What is older than those is forgotten."""
    with database.writing() as session:
        assert 1 == boot_rows.discard_oldest(session, 2)
        assert 0 == boot_rows.discard_oldest(session, 2)

    assert ["3", "2"] == last_digits(database)


def test_rates_are_those_of_images(database, kept):
    """One for each boot whose image was timed."""
    with database.transaction() as session:
        assert [54_000_000 / 5.5] * 2 == [rate for _, rate in boot_rows.rates(session, 9, [])]


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
        assert 250 == boot_rows.count(session, BootFilter(), NOW, [])


def test_boots_are_counted_without_those_that_are_told_anew(database, kept):
    """By state, by the hour and by rate, whatever else the rows say."""
    keys = [attempt.key for attempt in kept]
    with database.transaction() as session:
        for out in ([], keys[:1], keys[1:], keys, ["nobody-1"]):
            left = [attempt for attempt in kept if attempt.key not in out]
            assert len(left) == boot_rows.count(session, BootFilter(), NOW, out)
            online = BootFilter(outcome=Outcome.ONLINE)
            stands = [one for one in left if one.outcome(NOW) is Outcome.ONLINE]
            assert len(stands) == boot_rows.count(session, online, NOW, out)
            hours = boot_rows.counts_by_hour(session, 0.0, out)
            assert len(left) == sum(count for _, _, count in hours)
            assert all(count > 0 for _, _, count in hours)
            timed = sorted((one.began, one.rate) for one in left if one.rate > 0)
            assert timed == sorted(boot_rows.rates(session, 9, out))


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
