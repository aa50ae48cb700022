"""The scripts as machines get them, checked by their own languages where those are at hand."""

import io
import re
import subprocess
import zipfile

import pytest

from netboot.errors import InvalidInput
from netboot.images.media.disk_package import System
from netboot.store.media.disk_scripts import make_package, windows_scripts
from tests.images.media.test_disk_package import LAB, WINDOWS

# The facts of bcdedit's ramdisk entry, in the order in which they must be done.
BCDEDIT = (
    r"create.{1,20}(%OPTIONS%|\$Options)",
    "ramdisksdidevice.{1,12}partition=",
    r"ramdisksdipath.{1,6}\\NetBoot\\boot\.sdi",
    r"application.{1,6}osloader",
    "'?device'?.{1,12}(%DEVICE%|\\$device)",
    "osdevice.{1,12}(%DEVICE%|\\$device)",
    "path'?,? (%LOADER%|\\$loader)",
    r"systemroot.{1,6}\\windows",
    "detecthal.{1,6}yes",
    "winpe.{1,6}yes",
    "nx.{1,6}optin",
    "ems.{1,6}no",
    "bootsequence",
    "shutdown",
)


def test_the_linux_script_is_plain_shell_with_its_values(tmp_path):
    """dash reads it, shellcheck finds nothing, and asking it for nothing tells how it is used."""
    made = make_package(LAB)
    path = tmp_path / made.name
    path.write_bytes(made.data)
    checked = subprocess.run(["shellcheck", path], capture_output=True, text=True)
    asked = subprocess.run(["sh", path], capture_output=True, text=True)

    assert checked.stdout == ""
    assert (asked.returncode, "install [--method grub|kexec]" in asked.stdout) == (2, True)
    assert b"NB_BASE='http://10.0.0.2:8081/v/pe/7'" in made.data


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["install", "--method", "lilo"], "--method is grub or kexec"),
        (["install", "--speed"], "unknown option --speed"),
        (["start"], "no boot image is installed here"),
    ],
)
def test_what_the_script_cannot_do_it_says(tmp_path, words, said):
    """And ends with an error."""
    path = tmp_path / "script.sh"
    path.write_bytes(make_package(LAB).data)
    done = subprocess.run(["sh", path, *words], capture_output=True, text=True)

    assert done.returncode == 1
    assert said in done.stderr


def test_the_windows_package_is_a_zip_of_both_scripts():
    """With line ends of Windows, and only characters that every code page has."""
    made = make_package(WINDOWS)
    with zipfile.ZipFile(io.BytesIO(made.data)) as packed:
        texts = {name: packed.read(name) for name in packed.namelist()}

    assert {"netboot-disk.ps1", "netboot-disk.cmd"} == set(texts)
    for text in texts.values():
        assert text.count(b"\n") == text.count(b"\r\n") > 50
        assert text.isascii()


@pytest.mark.parametrize("name", ["netboot-disk.ps1", "netboot-disk.cmd"])
def test_the_windows_scripts_do_what_bcdedit_needs_in_its_order(name):
    """Options first, then the loader's entry, then one start."""
    text = windows_scripts(WINDOWS)[name]
    at = 0
    for step in BCDEDIT:
        found = re.compile(step, re.IGNORECASE | re.DOTALL).search(text, at)
        assert found, f"{name}: no {step} after {text[:at][-60:]!r}"
        at = found.end()
    assert re.search("/delete", text)
    assert "boot.wim" in text


def test_a_failing_step_of_the_batch_file_goes_to_the_undoing():
    """No bcdedit that changes something is left unjudged."""
    text = windows_scripts(WINDOWS)["netboot-disk.cmd"]
    body = text.partition("\n:install")[2].partition("\n:undo")[0]
    steps = re.findall(r"bcdedit /(?:set|create %|displayorder|bootsequence)[^\n]*", body)

    assert len(steps) >= 11
    assert [step for step in steps if "|| goto undo" not in step] == []
    labels = set(re.findall(r"(?m)^:(\w+)", text))
    assert set(re.findall(r"(?:goto|call :)\s*(\w+)", text.replace("call :", "call :"))) <= labels


def test_a_version_that_the_system_cannot_start_makes_no_package():
    """The Lab PE is no Windows PE."""
    from dataclasses import replace

    with pytest.raises(InvalidInput, match="v7 cannot start from the disk of a Windows machine"):
        make_package(replace(LAB, system=System.WINDOWS))
