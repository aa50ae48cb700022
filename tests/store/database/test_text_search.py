"""netboot.store.database.text_search: a text is found exactly where it is."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update

from netboot.site import Site
from netboot.store.database.records import DriverRow, DriverTraitsRow
from netboot.store.database.text_search import INDEXES, has_text, index_texts

PIECES = (
    "ven_8086",
    "dev_100e",
    "Größe",
    "größe",
    '"',
    "'",
    "%",
    "_",
    "*",
    "AND",
    "画像",
    "\n",
    "a",
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text("aB_%\"'- é画", max_size=5), max_size=6).map(
    "".join
)


@pytest.fixture
def sqlite_site(tmp_path):
    """A site on SQLite, which alone has indexes of trigrams."""
    made = Site.open(tmp_path / "data")
    yield made
    made.database.close()


def add(session, number, words, boards=""):
    session.add(
        DriverRow(
            id=number,
            digest=f"sha256:{number:064x}",
            **dict.fromkeys(("name", "inf_name", "provider", "family", "kind", "class_name"), ""),
            **dict.fromkeys(("version", "date", "architectures", "signature"), ""),
            size=0,
            ids=0,
            has_findings=False,
            findings=[],
            imported_at=0.0,
            search_text=words,
        )
    )
    session.flush()
    session.add(DriverTraitsRow(driver_id=number, services="", spans="", boards=boards))


def found(database, word):
    """The numbers of the drivers that have the word in their texts, and of those on boards."""
    with database.transaction() as session:
        words = has_text(session, DriverRow.search_text, DriverRow.id, word)
        boards = has_text(session, DriverTraitsRow.boards, DriverTraitsRow.driver_id, word)
        return (
            set(session.scalars(select(DriverRow.id).where(words))),
            set(session.scalars(select(DriverTraitsRow.driver_id).where(boards))),
        )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(held=st.lists(TEXTS, min_size=1, max_size=8), word=TEXTS.filter(bool), cut=st.integers(0, 9))
def test_a_text_is_found_exactly_where_it_is(any_site, held, word, cut):
    """Whatever its length, its case and its characters."""
    database = any_site.database
    with database.writing() as session:
        session.execute(delete(DriverRow))
        for number, one in enumerate(held, 1):
            add(session, number, one, one[::-1])

    for wanted in filter(None, (word, held[0][cut : cut + 4], held[-1][-cut:])):
        expected = {number for number, one in enumerate(held, 1) if wanted in one}
        backwards = {number for number, one in enumerate(held, 1) if wanted in one[::-1]}
        assert (expected, backwards) == found(database, wanted)


def test_a_changed_or_deleted_text_is_no_longer_found(site):
    """Whoever changes it, one row or many; texts go with their driver."""
    with site.database.writing() as session:
        for number in (1, 2, 3):
            add(session, number, f"first {number}", f"BOARD {number}")
        session.flush()
        session.execute(update(DriverRow).where(DriverRow.id == 1).values(search_text="second"))
        session.execute(update(DriverTraitsRow).values(boards="OTHER"))
        session.execute(delete(DriverRow).where(DriverRow.id == 3))

    assert ({2}, set()) == found(site.database, "first")
    assert ({1}, set()) == found(site.database, "second")
    assert (set(), set()) == found(site.database, "BOARD")
    assert (set(), {1, 2}) == found(site.database, "OTHER")


def test_texts_that_were_there_before_the_index_are_found(sqlite_site):
    """As after an upgrade that added or recreated the table; a second call changes nothing."""
    site = sqlite_site
    with site.database.writing() as session:
        for index in INDEXES:
            session.execute(text(f"DROP TABLE {index}"))
            for event in ("insert", "update", "delete"):
                session.execute(text(f"DROP TRIGGER {index}_{event}"))
        add(session, 1, "before the index", "SUBSYS_1")
    with site.database.writing() as session:
        index_texts(session.connection())
        index_texts(session.connection())

    assert ({1}, set()) == found(site.database, "before")
    assert (set(), {1}) == found(site.database, "SUBSYS_1")


def test_texts_that_changed_without_triggers_are_found(sqlite_site):
    """A migration that recreates a table drops them; the index is built again afterwards."""
    with sqlite_site.database.writing() as session:
        add(session, 1, "before", "SUBSYS_1")
        session.flush()
        session.execute(text("DROP TRIGGER driver_words_update"))
        session.execute(update(DriverRow).values(search_text="afterwards"))
    with sqlite_site.database.writing() as session:
        index_texts(session.connection())

    assert (set(), set()) == found(sqlite_site.database, "before")
    assert ({1}, set()) == found(sqlite_site.database, "afterwards")


@pytest.mark.parametrize("index", INDEXES)
def test_the_index_agrees_with_the_texts(sqlite_site, index):
    """SQLite compares both itself."""
    with sqlite_site.database.writing() as session:
        for number in range(1, 20):
            add(session, number, f"intel {number}", f"SUBSYS_{number:08X}")
        session.flush()
        session.execute(delete(DriverRow).where(DriverRow.id < 10))
        session.execute(text(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)"))
