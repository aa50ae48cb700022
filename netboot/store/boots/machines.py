"""Known machines as rows: folded from the journal, searched page by page."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    Text,
    cast,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from netboot.boot.machines.known_machine import (
    LIST,
    DeviceList,
    KnownMachine,
    device_list,
    machine_after,
)
from netboot.store.boots.journal import Entry
from netboot.store.database.records import DeploymentRow, MachineRow
from netboot.store.database.upsert import upsert

_DEVICES = cast(MachineRow.devices, Text)
_COLUMNS = (
    *(MachineRow.key, MachineRow.source, _DEVICES),
    *(MachineRow.architecture, MachineRow.firmware, MachineRow.image_name),
    *(MachineRow.seen_at, MachineRow.authority),
)
_NEWEST_FIRST = (MachineRow.seen_at.desc(), MachineRow.key.desc())


def fold(entries: Iterable[Entry], session: Session) -> None:
    """Write what these entries, oldest first, contain about machines."""
    entries = list(entries)
    known = {one.key: one for one in find(session, {entry.event.mac for entry in entries})}
    changed: dict[str, KnownMachine] = {}
    for entry in entries:
        machine = machine_after(entry.event, known)
        if machine is not None:
            known[machine.key] = changed[machine.key] = machine
    keep(session, changed.values())


def find(session: Session, keys: Collection[str]) -> list[KnownMachine]:
    return _read(session, select(*_COLUMNS).where(MachineRow.key.in_(keys)))


def everything(session: Session) -> list[KnownMachine]:
    """All machines, last seen first."""
    return _read(session, select(*_COLUMNS).order_by(*_NEWEST_FIRST))


def page(
    session: Session, words: Collection[str], limit: int, offset: int
) -> tuple[list[KnownMachine], int]:
    """A page of the machines that contain any of these words, last seen first, and their number.

    Without words, all machines.
    """
    keys = select(MachineRow.key).order_by(*_NEWEST_FIRST)
    if words:
        # One scan of all devices gives both the keys and their number.
        wanted = [_contains(session, word) for word in words]
        found = session.scalars(keys.where(or_(*wanted))).all()
        return _in_order(session, found[offset : offset + limit]), len(found)
    some = session.scalars(keys.limit(limit).offset(offset)).all()
    return _in_order(session, some), count(session)


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(MachineRow)) or 0


def kinds(session: Session) -> list[tuple[str, int]]:
    """Machines without a deployment, grouped by what decides their image.

    Returns one key of each group and the number of its machines. Lists of devices whose name is
    no MAC address are left out: they never boot.
    """
    assigned = select(DeploymentRow.mac)
    boots = or_(MachineRow.source != LIST, MachineRow.key.like("__:__:__:__:__:__"))
    query = (
        select(func.min(MachineRow.key), func.count())
        .where(boots, MachineRow.key.not_in(assigned))
        .group_by(MachineRow.source, MachineRow.firmware, MachineRow.architecture)
    )
    return [(key, number) for key, number in session.execute(query)]


def authorities(session: Session) -> dict[str, str]:
    """The authority that signed the UEFI boot loader a machine needs, by key, where one is set."""
    query = select(MachineRow.key, MachineRow.authority).where(MachineRow.authority != "")
    return dict(session.execute(query.order_by(MachineRow.key)).all())


def keep(session: Session, machines: Iterable[KnownMachine]) -> None:
    upsert(session, MachineRow, [_row(machine) for machine in machines], key="key")


def discard(session: Session, key: str) -> None:
    session.execute(delete(MachineRow).where(MachineRow.key == key))


def _contains(session: Session, word: str) -> ColumnElement[bool]:
    """Whether the row of a machine contains the word, ignoring case."""
    in_json = json.dumps(word, ensure_ascii=False)[1:-1]
    columns = (MachineRow.key, MachineRow.image_name, MachineRow.firmware)
    # SQLite's LIKE ignores ASCII case itself. SQLAlchemy writes ILIKE as lower(…) LIKE lower(…),
    # which would convert every row.
    is_sqlite = session.get_bind().dialect.name == "sqlite"

    def has(column: SQLColumnExpression[str], text: str) -> ColumnElement[bool]:
        escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
        like = column.like if is_sqlite else column.ilike
        return like(f"%{escaped}%", escape="/")

    return or_(*(has(column, word) for column in columns), has(_DEVICES, in_json))


def _in_order(session: Session, keys: Sequence[str]) -> list[KnownMachine]:
    found = {machine.key: machine for machine in find(session, keys)}
    return [found[key] for key in keys if key in found]


def _read(session: Session, query: Select[*tuple[Any, ...]]) -> list[KnownMachine]:
    """The machines of a query for `_COLUMNS`. Equal device lists are parsed once."""
    lists: dict[tuple[str, str], DeviceList] = {}
    found = []
    for key, source, devices, *rest in session.execute(query).all():
        told = lists.get((source, devices))
        if told is None:
            told = lists[source, devices] = device_list(source, tuple(from_json(devices)))
        found.append(KnownMachine(key, told, *rest))
    return found


def _row(machine: KnownMachine) -> dict[str, object]:
    return {
        "key": machine.key,
        "source": machine.source,
        "devices": list(machine.told.lines),
        "architecture": machine.architecture,
        "firmware": machine.firmware,
        "image_name": machine.image,
        "seen_at": machine.seen_at,
        "authority": machine.authority,
    }
