"""boot.wim out of ISOs that xorriso makes."""

from pathlib import Path

import pytest

from netboot.errors import InvalidInput, Quarantined
from netboot.store.wim import iso as iso_module
from netboot.store.wim.iso import is_iso, take_boot_wim
from tests.samples.discs import make_iso

pytestmark = pytest.mark.wimlib

WIM = bytes(n * 31 % 251 for n in range(300_000))


@pytest.mark.parametrize("name", ["sources/boot.wim", "SOURCES/BOOT.WIM", "boot.wim"])
def test_the_boot_image_is_taken_out(name: str, tmp_path: Path):
    """Whatever its case, byte for byte."""
    iso = make_iso(tmp_path, {name: WIM, "sources/install.wim": b"other", "setup.exe": b"MZ"})
    workdir = tmp_path / "work"
    workdir.mkdir()

    assert is_iso(iso)
    assert take_boot_wim(iso, workdir).read_bytes() == WIM


def test_an_iso_without_one_is_refused(tmp_path: Path):
    """Some other disc is InvalidInput with advice."""
    iso = make_iso(tmp_path, {"readme.txt": b"hello"})

    with pytest.raises(InvalidInput, match=r"does not contain sources/boot\.wim") as told:
        take_boot_wim(iso, tmp_path)

    assert "installation media" in told.value.hint


@pytest.mark.parametrize("data", [b"", b"MSWIM\0\0\0" * 9000, bytes(70_000)])
def test_other_files_are_no_iso(data: bytes, tmp_path: Path):
    """Short, WIM and empty files are told apart."""
    path = tmp_path / "file"
    path.write_bytes(data)

    assert not is_iso(path)


def test_a_cut_iso_gives_nothing(tmp_path: Path):
    """Half of a download is refused, not half taken."""
    iso = make_iso(tmp_path, {"sources/boot.wim": WIM})
    iso.write_bytes(iso.read_bytes()[:250_000])

    with pytest.raises((InvalidInput, Quarantined)):
        take_boot_wim(iso, tmp_path)


class Cancelled(Exception):
    pass


def test_taking_out_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What progress raises comes out, and the tool is gone."""
    large = WIM + bytes(64 << 20)  # so that it takes longer than until the first look
    iso = make_iso(tmp_path, {"sources/boot.wim": large})
    monkeypatch.setattr(iso_module, "_POLL_SECONDS", 0.0001)

    def cancel(_stage: str, _done: int, _total: int) -> None:
        raise Cancelled

    workdir = tmp_path / "work"
    workdir.mkdir()
    with pytest.raises(Cancelled):
        take_boot_wim(iso, workdir, progress=cancel)
