"""What GRUB is told on media: read by GRUB's own script checker, and by eye."""

import shutil
import subprocess

import pytest

from netboot.formats import cpio
from netboot.images.architecture import Architecture
from netboot.images.media.menu import (
    MenuEntry,
    bootmgr_config,
    early_config,
    menu,
    quoted,
    sums,
    wim_head,
)
from netboot.images.media.request import hash_password
from tests.images.media.test_request import X64, X86, version

ARGUMENTS = "quiet labpe.report=http://10.0.0.2:8081/report/token"


def entries(*architectures):
    return [
        MenuEntry(version=version(each), wim_path=f"sources/boot-{each}.wim", arguments=ARGUMENTS)
        for each in architectures
    ]


@pytest.mark.skipif(shutil.which("grub-script-check") is None, reason="needs grub-common")
@pytest.mark.parametrize(
    "text",
    [
        menu(entries(X64)),
        menu(entries(X86)),
        menu(entries(X64, X86), expires="2027-01-01"),
        menu(entries(X64), password_hash=hash_password("open", b"salt")),
        early_config("0123456789abcdef"),
        bootmgr_config("0123456789abcdef"),
    ],
)
def test_grub_reads_every_text(text, tmp_path):
    """grub-script-check finds no fault."""
    path = tmp_path / "grub.cfg"
    path.write_text(text)
    done = subprocess.run(["grub-script-check", path], capture_output=True, text=True)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_byte_is_compared_before_the_kernel_is_loaded():
    """Kernel, first file system and WIM, and nothing is started when one differs."""
    lines = [line.strip() for line in menu(entries(X64)).splitlines()]
    compare = lines.index("if hashsum --hash sha256 --check /netboot/x64/SHA256SUMS; then")

    assert f"linux /netboot/x64/vmlinuz {ARGUMENTS}" == lines[compare + 1]
    assert lines[compare + 2].startswith("initrd /netboot/x64/initrd.gz /netboot/x64/wim.head /")
    assert lines[compare + 3] == "else"
    assert "exit" in lines[compare + 4 : lines.index("fi", compare)]


def test_each_machine_gets_the_image_for_its_processor():
    """By the firmware's width on UEFI, by the processor's on BIOS."""
    both, wide, narrow = (menu(entries(*held)) for held in ((X64, X86), (X64,), (X86,)))

    assert "set default=x86" in both
    assert "elif cpuid -l; then set default=x64; fi" in both
    assert "set default=none" in wide
    assert "this machine has a 32-bit processor, but the image is 64-bit" in wide
    assert "x64" not in narrow


def test_a_password_locks_every_entry_and_the_editor():
    """Without one the entries say that they ask nobody."""
    hashed = hash_password("open", b"salt")
    locked, free = menu(entries(X64), password_hash=hashed), menu(entries(X64))

    assert f"password_pbkdf2 start {hashed}" in locked
    assert "--id x64 {" in locked
    assert "--id x64 --unrestricted {" in free
    assert "superusers" not in free


def test_the_head_and_a_wim_are_an_archive_that_the_kernel_unpacks(tmp_path):
    """busybox's cpio reads it; no end mark is needed."""
    wim = b"MSWIM" + bytes(10_001)
    archive = wim_head(len(wim)) + wim + cpio.suffix(len(wim))
    subprocess.run(["busybox", "cpio", "-i"], input=archive, cwd=tmp_path, check=True,
                   capture_output=True)  # fmt: skip

    assert wim == (tmp_path / "boot.wim").read_bytes()
    assert len(wim_head(len(wim))) % 4 == 0


def test_sums_are_those_of_sha256sum():
    """Two spaces, and a path from the medium's root."""
    assert f"{'a' * 64}  /sources/boot.wim\n" == sums({"sources/boot.wim": "sha256:" + "a" * 64})


@pytest.mark.parametrize("name", ["it's", "a}; reboot", "$(x)", "né", "a\nb"])
def test_a_name_never_becomes_a_command(name):
    """What could end a quotation is gone."""
    assert not set("'\"`$\\{}\n") & set(quoted(name))
    assert quoted(name).isascii()


def test_architectures_of_menus_are_those_of_images():
    """Entries are called as the architectures are."""
    assert {"x64", "x86"} == {Architecture.X64.value, Architecture.X86.value}
