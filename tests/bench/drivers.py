"""Benchmark of the driver catalog: reading packages, storing them, and coverage of a fleet.

`python -m tests.bench.drivers [--quick] [--no-store]`. Packages are generated (10 to 2,000
hardware ids each, spread as in real packs: many small ones, few large ones); their programs
are incompressible. The last line is one JSON object with figures, goals and what fell short.
"""

import argparse
import json
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from netboot.formats.inf.inf import parse
from netboot.images.architecture import Architecture
from netboot.images.coverage import Coverage, ImageDrivers, Machine
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver, DriverFile, Model
from netboot.images.drivers.matching import DriverIndex
from netboot.store.drivers.folders import ImportedDriver, driver_source, read_driver
from tests.formats.inf.inf_summary import samples, stamp
from tests.formats.programs import program
from tests.images.drivers.packages import INF, NET, SCSI

RESULTS = Path(__file__).parent / "results" / "drivers.json"
SEED = 20_260
GOALS = {
    "packages_stored_per_second": (">=", 200),
    "coverage_seconds": ("<=", 2.0),
    "coverage_growth": ("<=", 2.6),
    "coverage_from_database_seconds": ("<=", 2.0),
    "slowest_search_seconds": ("<=", 0.5),
    "import_growth": ("<=", 2.6),
}
PROGRAM_BYTES = 60_000
STORED_AT_ONCE = 1000
SEARCHES = ("", "acme", "d1234", "nothing like it", "VEN_1005&DEV_0100", "SUBSYS_1234")


