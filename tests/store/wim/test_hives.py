"""libhivex: values are read and set, and another program agrees."""

import subprocess
from pathlib import Path

import pytest

from netboot.errors import FormatError
from netboot.store.wim.hives import REG_DWORD, REG_SZ, Hive, Library
from tests.samples.synthetic_winpe import software_hive, system_hive

pytestmark = pytest.mark.wimlib

FBWF = "CurrentControlSet\\Services\\FBWF"
VERSION = "Microsoft\\Windows NT\\CurrentVersion"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    path = tmp_path / "SYSTEM"
    path.write_bytes(system_hive())
    return path


def hivexget(path: Path, key: str, name: str) -> str:
    command = ["hivexget", path, key, name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_values_are_read(system: Path, tmp_path: Path):
    """Numbers, texts and keys; what is missing is 0, empty, False."""
    software = tmp_path / "SOFTWARE"
    software.write_bytes(software_hive("22621"))
    with Hive(Library(), system) as hive:
        assert hive.number(FBWF, "WinPECacheThreshold") == 32
        assert hive.control_set() == "ControlSet001"
        assert hive.has("ControlSet001\\Control\\MiniNT")
        assert not hive.has("ControlSet002")
        assert hive.number(FBWF, "Nothing") == 0
        assert hive.get("No\\Key", "x") is None
    with Hive(Library(), software) as hive:
        assert hive.text(VERSION, "CurrentBuild") == "22621"
        assert hive.number(VERSION, "UBR") == 1
        assert hive.text(VERSION, "UBR") == ""


def test_values_are_set(system: Path):
    """An old value is replaced, a new key is made; hivexget sees both."""
    with Hive(Library(), system, write=True) as hive:
        hive.set(FBWF, "WinPECacheThreshold", REG_DWORD, (512).to_bytes(4, "little"))
        hive.set("New\\Key", "Text", REG_SZ, "hello\0".encode("utf-16-le"))
        hive.commit()

    assert hivexget(system, "ControlSet001\\Services\\FBWF", "WinPECacheThreshold") == "512"
    assert hivexget(system, "New\\Key", "Text") == "hello"


def test_setting_is_deterministic(system: Path, tmp_path: Path):
    """Two hives with the same change are the same bytes."""
    copies = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_bytes(system.read_bytes())
        with Hive(Library(), path, write=True) as hive:
            hive.set(FBWF, "WinPECacheThreshold", REG_DWORD, (64).to_bytes(4, "little"))
            hive.commit()
        copies.append(path.read_bytes())

    assert copies[0] == copies[1]


@pytest.mark.parametrize("data", [b"", b"regf", b"no hive" * 1000, system_hive()[:4096]])
def test_what_is_no_hive_is_refused(data: bytes, tmp_path: Path):
    """Anything else is a FormatError with the file's name."""
    path = tmp_path / "DEFAULT"
    path.write_bytes(data)

    with pytest.raises(FormatError, match="DEFAULT is not a registry hive"):
        Hive(Library(), path)
