"""Inspection: facts of honest images, refusals of all others."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netboot.errors import InvalidInput, OperatorFault, Quarantined
from netboot.formats.wim.wim import WimFlag
from netboot.images.architecture import Architecture
from netboot.store.foreign.confinement import Limits
from netboot.store.wim import sandbox
from netboot.store.wim.inspector import inspect, list_files
from tests.samples.hostile_wims import mutants, rename_inside, save, with_flags, with_xml, xml_of
from tests.samples.synthetic_winpe import SyntheticWinPe, capture, imagex

pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wims")


@pytest.fixture(scope="module")
def wim(folder: Path) -> Path:
    return SyntheticWinPe().capture(folder)


@pytest.fixture(scope="module")
def plain_wim(folder: Path) -> bytes:
    """An uncompressed WIM, whose metadata can be changed byte by byte."""
    tree = folder / "tree"
    capture(tree, folder / "plain.wim", "PE", "--compress=none")
    return (folder / "plain.wim").read_bytes()


def test_an_honest_image_is_known(wim: Path, tmp_path: Path):
    """Header, XML, hives and programs agree, and all boot files are found."""
    facts = inspect(wim, workdir=tmp_path)

    assert facts.architecture is Architecture.X64
    assert (facts.version, facts.build) == ("10.0.22621.1", 22621)
    assert (facts.index, facts.boot_index, facts.edition) == (1, 1, "WindowsPE")
    assert (facts.compression, facts.size) == ("LZX", wim.stat().st_size)
    assert (facts.startnet, facts.winpeshl, facts.setup_path) == ("wpeinit\r\n", None, "")
    assert facts.hives == ("DEFAULT", "SOFTWARE", "SYSTEM")
    assert facts.chains == ("native", "wimboot")
    assert (facts.missing, facts.findings, facts.secrets, facts.drivers) == ((), (), (), ())
    assert facts.has_background
    assert facts.packages == ("WinPE-WMI-Package",)
    assert facts.loader(".efi") == r"\Windows\System32\boot\winload.efi"
    assert {file.name for file in facts.boot_files} == {
        *("bootmgfw.efi", "pxeboot.n12", "bootmgr.exe", "boot.sdi"),
        *("Fonts/wgl4_boot.ttf", "Fonts/segoe_slboot.ttf"),
    }
    assert list(tmp_path.iterdir()) == []


def test_files_are_listed_with_their_hashes(wim: Path, tmp_path: Path):
    """All files and no folders, as wimlib-imagex lists them."""
    found = list_files(wim, 1, workdir=tmp_path)

    listed = set(imagex("dir", wim).split("\n"))
    assert set(found) < listed
    sha1 = hashlib.sha1(b"wpeinit\r\n", usedforsecurity=False).hexdigest()
    assert sha1 == found["/Windows/System32/startnet.cmd"]
    with pytest.raises(Quarantined, match="The WIM's file list cannot be read"):
        list_files(wim, 9, workdir=tmp_path)


def test_the_bootable_image_of_several_is_chosen(wim: Path, tmp_path: Path):
    """The boot index decides; another can be asked for; none at all must be answered."""
    both = tmp_path / "both.wim"
    imagex("export", wim, "1", both, "One")
    imagex("export", wim, "1", both, "Two", "--boot")

    facts = inspect(both, workdir=tmp_path)
    assert facts.index == 2
    assert inspect(both, index=1, workdir=tmp_path).index == 1
    assert [image.name for image in facts.images] == ["One", "Two"]
    with pytest.raises(InvalidInput, match="no image 3") as told:
        inspect(both, index=3, workdir=tmp_path)
    assert "1: One; 2: Two" in told.value.hint
    with pytest.raises(InvalidInput, match="no image 0"):
        inspect(both, index=0, workdir=tmp_path)

    imagex("info", both, "0", "--boot")
    with pytest.raises(
        InvalidInput, match="The WIM contains several images and none is marked as bootable"
    ) as told:
        inspect(both, workdir=tmp_path)
    assert "1: One; 2: Two" in told.value.hint


def test_a_single_image_without_boot_index_is_taken(wim: Path, tmp_path: Path):
    """A finding says that builds will mark it."""
    copy = tmp_path / "copy.wim"
    imagex("export", wim, "1", copy)
    imagex("info", copy, "0", "--boot")
    facts = inspect(copy, workdir=tmp_path)

    assert (facts.index, facts.boot_index) == (1, 0)
    assert facts.findings[0] == "No image is marked as bootable. The build marks image 1."


def convert(*options: str) -> Callable[[Path, Path], None]:
    return lambda wim, new: void(imagex("export", wim, "1", new, *options))


def void(_value: object) -> None:
    return


@pytest.mark.parametrize(
    ("make", "reason", "hint"),
    [
        (convert("--solid"), "compressed with LZMS", "--compress=LZX"),
        (convert("--pipable"), "pipable", "--not-pipable"),
        (convert("--compress=LZMS"), "compressed with LZMS", "--compress=LZX"),
        (convert("--compress=XPRESS", "--chunk-size=8K"), "8192", "--compress=LZX"),
        (lambda _wim, new: void(new.write_bytes(b"")), "not a WIM", "boot.wim"),
        (lambda _wim, new: void(new.write_bytes(b"MZ" * 500)), "not a WIM", "boot.wim"),
        (lambda wim, new: void(new.write_bytes(wim.read_bytes()[:-1])), "truncated", "again"),
        (lambda wim, new: void(new.write_bytes(wim.read_bytes()[:100])), "header", "boot.wim"),
    ],
)
def test_unusable_forms_are_refused_with_advice(
    make: Callable[[Path, Path], None], reason: str, hint: str, wim: Path, tmp_path: Path
):
    """Solid, pipable, other chunks, nothing, cut: InvalidInput that says what to do."""
    other = tmp_path / "other.wim"
    make(wim, other)

    with pytest.raises(InvalidInput, match=reason) as told:
        inspect(other, workdir=tmp_path)

    assert hint in told.value.hint
    assert not isinstance(told.value, Quarantined)


def test_a_part_of_a_split_wim_is_refused(tmp_path: Path):
    """Real parts, made by wimlib-imagex split."""
    winpe = SyntheticWinPe(files={f"/noise{n}": os.urandom(700_000) for n in range(4)})
    imagex("split", winpe.capture(tmp_path), tmp_path / "part.swm", "1")

    for part in ("part.swm", "part2.swm"):
        with pytest.raises(InvalidInput, match="split") as told:
            inspect(tmp_path / part, workdir=tmp_path)
        assert "wimlib-imagex join" in told.value.hint


def test_an_encrypted_one_is_refused(plain_wim: bytes, tmp_path: Path):
    """An ESD that says it is encrypted."""
    text = xml_of(plain_wim).replace("</WIM>", "<ESD><ENCRYPTED>1</ENCRYPTED></ESD></WIM>")

    with pytest.raises(InvalidInput, match="encrypted"):
        inspect(save(tmp_path, with_xml(plain_wim, text)), workdir=tmp_path)


def test_an_unfinished_one_is_refused(plain_wim: bytes, tmp_path: Path):
    """wimlib itself would read it."""
    with pytest.raises(InvalidInput, match="write-in-progress"):
        inspect(save(tmp_path, with_flags(plain_wim, WimFlag.WRITE_IN_PROGRESS)), workdir=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("usbstor.inf", "..\\stor.inf"),
        ("usbstor.inf", "usb/tor.inf"),
        ("usbstor.inf", "usbstor:inf"),
        ("usbstor.inf", "usbsto\x01.inf"),
        ("usbstor.inf", "usbstor.in."),
        ("netrtl64.inf", "e1i65x64.inf"),
        ("netrtl64.inf", "E1I65X64.INF"),
        ("config", "conf\x00g"),
        ("INF", "AUX"),
    ],
)
def test_hostile_names_are_quarantined(old: str, new: str, plain_wim: bytes, tmp_path: Path):
    """Climbing, streams, control characters, doubles: kept out, whatever wimlib thinks."""
    hostile = save(tmp_path, rename_inside(plain_wim, old, new))

    with pytest.raises(Quarantined) as told:
        inspect(hostile, workdir=tmp_path)

    assert str(told.value).isprintable()


@pytest.mark.parametrize("name", ["..", "."])
def test_a_name_that_climbs_is_quarantined(name: str, tmp_path: Path):
    """wimlib drops such a name with a warning; the warning is what we look for."""
    tree = tmp_path / "tree"
    SyntheticWinPe().write_tree(tree)
    (tree / "Windows" / "xy"[: len(name)]).mkdir()
    wim = tmp_path / "a.wim"
    capture(tree, wim, "PE", "--compress=none")
    data = rename_inside(wim.read_bytes(), "xy"[: len(name)] + "\0", name + "\0")

    with pytest.raises(Quarantined):
        inspect(save(tmp_path, data), workdir=tmp_path)


def test_a_flipped_bit_is_found(wim: Path, tmp_path: Path):
    """Content is compared with its hash before anything is believed."""
    data = bytearray(wim.read_bytes())
    data[300] ^= 4

    with pytest.raises(Quarantined, match="damaged"):
        inspect(save(tmp_path, bytes(data)), workdir=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"entries": [["/a/../../etc/passwd", 1, "", 1]]},
        {"entries": [["/a", 1]]},
        {"entries": None},
        {"collected": 5},
        {"boot_index": "x"},
        {"hives": [1]},
        {"hostile": ["/x: a trick"]},
        {"warnings": ["odd"]},
    ],
)
def test_a_reader_that_was_taken_over_is_not_believed(
    change: dict[str, object], wim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Answers that are out of shape, or that point outside, are Quarantined."""
    result = {
        "hostile": [],
        "warnings": [],
        "entries": [],
        "collected": [],
        "hives": {},
        "boot_index": 1,
    }
    answer = sandbox.Answer({**result, **change}, ())
    monkeypatch.setattr(sandbox, "run", lambda *_arguments, **_options: answer)

    with pytest.raises(Quarantined):
        inspect(wim, workdir=tmp_path)