def package_texts(count: int, chance: random.Random) -> Iterator[tuple[str, str, int]]:
    """Name, INF text and number of ids of each package."""
    low, high = math.log(10), math.log(2000)
    for number in range(count):
        ids = round(math.exp(chance.uniform(low, high)))
        name = f"drv{number:05}"
        class_name, guid = NET if number % 2 else SCSI
        vendor = 0x1000 + number % 900
        lines = "\n".join(
            f"%Board{line // 3}%=Install,PCI\\VEN_{vendor:04X}&DEV_{chance.randrange(65536):04X}"
            f"&SUBSYS_{chance.randrange(1 << 32):08X}"
            for line in range(ids)
        )
        text = INF.format(
            name=name,
            class_name=class_name,
            class_guid=guid,
            driver_ver=f"{1 + number % 12:02}/01/20{10 + number % 15},1.{number}.0.0",
            targets="NTamd64",
            models=f"[Devices.NTamd64]\n{lines}\n",
            vendor=f"Vendor {vendor:04X}",
        )
        # As in real packs, about three boards share one description.
        words = (f'Board{board} = "Ethernet Adapter {board}"' for board in range(ids // 3 + 1))
        yield name, text + "\n".join(words) + "\n", ids


def write_packages(folder: Path, count: int) -> int:
    """Generate packages; the number of ids in all."""
    chance = random.Random(SEED)
    total = 0
    for name, text, ids in package_texts(count, chance):
        package = folder / f"{name[:5]}" / name
        package.mkdir(parents=True)
        (package / f"{name}.inf").write_text(text)
        (package / f"{name}.sys").write_bytes(program("amd64", payload=os.urandom(PROGRAM_BYTES)))
        (package / f"{name}.cat").write_bytes(os.urandom(9000))
        total += ids
    return total


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def read_all(folder: Path, scratch: Path) -> int:
    """Parse and package everything in a folder; the number of packages."""
    count = 0
    with driver_source(folder, scratch=scratch) as source:
        for name in source.infs:
            assert isinstance(read_driver(source, name), ImportedDriver)
            count += 1
    return count


def store_all(folder: Path, data: Path) -> None:
    """Import a folder into a new site, as the command line does."""
    from netboot.operations.drivers.importing import import_drivers
    from netboot.site import Site

    site = Site.open(data)
    try:
        report = import_drivers(site, folder)
    finally:
        site.database.close()
    assert not report.duplicates
    assert not report.refused


def bench_reading(
    work: Path, *, packages: int, rounds: int, store: bool
) -> dict[str, float | None]:
    """Rates of reading and of storing, and how they grow from half the packages to all."""
    folders = {}
    for count in (packages // 2, packages):
        folders[count] = work / f"packages-{count}"
        ids = write_packages(folders[count], count)
    scratch = work / "scratch"
    read_all(folders[packages], scratch)  # the first reading warms the page cache
    halves, wholes, busy = [], [], []
    for _ in range(rounds):
        halves.append(timed(lambda: read_all(folders[packages // 2], scratch)))
        began = time.process_time()  # a busy machine lengthens the wall clock's seconds only
        wholes.append(timed(lambda: read_all(folders[packages], scratch)))
        busy.append(time.process_time() - began)
    seconds = statistics.median(wholes)
    stored = burnt = None
    if store:
        os.sync()  # what was generated above is not the import's to write
        began_at = sum(os.times()[:4])
        stored = timed(lambda: store_all(folders[packages], work / "site"))
        burnt = sum(os.times()[:4]) - began_at  # of the processes that read as well
    return {
        "packages": packages,
        "hardware_ids": ids,
        "packages_read_per_second": round(packages / seconds, 1),
        "packages_read_per_cpu_second": round(packages / min(busy), 1),
        "ids_read_per_second": round(ids / seconds),
        "packages_stored_per_second": round(packages / stored, 1) if stored else None,
        "packages_stored_per_cpu_second": round(packages / burnt, 1) if burnt else None,
        "import_growth": round(seconds / statistics.median(halves), 2),
    }


def bench_samples(rounds: int) -> dict[str, float]:
    """The real INFs, built where they are templates."""
    texts = [stamp(path.read_bytes(), "amd64") for path in samples()]
    seconds = statistics.median(
        timed(lambda: [parse(text) for text in texts]) for _ in range(rounds)
    )
    return {"real_infs_per_second": round(len(texts) / seconds)}


def catalog(count: int, chance: random.Random) -> list[Driver]:
    """Drivers as the catalog holds them, with 6 to 80 ids each."""
    drivers = []
    plain = Driver(
        digest="",
        name="",
        inf_name="",
        provider="Acme",
        class_name="Net",
        class_guid=NET[1],
        version="1.0.0.0",
        date="2020-01-01",
        architectures=frozenset({Architecture.X64}),
        models=(),
        files=(DriverFile("a.sys", "sha256:0", 100_000),),
        catalog_file="a.cat",
    )
    for number in range(count):
        vendor = f"{0x1000 + number % 400:04X}"
        models = []
        for _ in range(chance.randrange(2, 27)):
            chip = f"PCI\\VEN_{vendor}&DEV_{chance.randrange(2000):04X}"
            boards = [f"{chip}&SUBSYS_{chance.randrange(1 << 32):08X}" for _ in range(2)]
            models.append(Model(Architecture.X64, "device", (*boards, chip)))
        drivers.append(
            replace(
                plain,
                digest=f"sha256:{number:064x}",
                name=f"d{number}",
                inf_name=f"d{number}.inf",
                date=f"20{10 + number % 15}-01-01",
                models=tuple(models),
                enabled=bool(number % 3),
            )
        )
    return drivers


def fleet(machines: int, devices: int, chance: random.Random) -> list[Machine]:
    """Machines whose devices are all different, the worst case: nothing is asked for twice."""
    kinds = ("020000", "010802", "010601", "060400", "030000", "0C0330")

    def device() -> Device:
        return Device(
            f"{0x1000 + chance.randrange(400):04X}",
            f"{chance.randrange(2000):04X}",
            f"{chance.randrange(1 << 32):08X}",
            f"{chance.randrange(256):02X}",
            chance.choice(kinds),
        )

    return [
        Machine(f"pc{number}", tuple(device() for _ in range(devices)))
        for number in range(machines)
    ]


def bench_coverage(*, drivers: int, machines: int, rounds: int) -> dict[str, float]:
    """An image with 60 drivers against the fleet, fixes looked for in the whole catalog."""
    chance = random.Random(SEED)
    shelf = catalog(drivers, chance)
    image = shelf[:: max(1, drivers // 60)]
    whole = fleet(machines, 20, chance)
    indexing = []
    full, half = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        index = DriverIndex(shelf)
        indexing.append(time.perf_counter() - began)
        half.append(timed(partial(_cover, image, whole[: machines // 2], index)))
        full.append(timed(partial(_cover, image, whole, index)))
    result = _cover(image, whole, index)
    lacking = sum(len(machine.lacking) for machine in result.machines)
    fixable = sum(bool(lack.fixes) for machine in result.machines for lack in machine.lacking)
    assert 0 < fixable <= lacking
    return {
        "catalog_drivers": drivers,
        "catalog_ids": sum(len(model.hardware_ids) for driver in shelf for model in driver.models),
        "machines": machines,
        "devices_lacking": lacking,
        "devices_fixable": fixable,
        "index_seconds": round(statistics.median(indexing), 3),
        "coverage_seconds": round(statistics.median(full), 3),
        "coverage_growth": round(statistics.median(full) / statistics.median(half), 2),
    }


def bench_catalog(work: Path, *, drivers: int, machines: int, rounds: int) -> dict[str, float]:
    """The same out of a site's database: what pages and commands ask for.

    Each round asks anew: what was found before is not kept from one site to the next.
    """
    from netboot.operations.drivers.search import search_drivers
    from netboot.operations.machines import coverage
    from netboot.site import Site
    from netboot.store.database.records import MachineRow
    from netboot.store.drivers.entry import entry
    from netboot.store.drivers.rows import add_entries
    from tests.web.support.seeding import add_image

    chance = random.Random(SEED)
    site = Site.open(work / "catalog")
    shelf = [entry(driver) for driver in catalog(drivers, chance)]
    for start in range(0, drivers, STORED_AT_ONCE):
        with site.database.writing() as session:
            add_entries(session.connection(), shelf[start : start + STORED_AT_ONCE])
    image = add_image(site)
    with site.database.writing() as session:
        for machine in fleet(machines, 20, chance):
            lines = [_pasted(device) for device in machine.devices]
            session.add(MachineRow(key=machine.name, source="list", devices=lines, seen_at=1.0))
    searches, covered = [], []
    for number in range(rounds):
        searches.append(
            max(
                timed(partial(search_drivers, site, wanted, limit=100))
                for wanted in map(DriverFilter, SEARCHES)
            )
        )
        with site.database.writing() as session:  # a change, after which nothing kept is valid
            session.merge(
                MachineRow(
                    key="one more", source="list", devices=["8086:100e"], seen_at=2.0 + number
                )
            )
        covered.append(timed(partial(coverage.coverage, site, image.slug)))
    site.database.close()
    return {
        "slowest_search_seconds": round(statistics.median(searches), 3),
        "coverage_from_database_seconds": round(statistics.median(covered), 3),
    }


def _pasted(device: Device) -> str:
    """A PNPDeviceID, with the class that Windows knows besides."""
    return (
        f"PCI\\VEN_{device.vendor}&DEV_{device.device}&SUBSYS_{device.subsystem}"
        f"&REV_{device.revision}&CC_{device.class_code}"
    )


def _cover(image: list[Driver], machines: list[Machine], index: DriverIndex) -> Coverage:
    drivers = ImageDrivers(image, DriverIndex(image), Architecture.X64, 19041, index)
    return drivers.cover(machines)


def short(figures: dict[str, float | None]) -> list[str]:
    """Names of the figures that miss their goal, or that could not be measured."""
    missed = []
    for name, (sign, goal) in GOALS.items():
        value = figures.get(name)
        if value is None or (value < goal if sign == ">=" else value > goal):
            missed.append(name)
    return missed


def tell(figures: dict[str, float | None]) -> None:
    """A line for each figure, beside its goal, as soon as it is known."""
    for name, value in figures.items():
        sign, goal = GOALS.get(name, ("", ""))
        shown = "not measured" if value is None else f"{value:,}"
        print(f"{name:30} {shown:>14} {sign} {goal}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller run, under a minute")
    parser.add_argument("--no-store", action="store_true", help="read only, do not store")
    options = parser.parse_args()
    packages, drivers, rounds = (300, 5000, 1) if options.quick else (2000, 20_000, 3)
    with tempfile.TemporaryDirectory(prefix="bench-drivers-") as work:
        store = not options.no_store
        figures = {}
        for measure in (
            partial(bench_reading, Path(work), packages=packages, rounds=rounds, store=store),
            partial(bench_samples, rounds),
            partial(bench_coverage, drivers=drivers, machines=1000, rounds=rounds),
            partial(bench_catalog, Path(work), drivers=drivers, machines=1000, rounds=rounds),
        ):
            found = measure()
            tell(found)
            figures |= found
    answer = {"bench": "drivers", "figures": figures, "goals": GOALS, "short": short(figures)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(answer, indent=1) + "\n")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
