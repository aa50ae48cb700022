"""Boots by the hour: sums that are those of the rows, whatever becomes of them."""

from collections import Counter

import pytest
from sqlalchemy import select

from netboot.boot.told.attempts import Outcome, fold
from netboot.store.boots import hours as boot_hours
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.hours import HOUR, hour_of
from netboot.store.database.records import BootHourRow, BootRow
from tests.web.support import seeding

FIRST = 500_000 * HOUR


def macs(count):
    return [f"52:54:00:00:00:{number:02x}" for number in range(count)]


def tell(*, at, cut=99, online=True, count=3):
    """Boots of some machines, an hour and a half after each other."""
    events = []
    for number, mac in enumerate(macs(count)):
        events += seeding.boot_events(mac, at=at + 1.5 * HOUR * number, online=online)[:cut]
    return fold(events)


def sums_are_true(session):
    """Whether they are what counting the rows gives."""
    rows = session.execute(select(BootRow.began, BootRow.state))
    counted = Counter((hour_of(began), state == Outcome.ONLINE.value) for began, state in rows)
    return +boot_hours.since(session, 0) == counted


@pytest.fixture
def database(site):
    return site.database


def change(database, work):
    with database.writing() as session:
        work(session)
    with database.transaction() as session:
        assert sums_are_true(session)
        return sum(boot_hours.since(session, 0).values())


def test_sums_are_those_of_the_rows(database):
    """After new boots, boots that went on or failed, and boots that are forgotten."""
    begun, online = tell(at=FIRST, cut=2), tell(at=FIRST)
    offline = tell(at=FIRST + 30 * HOUR, online=False, count=5)

    assert 3 == change(database, lambda s: boot_rows.keep(s, begun))
    assert 3 == change(database, lambda s: boot_rows.keep(s, online))
    assert 3 == change(database, lambda s: boot_rows.keep(s, online))
    assert 8 == change(database, lambda s: boot_rows.keep(s, offline))
    assert 7 == change(database, lambda s: boot_rows.discard(s, [offline[0].key, "nobody-1"]))
    assert 7 == change(database, lambda s: boot_rows.discard(s, []))
    assert 2 == change(database, lambda s: boot_rows.discard_oldest(s, 2))


def test_forgotten_hours_leave_nothing_behind(database):
    """A site that runs for years does not keep its hours for ever."""
    boots = tell(at=FIRST)
    change(database, lambda session: boot_rows.keep(session, boots))
    change(database, lambda session: boot_rows.discard(session, [one.key for one in boots]))

    with database.transaction() as session:
        assert [] == session.scalars(select(BootHourRow.hour)).all()


def test_only_hours_since_a_moment_are_told(database):
    """By their numbers."""
    boots = tell(at=FIRST)
    change(database, lambda session: boot_rows.keep(session, boots))
    with database.transaction() as session:
        told = {hour for hour, _ in boot_hours.since(session, hour_of(FIRST) + 1)}

    assert {hour_of(one.began) for one in boots} - {hour_of(FIRST)} == told


def test_two_logs_of_one_site_count_each_boot_once(site):
    """Pages and worker fold the same journal, and both write."""
    from netboot.site import Site

    other = Site.open(site.data)
    events = [seeding.boot_events(mac, at=FIRST + 100.0 * n) for n, mac in enumerate(macs(4))]
    for some in events:
        seeding.tell(site, *some[:3])
        other.boots.save()
        seeding.tell(site, *some[3:])
        site.boots.save()
        other.boots.save()

    assert {hour_of(FIRST): (4, 0)} == site.boots.by_hour(0.0) == other.boots.by_hour(0.0)
    with site.database.transaction() as session:
        assert sums_are_true(session)
    other.journal.close()
    other.database.close()


def test_a_site_of_before_is_counted_when_it_is_brought_up_to_date(database):
    """The rows that are there already."""
    from alembic import command
    from alembic.config import Config

    from netboot.store.database.site_database import MIGRATIONS

    boots = [*tell(at=FIRST), *tell(at=FIRST + 9 * HOUR, online=False)]
    change(database, lambda session: boot_rows.keep(session, boots))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "0012")
    database.migrate()

    with database.transaction() as session:
        assert sums_are_true(session)
        assert 6 == sum(boot_hours.since(session, 0).values())
