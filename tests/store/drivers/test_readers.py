"""netboot.store.drivers.readers: several processes read what one would, and end with it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from netboot.errors import OperatorFault
from netboot.site import Site
from netboot.store.content.blobs import BlobStore
from netboot.store.drivers import readers as driver_readers
from netboot.store.drivers.folders import RefusedInf, driver_source
from netboot.store.drivers.readers import BATCH, SMALL, store_packages
from tests.images.drivers.packages import package_files

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three batches of packages, one of them no driver, two of them the same."""
    made = tmp_path_factory.mktemp("packages")
    for number in range(2 * BATCH + 5):
        name = f"drv{number:03}"
        ids = tuple(f"PCI\\VEN_8086&DEV_{number:04X}&SUBSYS_{n:08X}" for n in range(5))
        (made / name).mkdir()
        for path, data in package_files(name, ids=ids).items():
            (made / name / path).write_bytes(data)
    (made / "drv001" / "drv001.inf").write_text("no section at all\n")
    return made


def results(folder, blobs, readers):
    with (
        driver_source(folder, scratch=blobs.root) as source,
        closing(store_packages(source, blobs, readers=readers)) as batches,
    ):
        return [result for batch in batches for result in batch]


def test_two_readers_find_what_one_finds_in_the_same_order(folder, tmp_path):
    """And every file lies in the store, with nothing left in staging."""
    one, two = BlobStore(tmp_path / "one"), BlobStore(tmp_path / "two")
    alone, shared = results(folder, one, 1), results(folder, two, 2)

    assert alone == shared
    assert len(alone) == 2 * BATCH + 5
    assert [r.path for r in alone if isinstance(r, RefusedInf)] == ["drv001/drv001.inf"]
    files = {
        file["digest"]
        for result in alone
        if not isinstance(result, RefusedInf)
        for file in result.entry.package["files"]
    }
    assert files == set(one.digests()) == set(two.digests())
    assert list(two.staging.iterdir()) == []


def test_a_small_source_starts_no_process(folder, tmp_path, monkeypatch):
    """Starting one takes longer than reading a few packages."""
    monkeypatch.setattr(driver_readers, "ProcessPoolExecutor", None)

    assert len(results(folder, BlobStore(tmp_path), 0)) == 2 * BATCH + 5


def test_a_file_that_changes_meanwhile_is_refused(folder, tmp_path, monkeypatch):
    """Whatever a reader raises comes to whoever asked, with its hint."""
    real = driver_readers.read_driver

    def change(source, name):
        result = real(source, name)
        if not isinstance(result, RefusedInf):
            result.files[0][1].write_bytes(b"another content")
        return result

    copy = tmp_path / "copy"
    copy.mkdir()
    for path, data in package_files("acme").items():
        (copy / path).write_bytes(data)
    monkeypatch.setattr(driver_readers, "read_driver", change)
    with pytest.raises(OperatorFault, match="changed during the import"):
        results(copy, BlobStore(tmp_path), 1)


def test_a_reader_that_is_killed_is_told(folder, tmp_path, monkeypatch):
    """As the system does when memory runs out: an error with advice, no waiting for ever."""
    monkeypatch.setattr(driver_readers, "WAITING", 1)  # so that one batch is left to be read
    blobs = BlobStore(tmp_path)
    with (
        driver_source(folder, scratch=tmp_path) as source,
        closing(store_packages(source, blobs, readers=2)) as batches,
        pytest.raises(OperatorFault, match="was killed") as fault,
    ):
        next(batches)
        for pid in readers_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        for _ in batches:
            pass
    assert "memory" in fault.value.hint


UNGUARDED = "import sys\nfrom netboot.cli import main\nsys.exit(main())\n"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Just enough packages for several readers."""
    made = tmp_path_factory.mktemp("many")
    for number in range(SMALL):
        name = f"drv{number:03}"
        (made / name).mkdir()
        for path, data in package_files(name, ids=(f"PCI\\VEN_1AF4&DEV_{number:04X}",)).items():
            (made / name / path).write_bytes(data)
    return made


@pytest.mark.parametrize("how", ["launcher", "module", "line", "script without a guard"])
def test_a_large_folder_is_imported_whatever_started_the_command(how, many, tmp_path):
    """The processes that read drivers do not run the command again."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    command = {
        "launcher": [str(ROOT / ".venv" / "bin" / "netboot")],
        "module": [sys.executable, "-m", "netboot"],
        "line": [sys.executable, "-c", UNGUARDED],
        "script without a guard": [sys.executable, str(script)],
    }[how]
    assert Site.open(tmp_path / "data").database

    done = subprocess.run(
        [*command, "--data", str(tmp_path / "data"), "driver", "import", str(many)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{SMALL} new, 0 known, 0 refused" in done.stdout


SLOW_IMPORT = """
import sys, time
from pathlib import Path
from netboot.store.content.blobs import BlobStore
from netboot.store.drivers.folders import driver_source
from netboot.store.drivers.readers import store_packages
if __name__ == "__main__":
    with driver_source(Path(sys.argv[1]), scratch=Path(sys.argv[2])) as source:
        batches = store_packages(source, BlobStore(Path(sys.argv[2])), readers=2)
        next(batches)
        print("reading", flush=True)
        time.sleep(60)
"""


def test_readers_end_when_whoever_asked_is_killed(folder, tmp_path):
    """Nobody is left behind to hold the machine's memory."""
    program = tmp_path / "slow.py"
    program.write_text(SLOW_IMPORT)
    parent = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout.readline() == b"reading\n"
    readers = readers_of(parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert len(readers) == 2
    until = time.monotonic() + 20
    while any(alive(pid) for pid in readers) and time.monotonic() < until:
        time.sleep(0.05)
    assert [pid for pid in readers if alive(pid)] == []


def readers_of(pid):
    """The readers that a process started and that live."""
    children = {
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    }
    return [
        child for child in children
        if alive(child) and b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]  # fmt: skip


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
