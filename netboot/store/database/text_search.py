"""Finds the rows whose text contains a word, anywhere in it and exactly.

On SQLite an index of trigrams (sqlite.org/fts5.html, "The Trigram Tokenizer") narrows the rows, and
`instr` decides. Shorter words than three characters have no trigram, so they scan the texts; so
does PostgreSQL, where such an index needs an extension. Triggers keep the indexes, so that no
writer can omit it.
"""

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
    place = (column.class_.__tablename__, column.key, number.key)
    index = next((name for name, indexed in INDEXES.items() if indexed == place), "")
    if not index or len(word) < 3:
        return func.instr(column, word) > 0
    matching = literal_column(index).op("MATCH")(literal(_all_trigrams(word)))
    rowid: ColumnElement[int] = literal_column("rowid")
    found = select(rowid).select_from(text(index)).where(matching)
    return number.in_(found) & (func.instr(column, word) > 0)


def index_texts(connection: Connection) -> None:
    """Create the indexes and triggers that are missing.

    To be called after each change of the schema, as `count_changes`. A migration that recreates a
    table drops its triggers, so what it changed is not in the index, which is then built again.
    """
    if connection.dialect.name != "sqlite":
        return
    known = set(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars())
    for index in INDEXES:
        triggers = _triggers(index)
        if index not in known:
            connection.exec_driver_sql(_created(index))
        if not triggers.keys() <= known:
            for name in triggers.keys() - known:
                connection.exec_driver_sql(triggers[name])
            connection.exec_driver_sql(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")  # noqa: S608


def _all_trigrams(word: str) -> str:
    """A query for all trigrams of the word, in any order: they are stored without places."""
    trigrams = dict.fromkeys(word[at : at + 3] for at in range(len(word) - 2))
    quoted = ('"' + one.replace('"', '""') + '"' for one in trigrams)
    return " AND ".join(islice(quoted, MOST_TRIGRAMS))


def _created(index: str) -> str:
    table, column, number = INDEXES[index]
    return (
        f"CREATE VIRTUAL TABLE {index} USING fts5({column}, content='{table}',"
        f" content_rowid='{number}', tokenize='trigram case_sensitive 1', detail='none',"
        " columnsize=0)"
    )


def _triggers(index: str) -> dict[str, str]:
    """By name, as SQLite's documentation of external content tables has them."""
    table, column, number = INDEXES[index]
    add = f"INSERT INTO {index} (rowid, {column}) VALUES (NEW.{number}, NEW.{column});"  # noqa: S608
    drop = (
        f"INSERT INTO {index} ({index}, rowid, {column})"  # noqa: S608
        f" VALUES ('delete', OLD.{number}, OLD.{column});"
    )
    work = {"INSERT": add, "DELETE": drop, f"UPDATE OF {column}, {number}": drop + add}
    return {
        (name := f"{index}_{event.partition(' ')[0].lower()}"): (
            f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {statements} END"
        )
        for event, statements in work.items()
    }
