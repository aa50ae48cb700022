"""The known machines: rows, with what the journal has told since laid over them.

All machines are held in memory, for pages search them and coverage looks at each. Reading never
waits for a writer's turn: what is news is folded in memory, and `save` writes it later. Whatever
another process does to the rows is noticed by the count of changes (see change_counters);
then all are read anew. Law: the rows are true as far as their mark in the journal goes.
"""

import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic_core import from_json
from sqlalchemy import Text, cast, delete, select
from sqlalchemy.orm import Session

from netboot.boot.machines.known_machine import DeviceList, KnownMachine, device_list, machine_after
from netboot.boot.machines.machine_index import MachineIndex
from netboot.store.boots.journal import Journal
from netboot.store.database.change_counters import numbers
from netboot.store.database.records import FactRow, MachineRow
from netboot.store.database.site_database import Database
from netboot.store.database.upsert import upsert

READ_TO = "machines_read_to"
BATCH = 5000
PENDING = 20_000
"""So many events may wait for `save`; with more of them whoever reads saves first."""

MANY = 1000
"""Of so many machines it takes longer to put them in order than to look through all."""

Machines = dict[str, KnownMachine]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All machines at one moment, seen last first.

    `shape` is another number whenever a machine came, went or has other devices, another
    firmware or architecture; not when one was merely seen again.
    """

    machines: tuple[KnownMachine, ...]
    shape: int


@dataclass(slots=True)
class Changing:
    """The machines while one holds the writer's turn; what is kept or forgotten here is written."""

    known: Machines
    changed: dict[str, KnownMachine | None] = field(default_factory=dict)

    def find(self, key: str) -> KnownMachine | None:
        """One machine, as it is now."""
        return self.changed[key] if key in self.changed else self.known.get(key)

    def keep(self, machine: KnownMachine) -> None:
        """Know a machine like this."""
        self.changed[machine.key] = machine

    def forget(self, key: str) -> None:
        """Know it no more, until it boots again."""
        self.changed[key] = None


@dataclass(frozen=True, slots=True)
class _Commit:
    """What is true as soon as the count of changes says `stamp`."""

    stamp: int
    read_to: int
    saved: Machines
    changed: dict[str, KnownMachine | None]


