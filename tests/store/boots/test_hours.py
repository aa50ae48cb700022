"""Boots by the hour: sums that are those of the rows, whatever becomes of them."""

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
    counted = {}
    for began, state in rows:
        online, other = counted.get(hour_of(began), (0, 0))
        is_online = state == Outcome.ONLINE.value
        counted[hour_of(began)] = (online + is_online, other + (not is_online))
    return boot_hours.since(session, 0) == counted


def total(session):
    return sum(map(sum, boot_hours.since(session, 0).values()))


@pytest.fixture
def database(site):
    return site.database


def change(database, work):
    with database.writing() as session:
        work(session)
    with database.transaction() as session:
        assert sums_are_true(session)
        return total(session)


def test_sums_are_those_of_the_rows(database):
    """After new boots, boots that went on or failed, and boots that are forgotten."""
    begun, online = tell(at=FIRST, cut=2), tell(at=FIRST)
    offline = tell(at=FIRST + 30 * HOUR, online=False, count=5)

    assert change(database, lambda s: boot_rows.keep(s, begun)) == 3
    assert change(database, lambda s: boot_rows.keep(s, online)) == 3
    assert change(database, lambda s: boot_rows.keep(s, online)) == 3
    assert change(database, lambda s: boot_rows.keep(s, offline)) == 8
    assert change(database, lambda s: boot_rows.discard(s, [offline[0].key, "nobody-1"])) == 7
    assert change(database, lambda s: boot_rows.discard(s, [])) == 7
    assert change(database, lambda s: boot_rows.discard_oldest(s, 2)) == 2


def test_forgotten_hours_leave_nothing_behind(database):
    """A site that runs for years does not keep its hours for ever."""
    boots = tell(at=FIRST)
    change(database, lambda session: boot_rows.keep(session, boots))
    change(database, lambda session: boot_rows.discard(session, [one.key for one in boots]))

    with database.transaction() as session:
        assert session.scalars(select(BootHourRow.hour)).all() == []


def test_only_hours_since_a_moment_are_told(database):
    """By their numbers."""
    boots = tell(at=FIRST)
    change(database, lambda session: boot_rows.keep(session, boots))
    with database.transaction() as session:
        told = set(boot_hours.since(session, hour_of(FIRST) + 1))

    assert {hour_of(one.began) for one in boots} - {hour_of(FIRST)} == told


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
        assert total(session) == 6
