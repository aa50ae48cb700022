"""One mark says how far the journal was folded."""

import pytest

from netboot.store.boots import journal_mark
from netboot.store.boots.journal_mark import Mark
from netboot.store.database.records import FactRow


@pytest.fixture
def database(any_site):
    return any_site.database


def first(database, newest, **old):
    """The first mark of a site that an earlier release left with these marks."""
    with database.writing() as session:
        session.add_all(FactRow(name=f"{name}_read_to", value=value) for name, value in old.items())
    with database.transaction() as session:
        return journal_mark.first(session, newest)


def test_a_mark_is_kept(database):
    """The last one that was written counts."""
    with database.writing() as session:
        assert journal_mark.read(session) is None
        journal_mark.write(session, Mark(7, machines=3, webhooks=9))
        journal_mark.write(session, Mark(8, machines=3, webhooks=9))
    with database.transaction() as session:
        assert Mark(8, machines=3, webhooks=9) == journal_mark.read(session)


def test_a_new_site_folds_all_and_sends_webhooks_what_comes(database):
    """Nobody asked for messages about the past."""
    assert Mark(0, machines=0, webhooks=40) == first(database, 40)


def test_a_site_of_an_earlier_release_goes_on_from_its_smallest_mark(database):
    """What is ahead of it is skipped for machines and webhooks: those must not be folded twice."""
    old = {"journal": 35, "audit": 4, "jobs": 1.5}
    mark = first(database, 40, boots={"id": 20}, machines={"id": 30}, webhooks=old)

    assert Mark(20, machines=30, webhooks=35) == mark


def test_writing_the_mark_removes_those_of_earlier_releases(database):
    """But not how far the audit log and the jobs were read, nor what is no mark."""
    with database.transaction() as session:
        others = {row.name for row in session.query(FactRow)}
    first(database, 40, boots={"id": 20}, machines={"id": 30}, webhooks={"journal": 35})
    with database.writing() as session:
        journal_mark.write(session, Mark(20))
    with database.transaction() as session:
        names = {row.name for row in session.query(FactRow)}

    assert {"journal_read_to", "webhooks_read_to"} | others == names
