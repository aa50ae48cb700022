import json

import pytest
import sqlalchemy as sa

from netboot.errors import InvalidInput, OperatorFault
from netboot.store.backups import row_copies
from netboot.store.database import schema
from netboot.store.database.records import FactRow, KnownPairRow
from netboot.store.database.site_database import HEAD, Database

VALUES = {"text": "Grüße \U0001f600 \u2028", "none": None, "number": 0.1, "deep": [{"a": []}]}


@pytest.fixture
def database(any_site):
    with any_site.database.writing() as session:
        session.add(FactRow(name="odd", value=VALUES))
        for number in range(5):
            first = {"number": number}
            session.add(
                KnownPairRow(trouble="order", first=first, second={}, reason="x", added_at=1 / 3)
            )
    return any_site.database


@pytest.fixture
def empty(tmp_path):
    """A database with the newest tables and no rows."""
    made = Database(f"sqlite:///{tmp_path}/other.db")
    with made.exclusive() as connection:
        schema.migrate(connection, HEAD)
        row_copies.clear(connection, row_copies.tables_of(connection))
    yield made
    made.close()


def copied(connection, name):
    table = next(t for t in row_copies.tables_of(connection) if t.name == name)
    total = row_copies.TableSum([column.name for column in table.columns])
    lines = list(row_copies.lines_of(connection, table, total))
    return [json.loads(line) for line in lines], total


def test_rows_are_copied_byte_by_byte(database, empty):
    """JSON as the text that is stored, numbers to the last digit."""
    with database.frozen() as source, empty.exclusive() as target:
        for table in row_copies.tables_of(target):
            rows, total = copied(source, table.name)
            row_copies.fill(target, table, rows, total)
    with empty.transaction() as session:
        assert session.get(FactRow, "odd").value == VALUES
        assert session.scalars(sa.select(KnownPairRow.added_at)).first() == 1 / 3


def test_the_sum_does_not_depend_on_the_order(database):
    with database.frozen() as connection:
        rows, total = copied(connection, "known_pairs")
    other = row_copies.TableSum(total.columns)
    for row in reversed(rows):
        other.add(json.dumps(row, ensure_ascii=False, separators=(",", ":")))

    assert (total.rows, total.sum) == (other.rows, other.sum)
    assert row_copies.TableSum.from_json(total.to_json()) == total
    other.add("[]")
    assert total.sum != other.sum


def test_the_last_id_is_kept_also_of_a_row_that_is_gone(database):
    """PostgreSQL counts on; SQLite takes the number after the largest."""
    with database.writing() as session:
        session.delete(session.get(KnownPairRow, 5))
    with database.frozen() as connection:
        _, total = copied(connection, "known_pairs")

    assert total.last_id == (4 if database.is_sqlite else 5)


def test_rows_that_do_not_fit_are_refused(database, empty):
    with database.frozen() as connection:
        rows, total = copied(connection, "known_pairs")
    table = None
    with empty.exclusive() as target:
        table = next(t for t in row_copies.tables_of(target) if t.name == "known_pairs")
    for bad, fault in (
        ([row[:-1] for row in rows], InvalidInput),
        ([[*row[:1], None, *row[2:]] for row in rows], InvalidInput),
        (rows[1:], OperatorFault),
        ([[*row[:1], "other", *row[2:]] for row in rows], OperatorFault),
    ):
        with pytest.raises(fault), empty.exclusive() as target:
            row_copies.fill(target, table, bad, total)
    wrong = row_copies.TableSum([*total.columns, "more"])
    with pytest.raises(InvalidInput, match="other columns"), empty.exclusive() as target:
        row_copies.fill(target, table, [], wrong)


def test_parts_are_small(database, monkeypatch):
    """So that a part fits into memory, whatever the table."""
    monkeypatch.setattr(row_copies, "PART_BYTES", 10)
    with database.frozen() as connection:
        table = next(t for t in row_copies.tables_of(connection) if t.name == "known_pairs")
        total = row_copies.TableSum([column.name for column in table.columns])
        parts = list(row_copies.parts_of(connection, table, total))

    assert len(parts) == total.rows == 5


def test_the_counters_come_last_and_the_index_of_texts_not_at_all(database):
    with database.frozen() as connection:
        names = [table.name for table in row_copies.tables_of(connection)]

    assert names[-1] == "changes"
    assert names.index("accounts") < names.index("sessions")
    assert not {"alembic_version"} & set(names)
    assert not [name for name in names if "_words" in name]
