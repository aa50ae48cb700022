"""boot.wim out of ISOs that xorriso and genisoimage make."""

from pathlib import Path

import pytest

from netboot.errors import InvalidInput, Quarantined
from netboot.store.foreign import unpackers
from netboot.store.wim.iso import file_systems, is_iso, take_boot_wim
from tests.samples.discs import make_iso, make_udf

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


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("make", [make_iso, make_udf])
def test_the_file_systems_and_the_mode_of_an_iso_do_not_matter(make, mode, tmp_path: Path):
    """As Microsoft lays it out, under a name without an extension, in a folder of ours."""
    iso = make(tmp_path, {"sources/boot.wim": WIM, "boot/bcd": b"regf"}).rename(tmp_path / "part")
    iso.chmod(mode)
    tmp_path.chmod(0o700)
    workdir = tmp_path / "work"
    workdir.mkdir()

    assert is_iso(iso)
    assert take_boot_wim(iso, workdir).read_bytes() == WIM
    assert sorted(path.name for path in workdir.iterdir()) == ["boot.wim"]


def test_a_disc_with_udf_is_read_as_udf_first(tmp_path: Path):
    """As Windows does: ISO 9660 may hold other files."""
    assert file_systems(make_udf(tmp_path, {"sources/boot.wim": WIM})) == ["udf", "iso"]
    assert file_systems(make_iso(tmp_path, {"sources/boot.wim": WIM})) == ["iso"]


def test_a_disc_whose_udf_is_damaged_is_called_damaged(tmp_path: Path):
    iso = make_udf(tmp_path, {"sources/boot.wim": WIM})
    data = bytearray(iso.read_bytes())
    anchor = 256 * 2048  # ECMA-167 3/10.2: the anchor volume descriptor pointer
    data[anchor : anchor + 2048] = bytes(2048)
    iso.write_bytes(data[: 257 * 2048 + (len(data) - 257 * 2048) // 2])

    with pytest.raises(InvalidInput, match="damaged"):
        take_boot_wim(iso, tmp_path)


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
    monkeypatch.setattr(unpackers, "_POLL_SECONDS", 0.0001)

    def cancel(_stage: str, _done: int, _total: int) -> None:
        raise Cancelled

    workdir = tmp_path / "work"
    workdir.mkdir()
    with pytest.raises(Cancelled):
        take_boot_wim(iso, workdir, progress=cancel)
