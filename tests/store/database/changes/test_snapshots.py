"""One transaction for all that a thread reads."""

import threading

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError

from netboot.errors import OperatorFault
from netboot.operations import jobs
from netboot.operations import remembered as facts


def elsewhere(work, *arguments):
    """Do something in another thread, as another request or process would."""
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join(10)


def remember(site, value):
    facts.remember(site, "seen", {"value": value})


def seen(site):
    return facts.recall(site, "seen")["value"]


def test_all_that_a_snapshot_reads_is_one_state(site):
    """Whatever others write meanwhile; afterwards the newest is read."""
    remember(site, 1)
    with site.database.snapshot():
        assert seen(site) == 1
        elsewhere(remember, site, 2)
        assert seen(site) == 1

    assert seen(site) == 2


def test_other_threads_have_snapshots_of_their_own_or_none(site):
    """A page never shows what another page began to read."""
    remember(site, 1)
    found = []
    with site.database.snapshot():
        assert seen(site) == 1
        elsewhere(remember, site, 2)
        elsewhere(lambda: found.append(seen(site)))

    assert found == [2]


def test_what_the_thread_writes_it_reads_next(site):
    """Also between two reads of one snapshot, and within the writer's turn."""
    with site.database.snapshot():
        remember(site, 1)
        assert seen(site) == 1
        elsewhere(remember, site, 2)
        with site.database.writing():
            assert seen(site) == 2
        remember(site, 3)
        assert seen(site) == 3


def test_a_reader_that_is_under_way_may_finish_while_its_thread_writes(site):
    """Its transaction is closed when it ends, not before."""
    with site.database.snapshot():
        with site.database.transaction() as session:
            jobs.submit(site, "build_version", {"image": "x"}, title="x")
            assert session.scalar(text("SELECT 1")) == 1
        assert len(jobs.list_lines(site, 5)) == 1


def test_a_failed_statement_spoils_nothing_that_follows(site):
    """PostgreSQL refuses all that comes after it in the same transaction."""
    remember(site, 1)
    with site.database.snapshot():
        with (
            pytest.raises((SQLAlchemyError, OperatorFault)),
            site.database.transaction() as session,
        ):
            session.execute(text("SELECT one FROM nowhere")).all()

        assert seen(site) == 1


def test_the_change_counters_are_read_once(site):
    """Eleven operations of one page ask for them."""
    asked = []
    event.listen(
        site.database.engine, "before_cursor_execute", lambda *words: asked.append(words[2])
    )
    with site.database.snapshot():
        stamps = {site.database.stamp("jobs", "catalog") for _ in range(11)}

    assert (len(stamps), sum("changes" in statement for statement in asked)) == (1, 1)
    jobs.submit(site, "build_version", {"image": "x"}, title="x")
    assert site.database.stamp("jobs", "catalog") not in stamps


def test_no_connection_is_left_open(site):
    """However the snapshot ended."""
    with site.database.snapshot():
        remember(site, 1)
        seen(site)
    with pytest.raises(ZeroDivisionError), site.database.snapshot():
        seen(site)
        raise ZeroDivisionError

    assert site.database.engine.pool.checkedout() == 0
