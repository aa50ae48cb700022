"""A large site for the benchmark of the console: drivers, machines, boots, images, jobs.

Drivers, machines and boots are rows as an import and the journal's folding leave them, written
many at a time; the journal holds the events of every boot. Machines are of some hundred models,
as institutions buy them; no two models share a device.
"""

import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from netboot.boot.told.attempts import Attempt, fold
from netboot.boot.told.events import Event
from netboot.operations.deployments import deployments as policy
from netboot.operations.images import images
from netboot.operations.machines import machines
from netboot.site import Site
from netboot.store.boots import journal_mark
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.journal_mark import Mark
from netboot.store.boots.journal_writer import encoded, open_journal
from netboot.store.database.job_records import JobRow
from netboot.store.database.records import (
    DeploymentRow,
    DriverContentRow,
    DriverRow,
    DriverTraitsRow,
    MachineRow,
)
from netboot.store.drivers import rows as catalog_rows
from netboot.store.drivers.entry import entry
from tests.bench.drivers import catalog
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.support import seeding

SEED = 20_261
BOOTS_AT_ONCE = 20_000
MODELS = 300
"""Models of computers in the fleet, each with devices of its own."""

CLASSES = ("0200", "0200", "0106", "0108", "0300", "0403", "0600", "0604", "0c03", "0880", "0780")
IMAGES = 12
DRIVERS_IN_IMAGE = 20
JOBS = 200
DAY = 86_400.0


def mac_of(number: int) -> str:
    """The address of machine `number`."""
    return "52:54:" + ":".join(f"{number >> shift & 255:02x}" for shift in (24, 16, 8, 0))


def fill(site: Site, *, drivers: int, machine_count: int, boots: int) -> None:
    """Make the site large."""
    chance = random.Random(SEED)
    _drivers(site, drivers, chance)
    _images(site, drivers)
    _machines(site, machine_count, chance)
    last = _boots(site, boots, machine_count, chance)
    with site.database.writing() as session:
        journal_mark.write(session, Mark(last))
        session.execute(insert(JobRow), [_job(number) for number in range(JOBS)])
    seeding.add_accounts(site)


def _job(number: int) -> dict[str, Any]:
    """A job as a worker leaves it, oldest first."""
    now = time.time()
    return {
        "kind": "build_version",
        "title": f"Build {number}",
        "arguments": {"image": f"PE {number % IMAGES}"},
        "state": "succeeded" if number % 9 else "failed",
        "progress": 1.0,
        "stage": "done",
        "message": "done",
        "log": [f"{line} files were looked at" for line in range(200)],
        "result": {},
        "created_at": now - 600 * (JOBS - number),
        "finished_at": now - 600 * (JOBS - number) + 60,
    }


def _drivers(site: Site, count: int, chance: random.Random) -> None:
    shelf = list(enumerate(map(entry, catalog(count, chance)), 1))
    now = time.time()
    # In the order of their index, or most of the time would go into finding places in it.
    ids = sorted((text, number) for number, one in shelf for text in json.loads(one.hardware_ids))
    with site.database.writing() as session:
        rows = [{"id": number, **catalog_rows._columns(one, now)} for number, one in shelf]
        session.execute(insert(DriverRow), rows)
        session.execute(
            insert(DriverContentRow), [catalog_rows._content(number, one) for number, one in shelf]
        )
        session.execute(
            insert(DriverTraitsRow), [catalog_rows._traits(number, one) for number, one in shelf]
        )
        session.connection().exec_driver_sql(
            "INSERT INTO hardware_ids (hardware_id, driver_id) VALUES (?, ?)", ids
        )


