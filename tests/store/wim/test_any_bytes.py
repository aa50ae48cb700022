"""Damaged and invented bytes in all that is read of a disc, a WIM and a registry hive.

From any bytes comes an answer or one of our errors, and it comes to an end. (netboot reads no boot
configuration store: it only writes them.)
"""

import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netboot.errors import InvalidInput
from netboot.formats.wim.wim import HEADER_SIZE
from netboot.images.architecture import Architecture
from netboot.store.wim.inspector import inspect, read_descriptions
from netboot.store.wim.iso import file_systems, take_boot_wim
from tests.samples.discs import make_iso, make_udf
from tests.samples.synthetic_winpe import SyntheticWinPe, software_hive, system_hive

pytestmark = pytest.mark.wimlib
WIM = b"MSWIM\0\0\0" + bytes(n * 31 % 251 for n in range(40_000))
ODD = (0, 1, 0x7F, 0x80, 0xFF)
WIDE = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0)


def mutant(data: bytes, generator: random.Random, *, start: int = 0, end: int = 0) -> bytes:
    """The bytes with changes between `start` and `end`: bytes, words, a copied piece, a cut."""
    changed, end = bytearray(data), end or len(data)
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        at = generator.randrange(start, end)
        match generator.randrange(8):
            case 0 | 1 | 2:
                changed[at] = generator.choice((*ODD, changed[at] ^ (1 << generator.randrange(8))))
            case 3 | 4:
                at = min(at & ~3, len(changed) - 4)
                struct.pack_into("<I", changed, at, generator.choice(WIDE))
            case 5:
                source = generator.randrange(start, end)
                piece = changed[source : source + generator.choice((4, 16, 64, 2048))]
                changed[at : at + len(piece)] = piece
            case 6:
                changed[at : at + 8] = generator.randbytes(8)
            case _:
                if generator.random() < 0.2:
                    return bytes(changed[:at])
    return bytes(changed)


def answered(read: Callable[[], object]) -> bool:
    """Whether the reader took the bytes; any error but ours comes out."""
    try:
        read()
    except InvalidInput:
        return False
    return True


@pytest.fixture(scope="module")
def wim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SyntheticWinPe().capture(tmp_path_factory.mktemp("wim"))


@pytest.mark.parametrize("seed", range(3))
def test_headers_tables_and_descriptions_of_wims_are_read_or_refused(
    wim: Path, tmp_path: Path, seed: int
) -> None:
    data, path, generator = wim.read_bytes(), tmp_path / "any.wim", random.Random(seed)
    # The XML and the tables lie at the end.
    places = [(0, HEADER_SIZE), (len(data) - 3000, len(data)), (0, len(data))]
    taken = 0
    for _ in range(700):
        start, end = generator.choice(places)
        path.write_bytes(mutant(data, generator, start=start, end=end))
        taken += answered(lambda: read_descriptions(path))
    assert 0 < taken < 700


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=4096), mark=st.sampled_from([b"", b"MSWIM\0\0\0"]))
def test_invented_bytes_are_no_wim_and_no_disc(tmp_path: Path, data: bytes, mark: bytes) -> None:
    path = tmp_path / "invented"
    path.write_bytes(mark + data)
    assert not answered(lambda: read_descriptions(path))
    assert file_systems(path) == []


def hives() -> Iterator[bytes]:
    yield system_hive()
    yield software_hive("22621")


READER = """
import sys, struct
from pathlib import Path
from netboot.errors import FormatError
from netboot.store.wim.hives import Hive, Library
library, stream = Library(), sys.stdin.buffer
while size := stream.read(4):
    path = Path(sys.argv[1])
    path.write_bytes(stream.read(struct.unpack("<I", size)[0]))
    try:
        with Hive(library, path, write=True) as hive:
            hive.text("Microsoft\\\\Windows NT\\\\CurrentVersion", "CurrentBuild")
            hive.number("CurrentControlSet\\\\Services\\\\FBWF", "WinPECacheThreshold")
            hive.has("ControlSet001\\\\Control\\\\MiniNT")
            hive.set("CurrentControlSet\\\\Services\\\\FBWF", "WinPECacheThreshold", 4, b"1234")
            hive.commit()
        print("taken")
    except FormatError:
        print("refused")
"""


@pytest.mark.parametrize("seed", range(2))
def test_registry_hives_are_read_changed_or_refused(tmp_path: Path, seed: int) -> None:
    """In a process of its own, as a build does it: the library is written in C."""
    generator, sent, count = random.Random(seed), bytearray(), 0
    for hive in hives():
        for _ in range(150):
            data = mutant(hive, generator, start=generator.choice((0, 4096, 4096)))
            sent += struct.pack("<I", len(data)) + data
            count += 1
    done = subprocess.run(
        [sys.executable, "-c", READER, tmp_path / "hive"],
        input=bytes(sent), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    said = done.stdout.decode().split()

    assert (done.returncode, len(said)) == (0, count), done.stderr.decode()[-2000:]
    assert {"taken", "refused"} == set(said)


@pytest.mark.parametrize("seed", range(4))
def test_an_image_with_damaged_hives_is_examined_all_the_same(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    folder = "/Windows/System32/config/"
    damaged = {
        f"{folder}SYSTEM": mutant(system_hive(), generator),
        f"{folder}SOFTWARE": mutant(software_hive("22621"), generator, start=4096),
    }
    wim = SyntheticWinPe(files=damaged).capture(tmp_path)
    assert inspect(wim, workdir=tmp_path).architecture is Architecture.X64


@pytest.mark.parametrize("make", [make_iso, make_udf])
@pytest.mark.parametrize("seed", range(2))
def test_discs_are_read_or_refused(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, seed: int
) -> None:
    """Their tables are in the first and the last part; the file in the middle is long."""
    disc = make(tmp_path, {"sources/boot.wim": WIM, "boot/bcd": b"regf"})
    data, generator, path = disc.read_bytes(), random.Random(seed), tmp_path / "any.iso"
    named = data.find(WIM)
    for number in range(12):
        start, end = generator.choice([(0x8000, 0x9800), (0x8000, named), (named, len(data))])
        path.write_bytes(mutant(data, generator, start=start, end=end))
        workdir = tmp_path / f"work{number}"
        workdir.mkdir()
        answered(lambda folder=workdir: take_boot_wim(path, folder))  # type: ignore[misc]
        assert [one.name for one in workdir.iterdir()] in ([], ["boot.wim"])
