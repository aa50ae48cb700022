"""GRUB's texts, whole, and judged by GRUB's own parser."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.files import grub_script
from netboot.boot.files.ipxe_script import BootServer
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile

SERVER = BootServer(http="http://10.77.0.2:8081", tftp="10.77.0.2")


def make_version(*names: str, image: str = "Lab PE x86") -> ContentVersion:
    files = tuple(ManifestFile(name, "sha256:" + "0" * 64, 1) for name in names)
    return ContentVersion(image, 3, Architecture.X86, "recipe", 0.0, files, ("linux",))


def test_the_early_text_names_our_address() -> None:
    """GRUB would otherwise believe the DHCP server's address."""
    actual = grub_script.early_config("10.77.0.2")

    expected = """\
serial --unit=0 --speed=115200
terminal_output serial console
set prefix=(tftp,10.77.0.2)/grub
set root=tftp,10.77.0.2
normal (tftp,10.77.0.2)/grub/grub.cfg
"""
    assert actual == expected


def test_the_menu_boots_the_clients_version() -> None:
    """Kernel, initrd and wrapped image, by TFTP and by the version's exact names."""
    version = make_version("vmlinuz", "initrd.gz", "boot.wim.cpio")

    actual = grub_script.render(version, SERVER, token="abc.DEF-1_2", arguments="quiet")

    expected = """\
echo 'netboot: Lab PE x86 v3'
linux (tftp,10.77.0.2)/v/lab-pe-x86/3/vmlinuz quiet \
labpe.report=http://10.77.0.2:8081/report/abc.DEF-1_2
initrd (tftp,10.77.0.2)/v/lab-pe-x86/3/initrd.gz (tftp,10.77.0.2)/v/lab-pe-x86/3/boot.wim.cpio
boot
"""
    assert actual == expected


def test_a_version_without_the_files_says_which() -> None:
    """A real Windows PE has no Linux kernel, and GRUB can't boot it."""
    actual = grub_script.render(make_version("boot.wim", image="WinPE"), SERVER, token="t")

    expected = """\
echo 'netboot: nothing to boot for this machine'
echo 'netboot: WinPE v3 has no vmlinuz, initrd.gz, boot.wim.cpio'
sleep --interruptible 15
exit
"""
    assert actual == expected


def check(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What grub-script-check thinks of it."""
    path = folder / "grub.cfg"
    path.write_text(script)
    return subprocess.run(
        ["grub-script-check", str(path)], capture_output=True, text=True, check=False
    )


needs_grub = pytest.mark.skipif(
    shutil.which("grub-script-check") is None,
    reason="grub-script-check is not installed (apt-get install grub-common)",
)


@needs_grub
def test_grub_itself_can_read_all_texts(tmp_path: Path) -> None:
    """grub-script-check finds nothing to complain about."""
    whole = make_version("vmlinuz", "initrd.gz", "boot.wim.cpio", image="It's 100% {odd}; $name")
    texts = [
        grub_script.early_config("10.77.0.2"),
        grub_script.render(whole, SERVER, token="abc"),
        grub_script.refuse('it\'s a "quoted"; {reason} $with `everything` \\ && || #'),
    ]

    assert [check(text, tmp_path).returncode for text in texts] == [0, 0, 0]


@needs_grub
def test_grub_script_check_does_complain(tmp_path: Path) -> None:
    """The judge is awake: an open quote is refused."""
    assert check("echo 'open\n", tmp_path).returncode != 0


@given(st.text(max_size=200))
def test_no_reason_breaks_out_of_its_quotes(reason: str) -> None:
    """Every line is one of the commands that we meant."""
    lines = grub_script.refuse(reason).splitlines()

    assert {line.split()[0] for line in lines} == {"echo", "sleep", "exit"}
    assert all(line.count("'") == 2 for line in lines if line.startswith("echo"))
