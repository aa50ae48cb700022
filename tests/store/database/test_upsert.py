"""Rows are added or changed by one statement; the fixture `site` has either database."""

from sqlalchemy import select

from netboot.store.database.records import BootHourRow, FactRow
from netboot.store.database.upsert import upsert


def facts(site):
    with site.database.transaction() as session:
        return {row.name: row.value for row in session.scalars(select(FactRow))}


def test_rows_that_are_there_are_changed_and_the_others_added(site):
    """One statement for both, so that no other writer comes in between."""
    before = facts(site)
    with site.database.writing() as session:
        upsert(session, FactRow, [{"name": "a", "value": {"is": 1}}], key="name")
        rows = [{"name": "a", "value": {"is": 2}}, {"name": "b", "value": {"is": 3}}]
        upsert(session, FactRow, rows, key="name")

    assert facts(site) == {**before, "a": {"is": 2}, "b": {"is": 3}}


def test_what_is_summed_is_added_to_what_is_there(site):
    """Counts grow by what they are given; a negative number takes away."""
    with site.database.writing() as session:
        for online, other in ((2, 1), (3, -1)):
            row = {"hour": 7, "online": online, "other": other}
            upsert(session, BootHourRow, [row], key="hour", summed=("online", "other"))
        found = session.execute(select(BootHourRow.online, BootHourRow.other)).all()

    assert [tuple(row) for row in found] == [(5, 0)]


def test_no_rows_are_no_statement(site):
    """An empty batch is nothing to say."""
    before = facts(site)
    with site.database.writing() as session:
        upsert(session, FactRow, [], key="name")

    assert facts(site) == before
