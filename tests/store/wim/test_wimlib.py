"""The libwim binding: its structures fit, and it agrees with wimlib-imagex."""

import hashlib
import os
from pathlib import Path

import pytest

from netboot.store.wim.wimlib import Change, Library, Wim, WimlibError, self_test
from tests.samples.synthetic_winpe import CAPTURED_AT, SyntheticWinPe, imagex

pytestmark = pytest.mark.wimlib


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "messages.txt")


@pytest.fixture
def wim_path(tmp_path: Path) -> Path:
    return SyntheticWinPe(compression="XPRESS").capture(tmp_path)


def test_the_structures_fit(library: Library, tmp_path: Path):
    """The self-test passes and leaves nothing behind."""
    self_test(library, tmp_path)

    assert list(tmp_path.iterdir()) in ([], [tmp_path / "messages.txt"])


def test_a_walk_sees_what_wimlib_imagex_sees(library: Library, wim_path: Path):
    """Every path, with size, hash and time."""
    with Wim(library, wim_path) as wim:
        entries = {entry.path: entry for entry in wim.walk(1)}

    assert set(imagex("dir", wim_path).split("\n")) - {""} == set(entries)
    font = entries["/Windows/Boot/Fonts/wgl4_boot.ttf"]
    data = b"stand-in: a font " * 300
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert (len(data), sha1, CAPTURED_AT) == (font.size, font.sha1, font.written_at)
    assert font.is_plain_file
    assert entries["/Windows"].is_folder


def test_paths_ignore_case(library: Library, wim_path: Path, tmp_path: Path):
    """Adding to /WINDOWS adds to /Windows, not beside it."""
    added = tmp_path / "added.txt"
    added.write_text("x")
    with Wim(library, wim_path, write=True) as wim:
        wim.update(1, [Change("/WINDOWS/system32/Added.txt", added)])
        wim.overwrite()

    listed = imagex("dir", wim_path).split("\n")
    assert "/Windows/System32/Added.txt" in listed
    assert "/WINDOWS" not in listed


def test_files_are_extracted_and_removed(library: Library, wim_path: Path, tmp_path: Path):
    """Extraction keeps folders; removal is seen by the other program."""
    with Wim(library, wim_path, write=True) as wim:
        wim.extract(1, ["/Windows/System32/startnet.cmd"], tmp_path / "out")
        wim.update(1, [Change("/Windows/INF")])
        wim.set_boot_index(0)
        wim.overwrite()

    assert (tmp_path / "out/Windows/System32/startnet.cmd").read_bytes() == b"wpeinit\r\n"
    assert "/Windows/INF" not in imagex("dir", wim_path)
    assert "Boot Index:     0" in imagex("info", wim_path)


def test_a_damaged_file_is_found_by_verify(library: Library, wim_path: Path):
    """One flipped bit in the content."""
    data = bytearray(wim_path.read_bytes())
    data[400] ^= 0x10
    wim_path.write_bytes(data)

    with pytest.raises(WimlibError) as told, Wim(library, wim_path) as wim:
        wim.verify()

    assert told.value.code in {2, 28}


def test_progress_is_reported(library: Library, wim_path: Path):
    """Verification says how far it is, and ends at the whole."""
    seen: list[tuple[str, int, int]] = []
    with Wim(library, wim_path, progress=lambda *step: seen.append(step)) as wim:
        wim.verify()

    assert seen[-1][0] == "verify"
    assert seen[-1][1] == seen[-1][2] > 0


def test_warnings_are_collected(library: Library, tmp_path: Path):
    """What wimlib prints as a warning is not lost."""
    assert library.warnings() == ()
    library.warnings_path.write_text("\r[WARNING] odd thing\n[ERROR] x\n[WARNING] odd thing\n")

    assert library.warnings() == ("odd thing",)


def test_no_wim_has_a_code(library: Library):
    """Errors keep wimlib's number and words."""
    with pytest.raises(WimlibError, match=r"not a WIM|magic|does not") as told:
        Wim(library, Path(os.__file__))

    assert told.value.code == 43


def test_a_single_entry_is_looked_up(library: Library, wim_path: Path):
    """By any case; None where nothing lies; other errors are errors."""
    with Wim(library, wim_path) as wim:
        found = wim.entry(1, "/windows/SYSTEM32/startnet.cmd")
        assert found is not None
        assert (found.path, found.size) == ("/Windows/System32/startnet.cmd", 9)
        assert wim.entry(1, "/nothing/here") is None
        with pytest.raises(WimlibError):
            wim.entry(2, "/Windows")