class MachineLog:
    """The machines of a site. Any thread may ask; several processes may keep the same rows."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._known: Machines = {}
        self._stamp = self._mark = self._read_to = -1
        self._index = MachineIndex()
        self._unsaved: Machines = {}
        self._moved: set[str] = set()
        self._fleet = Fleet((), 0)
        self._shape = 0
        self._commit: _Commit | None = None

    def fleet(self) -> Fleet:
        """All machines. Raises ContentFault where the journal cannot be read."""
        with self._lock:
            self._catch_up()
            fleet, is_late = self._ordered(), self._is_late()
        if is_late:
            self.save()
        return fleet

    def search(self, words: Collection[str]) -> list[KnownMachine]:
        """The machines that any of these words, in lower case, stands in, seen last first.

        Raises ContentFault where the journal cannot be read.
        """
        with self._lock:
            self._catch_up()
            keys = self._index.find(words)
            if len(keys) > MANY:
                return [one for one in self._ordered().machines if one.key in keys]
            return sorted((self._known[key] for key in keys), key=_place)

    def find(self, *keys: str) -> KnownMachine | None:
        """The machine with the first of these keys that is known. Raises ContentFault."""
        with self._lock:
            self._catch_up()
            found = next((self._known[key] for key in keys if key in self._known), None)
            is_late = self._is_late()
        if is_late:
            self.save()
        return found

    def save(self) -> None:
        """Write what has changed. Raises OperatorFault when the database refuses."""
        with self._lock:
            self._catch_up()
            # A mark alone is not worth a write each second.
            waits = self._unsaved or self._read_to - self._mark > PENDING // 2
        if waits:
            with self.changing():
                pass

    @contextmanager
    def changing(self) -> Iterator[Changing]:
        """Hold the writer's turn; all that was learned is written, and what is changed here.

        Raises OperatorFault when the database refuses.
        """
        with self._saving:
            try:
                with self._database.writing() as session:
                    with self._lock:
                        self._catch_up_in(session)
                        change, read_to = Changing(dict(self._known)), self._read_to
                        saved = dict(self._unsaved)
                    yield change
                    _write(session, {**saved, **change.changed}, read_to)
                    stamp = _stamp(session)
                    with self._lock:
                        self._commit = _Commit(stamp, read_to, saved, change.changed)
            except BaseException:
                with self._lock:
                    self._commit = None
                raise
            with self._lock:
                self._settle()

    def _is_late(self) -> bool:
        """Whether nobody saves while machines boot: then whoever reads does it at last."""
        return self._read_to - self._mark > PENDING

    def _ordered(self) -> Fleet:
        if self._moved:
            self._fleet = Fleet(self._in_order(), self._shape)
            self._moved.clear()
        return self._fleet

    def _catch_up(self) -> None:
        stamp = self._database.stamp("machines")[0]
        if self._commit is not None and stamp == self._commit.stamp:
            self._settle()  # our own commit, which whoever made it has not come back from yet
        if stamp != self._stamp:
            with self._database.transaction() as session:
                self._read(session)
        self._fold()

    def _catch_up_in(self, session: Session) -> None:
        """As `_catch_up`, while one holds the writer's turn."""
        if _stamp(session) != self._stamp:
            self._read(session)
        self._fold()

    def _read(self, session: Session) -> None:
        """Know what the rows say, and nothing of what came after."""
        stamp, row = _stamp(session), session.get(FactRow, READ_TO)
        mark = int(row.value["id"]) if row is not None else 0
        self._known = {machine.key: machine for machine in _machines(session)}
        self._index = MachineIndex()
        for machine in self._known.values():
            self._index.change(None, machine)
        self._stamp, self._mark, self._read_to = stamp, mark, mark
        self._unsaved.clear()
        self._moved = {one.key for one in self._fleet.machines} | set(self._known)
        self._shape += 1
        self._commit = None

    def _fold(self) -> None:
        newest = self._journal.last_id()
        if newest < self._read_to:  # another journal
            self._read_to = 0
        while self._read_to < newest:
            entries = self._journal.events_since(self._read_to, BATCH)
            for entry in entries:
                machine = machine_after(entry.event, self._known)
                if machine is not None:
                    self._unsaved[machine.key] = machine
                    self._put(machine.key, machine)
            self._read_to = entries[-1].id if entries else newest

    def _put(self, key: str, machine: KnownMachine | None) -> None:
        before = self._known.get(key)
        if machine is None:
            self._known.pop(key, None)
        else:
            self._known[key] = machine
        self._index.change(before, machine)
        if before is None or machine is None or before.fate != machine.fate:
            self._shape += 1
        self._moved.add(key)

    def _settle(self) -> None:
        """What was to be written is."""
        done, self._commit = self._commit, None
        if done is None:
            return
        self._stamp, self._mark = done.stamp, done.read_to
        for key, machine in done.saved.items():
            if self._unsaved.get(key) is machine:
                del self._unsaved[key]
        for key, changed in done.changed.items():
            self._unsaved.pop(key, None)
            self._put(key, changed)
        if done.changed:
            self._read_to = done.read_to  # what came meanwhile counts on top of it

    def _in_order(self) -> tuple[KnownMachine, ...]:
        moved = [self._known[key] for key in self._moved if key in self._known]
        moved.sort(key=_place)
        rest = [one for one in self._fleet.machines if one.key not in self._moved]
        whole = moved + rest
        if moved and rest and _place(moved[-1]) > _place(rest[0]):
            whole.sort(key=_place)  # seldom: who moves was seen just now
        return tuple(whole)


def _place(machine: KnownMachine) -> tuple[float, str]:
    return -machine.seen_at, machine.key


def _stamp(session: Session) -> int:
    return numbers(session.connection())["machines"]


def _machines(session: Session) -> Iterable[KnownMachine]:
    """All rows. Devices are read once for all machines of one make."""
    columns = (
        *(MachineRow.key, MachineRow.source, cast(MachineRow.devices, Text)),
        *(MachineRow.architecture, MachineRow.firmware, MachineRow.image_name),
        *(MachineRow.seen_at, MachineRow.authority),
    )
    lists: dict[tuple[str, str], DeviceList] = {}
    rows = session.execute(select(*columns)).all()
    for key, source, devices, architecture, firmware, image, seen_at, authority in rows:
        told = lists.get((source, devices))
        if told is None:
            told = lists[source, devices] = device_list(source, tuple(from_json(devices)))
        yield KnownMachine(key, told, architecture, firmware, image, seen_at, authority)


def _write(session: Session, machines: dict[str, KnownMachine | None], read_to: int) -> None:
    gone = [key for key, machine in machines.items() if machine is None]
    if gone:
        session.execute(delete(MachineRow).where(MachineRow.key.in_(gone)))
    rows = [_row(machine) for machine in machines.values() if machine is not None]
    upsert(session, MachineRow, rows, key="key")
    session.merge(FactRow(name=READ_TO, value={"id": read_to}))
    session.flush()


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