def _images(site: Site, drivers: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wims = [
            SyntheticWinPe(files={"/Windows/System32/tool.dll": text}).capture(_made(scratch, text))
            for text in (b"before", b"after")
        ]
        _images_of(site, drivers, wims)


def _made(scratch: str, text: bytes) -> Path:
    folder = Path(scratch) / text.decode()
    folder.mkdir()
    return folder


def _images_of(site: Site, drivers: int, wims: list[Path]) -> None:
    for number in range(IMAGES):
        seeding.add_image(site, f"PE {number}", is_lab=False, comment="for the benchmark")
        chosen = [
            f"sha256:{1 + 3 * one:064x}" for one in range(min(DRIVERS_IN_IMAGE, drivers // 4))
        ]
        images.add_drivers(site, f"PE {number}", chosen)
        for built in range(3):
            version = seeding.add_version(site, f"PE {number}", wims[built % 2])
        site.point.update(version, site.blobs, now=time.time())


def _machines(site: Site, count: int, chance: random.Random) -> None:
    now = time.time()
    models = [_model(chance) for _ in range(MODELS)]
    rows = [
        {
            "key": mac_of(number),
            "source": machines.REPORT,
            "devices": chance.choice(models),
            "architecture": "x64",
            "firmware": "uefi" if number % 3 else "bios",
            "image_name": f"PE {number % IMAGES}",
            "seen_at": now - chance.random() * 90 * DAY,
        }
        for number in range(count)
    ]
    given = [
        {"mac": mac_of(number), "image_name": f"PE {number % IMAGES}", "comment": "",
         "changed_at": 1.0}
        for number in range(0, count, 50)
    ]  # fmt: skip
    with site.database.writing() as session:
        session.execute(insert(MachineRow), rows)
        session.execute(insert(DeploymentRow), given)
    policy.publish(site)


def _model(chance: random.Random) -> list[str]:
    """The devices of a computer as its boot image reports them."""
    return [
        f"{0x1000 + chance.randrange(400):04x}:{chance.randrange(2000):04x}:{code}"
        f":{chance.randrange(1 << 32):08x}"
        for code in CLASSES
    ]


def _boots(site: Site, count: int, machine_count: int, chance: random.Random) -> int:
    """A month of boots, oldest first; the journal's last id."""
    now = time.time()
    patterns = [_pattern(online=True), _pattern(online=False), _pattern(online=True, cut=2)]
    # Encoded once for each kind of boot and image; what is left are times and addresses.
    told = {
        (kind, number): [_encoded(event, f"PE {number}") for event in events]
        for kind, (events, _) in enumerate(patterns)
        for number in range(IMAGES)
    }
    connection = open_journal(site.data / "journal.db")
    for at in range(0, count, BOOTS_AT_ONCE):
        attempts, rows = [], []
        for number in range(at, min(at + BOOTS_AT_ONCE, count)):
            began = now - 30 * DAY * (count - number) / count - 60
            kind, image = _kind(number), number % IMAGES
            mac = mac_of(chance.randrange(machine_count))
            attempts.append(_moved(patterns[kind][1], mac, began, f"PE {image}"))
            rows += [
                (began + after, name, mac, ip, text) for after, name, ip, text in told[kind, image]
            ]
        _write(connection, rows)
        with site.database.writing() as session:
            boot_rows.keep(session, attempts)
    last = int(connection.execute("SELECT max(id) FROM events").fetchone()[0])
    connection.close()
    return last


def _kind(number: int) -> int:
    return 0 if number % 10 < 8 else number % 10 - 7


def _pattern(*, online: bool, cut: int = 8) -> tuple[tuple[Event, ...], Attempt]:
    events = seeding.boot_events(mac_of(0), at=0.0, online=online)[:cut]
    return events, fold(events)[0]


def _moved(attempt: Attempt, mac: str, began: float, image: str) -> Attempt:
    return replace(
        attempt,
        mac=mac,
        began=began,
        last=began + attempt.last,
        image=image if attempt.image else "",
        reached=tuple((rung, began + at) for rung, at in attempt.reached),
    )


def _encoded(event: Event, image: str) -> tuple[float, str, str, str]:
    """(seconds after the beginning, kind, IP address, details) of an event, for any machine."""
    if getattr(event, "image", ""):
        event = replace(event, image=image)
    at, kind, _, ip, text = encoded(event)
    return at, kind, ip, text


def _write(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO events (at, kind, mac, ip, details) VALUES (?, ?, ?, ?, ?)", rows
    )
    connection.execute("COMMIT")


def running_boots(count: int, first: int, seconds: float) -> Iterator[tuple[float, Event]]:
    """Events of `count` machines that boot at a time for so many seconds: (when, event).

    Each boot takes 30 s; who is up begins again as another machine.
    """
    timed = []
    for number in range(count):
        began = -30.0 * number / count
        machine = first + number
        while began < seconds:
            events = seeding.boot_events(mac_of(machine), at=0.0)
            timed += [(began + event.at, event) for event in events]
            began += 30.0
            machine += count
    yield from sorted(
        ((at, event) for at, event in timed if 0 <= at < seconds), key=lambda pair: pair[0]
    )


def main(argv: list[str]) -> None:
    """`python -m tests.bench.web_site DATA BOOTS FIRST SECONDS`: let machines boot."""
    data, count, first, seconds = Path(argv[0]), int(argv[1]), int(argv[2]), float(argv[3])
    site = Site.open(data)
    began = time.time()
    told = 0
    for at, event in running_boots(count, first, seconds):
        wait = began + at - time.time()
        if wait > 0:
            time.sleep(wait)  # the load has a pace of its own
        site.journal.emit(replace(event, at=time.time()))
        told += 1
    site.journal.close()
    print(json.dumps({"events": told, "dropped": site.journal.dropped}))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
