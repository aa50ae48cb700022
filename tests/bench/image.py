"""Benchmark of image servicing: import a WIM, add drivers, build and verify a version.

`python -m tests.bench.image [--quick] [--compress LZX|XPRESS]`. Side by side, in one run:
ours (inspect and store the source, build with read-back and digests); the bare minimum by
wimlib-imagex (copy, update, verify); and what servicing without an update would cost (apply the
whole image, copy the drivers in, capture it again). The WIM is generated: thousands of files,
compressible by about half. The ratio to the bare tools is taken between the best rounds of each:
on a busy machine a median measures the neighbours. CPU seconds stand beside it. The last line is
one JSON object with figures, goals and what fell short.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from netboot.images.boot_image.boot_image import BootImage, SourceWim
from netboot.images.drivers.driver import Driver
from netboot.images.servicing.plan import Plan, plan
from netboot.store.content.blobs import BlobStore
from netboot.store.wim.builder import build
from netboot.store.wim.source import take_in
from tests.samples.drivers import BlobFolder, make_driver
from tests.samples.synthetic_winpe import SyntheticWinPe, imagex

RESULTS = Path(__file__).parent / "results" / "image.json"
SEED = 6
DRIVERS = 5
GOALS: dict[str, tuple[str, float]] = {
    "ours_to_bare_tools": ("<=", 2.0),
    "recapture_to_ours": (">=", 5.0),
    "builds_are_identical": (">=", 1),
}


class Subject:
    """One WIM, five drivers, and the three ways to put them in."""

    def __init__(self, folder: Path, *, megabytes: int, compression: str) -> None:
        self.folder = folder
        self.driver_bytes = (megabytes << 20) // 15 // DRIVERS  # 20 MB of drivers for 300 MB
        files = megabytes * 30
        winpe = SyntheticWinPe(
            compression=compression,
            bulk_files=files,
            bulk_bytes=megabytes * 9 // 5 << 20,  # nine fifths pack to about one
        )
        self.wim = winpe.capture(folder)
        shutil.rmtree(folder / "tree")
        self.blobs = BlobFolder(folder / "drivers")
        self.drivers = tuple(self._driver(number) for number in range(DRIVERS))
        self.package_tree = folder / "packages"
        for driver in self.drivers:
            for file in driver.files:
                path = self.package_tree / driver.name / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.blobs.path(file.digest), path)
        self._runs = 0

    def _driver(self, number: int) -> Driver:
        """A package whose program is as compressible as real ones: about half."""
        noise = random.Random(SEED + number).randbytes(self.driver_bytes // 2)
        return make_driver(
            f"driver{number}",
            class_name="SCSIAdapter" if number % 2 else "Net",
            blobs=self.blobs,
            program=noise + bytes(self.driver_bytes // 2),
        )

    def ours(self) -> dict[str, float]:
        """Import and build; seconds of each part, and the digest's number for comparison."""
        work = self._fresh()
        store = BlobStore(work / "store")
        used, began = cpu_seconds(), time.perf_counter()
        part = store.staging / "source"
        facts, blob = take_in(self.wim, part, ours=False, index=None, workdir=store.staging)
        store.adopt(part, blob)
        imported = time.perf_counter()
        source = SourceWim(blob.digest, blob.size, facts.index)
        image = BootImage("Bench", "bench", facts.architecture, source, self.drivers)
        made: Plan = plan(facts, image, 1)
        workdir = work / "build"
        workdir.mkdir()
        built = build(
            source=store.require(blob.digest),
            facts=facts,
            plan=made,
            driver_files=self.blobs.path,
            workdir=workdir,
        )
        ended, used = time.perf_counter(), cpu_seconds() - used
        wim = built.file("boot.wim")
        assert wim is not None
        imagex("verify", wim.path)
        listed = imagex("dir", wim.path, "--path=/Windows/BootDrivers")
        assert listed.count(".sys") == DRIVERS
        shutil.rmtree(work)
        return {
            "import": imported - began,
            "build": ended - imported,
            "total": ended - began,
            "cpu": used,
            "digest": int(wim.digest[-12:], 16),
        }

    def bare_tools(self) -> dict[str, float]:
        """Copy, update and verify by wimlib-imagex: nothing checked beforehand, nothing kept."""
        work = self._fresh()
        copy = work / "boot.wim"
        used, began = cpu_seconds(), time.perf_counter()
        shutil.copyfile(self.wim, copy)
        copied = time.perf_counter()
        command = f"add '{self.package_tree}' '/Windows/BootDrivers'"
        imagex("update", copy, "1", f"--command={command}")
        updated = time.perf_counter()
        imagex("verify", copy)
        ended = time.perf_counter()
        shutil.rmtree(work)
        return {
            "copy": copied - began,
            "update": updated - copied,
            "verify": ended - updated,
            "total": ended - began,
            "cpu": cpu_seconds() - used,
        }

    def recapture(self, compression: str) -> dict[str, float]:
        """Apply the whole image, copy the drivers in, capture it again."""
        work = self._fresh()
        began = time.perf_counter()
        imagex("apply", self.wim, "1", work / "tree", "--no-acls")
        shutil.copytree(self.package_tree, work / "tree/Windows/BootDrivers")
        imagex(
            *("capture", work / "tree", work / "boot.wim", "Bench", "--boot", "--no-acls"),
            f"--compress={compression}",
        )
        ended = time.perf_counter()
        shutil.rmtree(work)
        return {"total": ended - began}

    def _fresh(self) -> Path:
        """An empty folder, and a disk that has nothing left to write."""
        os.sync()
        self._runs += 1
        work = self.folder / f"run{self._runs}"
        work.mkdir()
        return work


