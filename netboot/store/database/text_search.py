"""Finds the rows whose text contains a word, anywhere in it and exactly.

On SQLite an index of trigrams (sqlite.org/fts5.html, "The Trigram Tokenizer") narrows the rows, and
`instr` decides. Shorter words than three characters have no trigram, so they scan the texts; so
does PostgreSQL, where such an index needs an extension. Triggers keep the indexes, so that no
writer can omit it.
"""

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import ColumnElement, Connection, func, literal, literal_column, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

# Table and column of the texts, and of the rows' numbers; the index has the same numbers.
INDEXES = {
    "driver_words": ("drivers", "search_text", "id"),
    "driver_board_words": ("driver_traits", "boards", "driver_id"),
}

MOST_TRIGRAMS = 40
"""Trigrams of a long word that are looked up; these leave few rows to compare."""


def has_text(
    session: Session,
    column: InstrumentedAttribute[str],
    number: InstrumentedAttribute[int],
    word: str,
) -> ColumnElement[bool]:
    """The condition that `column` contains the word; `number` is the number of its row."""
    if session.get_bind().dialect.name != "sqlite":
        return func.strpos(column, word) > 0
    index = next((name for name, place in INDEXES.items() if place[1] == column.key), "")
    if not index or len(word) < 3:
        return func.instr(column, word) > 0
    matching = literal_column(index).op("MATCH")(literal(_all_trigrams(word)))
    rowid: ColumnElement[int] = literal_column("rowid")
    found = select(rowid).select_from(text(index)).where(matching)
    return number.in_(found) & (func.instr(column, word) > 0)


def index_texts(connection: Connection) -> None:
    """Create the indexes and triggers that are missing.

    To be called after each change of the schema, as `count_changes`.
    """
    if connection.dialect.name == "sqlite":
        for index in INDEXES:
            known = select(literal(1)).select_from(text("sqlite_master"))
            if connection.scalar(known.where(literal_column("name") == index)) is None:
                for statement in _created(index):
                    connection.exec_driver_sql(statement)
            for statement in _triggers(index):
                connection.exec_driver_sql(statement)


def _all_trigrams(word: str) -> str:
    """A query for all trigrams of the word, in any order: they are stored without places."""
    trigrams = dict.fromkeys(word[at : at + 3] for at in range(len(word) - 2))
    quoted = ('"' + one.replace('"', '""') + '"' for one in trigrams)
    return " AND ".join(islice(quoted, MOST_TRIGRAMS))


def _created(index: str) -> Iterator[str]:
    table, column, number = INDEXES[index]
    yield (
        f"CREATE VIRTUAL TABLE {index} USING fts5({column}, content='{table}',"
        f" content_rowid='{number}', tokenize='trigram case_sensitive 1', detail='none',"
        " columnsize=0)"
    )
    yield f"INSERT INTO {index} ({index}) VALUES ('rebuild')"  # noqa: S608


def _triggers(index: str) -> Iterator[str]:
    """As SQLite's documentation of external content tables has them."""
    table, column, number = INDEXES[index]
    add = f"INSERT INTO {index} (rowid, {column}) VALUES (NEW.{number}, NEW.{column});"  # noqa: S608
    drop = (
        f"INSERT INTO {index} ({index}, rowid, {column})"  # noqa: S608
        f" VALUES ('delete', OLD.{number}, OLD.{column});"
    )
    for event, work in (
        ("INSERT", add),
        ("DELETE", drop),
        (f"UPDATE OF {column}, {number}", drop + add),
    ):
        name = f"{index}_{event.partition(' ')[0].lower()}"
        yield f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} BEGIN {work} END"
