import hashlib
import subprocess

import pytest

from netboot.images.architecture import Architecture
from vm.labpe.image import Parts, image_name, normalised, write_image

pytestmark = pytest.mark.wimlib

PARTS = Parts(Architecture.X86, b"MZ kernel", b"initrd", "6.1.0-50-686")


@pytest.fixture(scope="module")
def wim(tmp_path_factory):
    """An image made of small parts."""
    folder = tmp_path_factory.mktemp("image")
    write_image(PARTS, folder / "tree", folder / "boot.wim")
    return folder / "boot.wim"


def wimlib(*words):
    done = subprocess.run(["wimlib-imagex", *words], capture_output=True, text=True, check=True)
    return done.stdout


def test_wimlib_finds_the_windows_pe_layout(wim):
    """Kernel, start file, programs and hives lie where Windows PE has them."""
    names = set(wimlib("dir", str(wim), "1").splitlines())

    assert {
        "/Windows/Boot/LabPE/vmlinuz",
        "/Windows/Boot/LabPE/initrd.gz",
        "/Windows/System32/ntoskrnl.exe",
        "/Windows/System32/startnet.cmd",
        "/Windows/System32/winpeshl.exe",
        "/Windows/System32/wpeinit.exe",
        "/Windows/System32/drvload.exe",
        "/Windows/System32/config/SYSTEM",
        "/Windows/System32/config/SOFTWARE",
        "/Windows/System32/config/DEFAULT",
    } <= names


def test_the_image_is_bootable_and_names_its_architecture(wim):
    """Boot index 1, architecture, name and build stand in header and XML."""
    info = wimlib("info", str(wim))

    assert "Boot Index:     1" in info
    assert f"Name:                   {image_name(Architecture.X86)}" in info
    assert "Architecture:           x86\n" in info
    assert "Build:                  19041" in info


def test_wimlib_verifies_the_image(wim):
    """Every blob has the SHA-1 that the table promises, after our changes to the header too."""
    assert "was successfully verified" in wimlib("verify", str(wim))


def test_wimlib_reads_our_registry(wim):
    """The product's name comes out of the SOFTWARE hive, so the hive is one."""
    assert "Lab PE on Linux 6.1.0-50-686" in wimlib("info", str(wim))


def test_two_captures_are_the_same_bytes(wim, tmp_path):
    """GUID and times do not depend on when or where the image was made."""
    write_image(PARTS, tmp_path / "tree", tmp_path / "boot.wim")

    digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (wim, tmp_path / "boot.wim")]
    assert digests[0] == digests[1]


def test_normalising_twice_changes_nothing(wim):
    """A normalised image is a fixed point, its GUID aside from nothing."""
    data = wim.read_bytes()

    assert data == normalised(data)


def test_stand_ins_say_what_they_are(wim, tmp_path):
    """Nobody takes the programs for Microsoft's."""
    wimlib("extract", str(wim), "1", "/Windows/System32/wpeinit.exe", f"--dest-dir={tmp_path}")

    assert b"Lab PE: init does the work of wpeinit.exe" in (tmp_path / "wpeinit.exe").read_bytes()
