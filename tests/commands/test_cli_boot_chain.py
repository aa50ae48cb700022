"""`netboot image chain` and `netboot wimboot`, from outside."""

import json
import struct

import pytest

from netboot.images.architecture import Architecture
from tests.samples.synthetic_winpe import pe_file


@pytest.mark.wimlib
def test_a_chain_is_chosen_by_firmware_and_takes_effect_with_a_version(netboot, lab):
    """What was said is told, and what comes next; `auto` gives the choice back."""
    netboot("image", "import", lab.wim[Architecture.X64], "--name", "Lab")
    netboot("image", "build", "Lab")
    told = netboot("image", "chain", "Lab", "--bios", "native", "--uefi", "linux").stdout

    assert "Lab: BIOS machines get native." in told
    assert 'netboot image build "Lab"' in told
    netboot("image", "build", "Lab")
    assert "netboot image build" in netboot("image", "chain", "Lab", "--bios", "auto").stdout


def test_a_choice_that_says_nothing_is_a_mistake(netboot):
    """Exit code 2, and what to say."""
    assert "--bios, --uefi" in netboot("image", "chain", "Lab", code=2).stderr


def test_a_wimboot_goes_in_is_shown_and_goes_away(netboot, tmp_path):
    """Its digest is told, so that it can be compared with its publisher's."""
    data = bytearray(pe_file("x64", b"wimboot " * 100))
    struct.pack_into("4s", data, 0x202, b"HdrS")
    (tmp_path / "wimboot").write_bytes(data)

    assert "No wimboot is served." in netboot("wimboot", "show").stdout
    assert "Compare the digest" in netboot("wimboot", "import", tmp_path / "wimboot").stdout
    shown = json.loads(netboot("wimboot", "show", "--json").stdout)
    assert len(data) == shown["size"]
    assert shown["digest"] in netboot("wimboot", "show").stdout
    refused = netboot("wimboot", "remove", typed="yes\n", code=2)
    assert "wimboot is served to machines" in refused.stderr
    netboot("wimboot", "remove", typed="wimboot\n")
    assert json.loads(netboot("wimboot", "show", "--json").stdout) == {}
    assert "no wimboot was imported" in netboot("wimboot", "remove", code=2).stderr
    netboot("wimboot", "import", tmp_path / "wimboot")
    netboot("wimboot", "remove", "--yes")
    assert json.loads(netboot("wimboot", "show", "--json").stdout) == {}


def test_another_file_is_refused_with_a_hint(netboot, tmp_path):
    """Exit code 2: what is wrong, and where wimboot comes from."""
    (tmp_path / "x").write_bytes(b"MZ" * 600)
    done = netboot("wimboot", "import", tmp_path / "x", code=2)

    assert "is not wimboot" in done.stderr
    assert "  -> " in done.stderr