def measure(subject: Subject, *, rounds: int, compression: str) -> dict[str, float | None]:
    """Run the three ways in turn; medians in seconds."""
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "ours": subject.ours,
        "bare": subject.bare_tools,
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            runs[name].append(way())
    recapture = subject.recapture(compression)["total"]
    figures: dict[str, float | None] = {
        "wim_megabytes": round(subject.wim.stat().st_size / (1 << 20), 1),
        "driver_megabytes": round(sum(driver.size for driver in subject.drivers) / (1 << 20), 1),
    }
    for name, results in runs.items():
        for part in results[0]:
            if part != "digest":
                values = [result[part] for result in results]
                figures[f"{name}_{part}_seconds"] = round(statistics.median(values), 3)
                show(f"{name} {part}", values)
    show("re-capture", [recapture])
    totals, cpu = (
        {name: min(result[part] for result in results) for name, results in runs.items()}
        for part in ("total", "cpu")
    )
    builds = statistics.median(result["build"] for result in runs["ours"])
    figures["recapture_seconds"] = round(recapture, 3)
    figures["ours_to_bare_tools"] = round(totals["ours"] / totals["bare"], 2)
    figures["ours_to_bare_tools_cpu"] = round(cpu["ours"] / cpu["bare"], 2)
    figures["recapture_to_ours"] = round(recapture / builds, 2)
    figures["builds_are_identical"] = int(len({r["digest"] for r in runs["ours"]}) == 1)
    return figures


def cpu_seconds() -> float:
    """CPU time of this process and of all its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def show(name: str, values: list[float]) -> None:
    """A line of the table: median, least, most."""
    print(f"{name:24} {statistics.median(values):8.3f} {min(values):8.3f} {max(values):8.3f} s")


def short(figures: dict[str, float | None]) -> list[str]:
    """Names of the figures that miss their goal, or that could not be measured."""
    missed = []
    for name, (sign, goal) in GOALS.items():
        value = figures.get(name)
        if value is None or (value < goal if sign == ">=" else value > goal):
            missed.append(name)
    return missed


def main() -> None:
    """Generate, measure, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller WIM, under a minute")
    parser.add_argument("--compress", choices=("LZX", "XPRESS"), default="LZX")
    options = parser.parse_args()
    megabytes, rounds = (80, 2) if options.quick else (300, 3)
    version = subprocess.run(["wimlib-imagex", "--version"], check=True, capture_output=True)
    print(version.stdout.decode().splitlines()[0], f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bench-image-") as work:
        subject = Subject(Path(work), megabytes=megabytes, compression=options.compress)
        print(f"{'':24} {'median':>8} {'least':>8} {'most':>8}")
        figures = measure(subject, rounds=rounds, compression=options.compress)
    answer = {"bench": "image", "figures": figures, "goals": GOALS, "short": short(figures)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(answer, indent=1) + "\n")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