def test_a_full_disk_is_not_the_files_fault(wim: Path, tmp_path: Path):
    """What the scratch folder cannot hold is no reason to distrust the WIM."""
    with pytest.raises(OperatorFault, match="could not be examined") as told:
        inspect(wim, workdir=tmp_path, limits=Limits(file_size=10))

    assert type(told.value) is not Quarantined


@pytest.mark.parametrize("seed", range(6))
def test_no_mutant_becomes_usable(seed: int, wim: Path, plain_wim: bytes, tmp_path: Path):
    """Of 60 damaged files each is refused, or is in all that matters what it was before."""
    data = wim.read_bytes() if seed % 2 else plain_wim
    honest = inspect(save(tmp_path, data), workdir=tmp_path)
    refused = 0

    for what, mutant in mutants(data, 60, seed):
        try:
            facts = inspect(save(tmp_path, mutant), workdir=tmp_path)
        except InvalidInput:
            refused += 1
        else:
            # GUID, boot index and texts of the XML may change without harm.
            harmless = replace(
                facts,
                boot_index=honest.boot_index,
                findings=honest.findings,
                images=honest.images,
                version=honest.version,
                edition=honest.edition,
                languages=honest.languages,
                modified_at=honest.modified_at,
            )
            assert replace(honest, size=facts.size) == harmless, what

    assert refused > 30
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.wim"]
