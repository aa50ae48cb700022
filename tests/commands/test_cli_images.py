"""A realistic Windows PE on the command line, from an ISO to a version that is out of service.

What lies in the image is read back by programs of others: wimlib-imagex, hivexget, regipy.
"""

import json
import os
import subprocess

import pytest
from regipy.registry import RegistryHive

from netboot.images.architecture import Architecture
from netboot.operations.images import images
from netboot.site import Site
from netboot.store.content.blobs import hash_file
from netboot.store.wim.iso import BOOT_WIM
from tests.samples.discs import make_iso
from tests.samples.pictures import jpeg
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.support.seeding import STORAGE, write_driver

NAME = "Windows PE 11"
ANSWERS = b"<unattend><Password><Value>hunter2</Value></Password></unattend>"

pytestmark = pytest.mark.wimlib


@pytest.fixture
def netboot(netboot):
    """`netboot(words…)`: all that it printed; it ended as it should."""

    def run(*words, code=0):
        done = netboot(*words, code=code)
        return done.stdout + done.stderr

    return run


@pytest.fixture
def wim(tmp_path):
    """The boot image of a medium, with an answer file in it."""
    folder = tmp_path / "old"
    folder.mkdir()
    return SyntheticWinPe(files={"/unattend.xml": ANSWERS}).capture(folder)


@pytest.fixture
def imported(netboot, wim, tmp_path):
    """The image, imported from an ISO, with two drivers."""
    iso = make_iso(tmp_path, {BOOT_WIM: wim.read_bytes(), "setup.exe": b"MZ"})
    netboot("image", "import", iso, "--name", NAME)
    for name, kind in (("nb1000", None), ("vioscsi", STORAGE)):
        more = {"kind": kind, "ids": ("PCI\\VEN_1AF4&DEV_1004",)} if kind else {}
        netboot("driver", "import", write_driver(tmp_path / name, name, **more))
    netboot("image", "add-driver", NAME, "nb1000", "vioscsi", "--enable")
    return NAME


def inside(data, path, number=None):
    """A file of the image's newest version, or of another, by wimlib-imagex."""
    site = Site.open(data)
    view = images.get_image(site, NAME)
    version = view.version(number) if number else view.current
    wim = site.blobs.require(version.file("boot.wim").digest)
    site.database.close()
    return subprocess.run(
        ["wimlib-imagex", "extract", wim, "1", path, "--to-stdout"],
        check=True, capture_output=True, env={**os.environ, "WIMLIB_IMAGEX_IGNORE_CASE": "1"},
    ).stdout  # fmt: skip


def test_all_that_was_found_in_a_source_is_told(netboot, imported):
    """Version, edition, boot files with where they lie, hives' witness, the secret's place."""
    text = netboot("image", "show", imported)

    for words in (
        *("media.iso: boot.wim", "Windows PE 10.0.22621.1 WindowsPE", "boot index 1, LZX"),
        *("holds bootmgfw.efi (/Windows/Boot/EFI/bootmgfw.efi", "not signed"),
        *("does     UEFI: yes", "does     Secure Boot 2011: no", "Optional components: WinPE-WMI"),
        *("Fonts/wgl4_boot.ttf", "WinPE-WMI-Package", "/unattend.xml, line 1", "not built yet"),
    ):
        assert words in text, words
    assert "hunter2" not in text
    (row,) = json.loads(netboot("image", "list", "--json"))
    assert "22621" in row["source"]["facts"]["version"]


def test_a_zero_is_a_value(netboot, imported):
    """Every number and text can be set back on the command line, alone."""
    usual = {"menu_seconds": 30, "scratch_space_mb": 512, "keyboard": "00000407"}
    netboot(
        *("image", "set", imported, "--time-limit", 30, "--scratch-space", 512),
        *("--keyboard", "00000407"),
    )
    assert usual == properties_of(netboot, imported)
    for option, value in (
        *(("--time-limit", 0), ("--scratch-space", 0), ("--keyboard", "")),
        *(("--tftp-block-size", 0), ("--tftp-window-size", 0)),
    ):
        netboot("image", "set", imported, option, value)

    assert properties_of(netboot, imported) == {"tftp_block_size": 0, "tftp_window_size": 0}


@pytest.mark.parametrize(
    "words",
    [
        ("image", "set", NAME),
        ("image", "import", "x.wim", "--name", "PE", "--index", 0),
        ("image", "reload", NAME, "x.wim", "--index", 0),
        ("media", "build", NAME, "--version", 0),
        ("media", "package", NAME, "--version", 0),
    ],
)
def test_a_number_that_nothing_has_is_refused(netboot, words):
    """Not taken for "none was named"; nor is a command without any property."""
    assert "Usage:" in netboot(*words, code=2)


def properties_of(netboot, name):
    """The properties of an image that differ from the usual ones."""
    return json.loads(netboot("image", "show", name, "--json"))["properties"]


def test_properties_lie_in_the_image_as_other_programs_read_it(netboot, imported, data, tmp_path):
    """Two hives, the picture, the prestart command with its file, an extra file."""
    picture, tool = tmp_path / "bg.jpg", tmp_path / "ask.cmd"
    picture.write_bytes(jpeg(1024, 768))
    tool.write_bytes(b"@echo ask\r\n")
    netboot(
        *("image", "set", imported, "--scratch-space", 512, "--background", picture),
        *("--prestart", r"%SystemRoot%\Prestart\ask.cmd", "--prestart-file", tool, "--shell"),
        *("--keyboard", "00000407", "--locale", "de-DE", "--time-limit", 30),
        *("--version-label", "22H2, August", "--comment", "for the hall"),
    )
    netboot("image", "add-file", imported, tool, "/Tools/")
    text = netboot("image", "show", imported)
    assert "Scratch space (MB): 512" in text
    assert "Extra files: /Tools/ask.cmd, 11 bytes" in text
    assert "22H2, August" in text
    netboot("image", "build", imported)

    for name, key, value, expected in (
        ("SYSTEM", "\\ControlSet001\\Services\\FBWF", "WinPECacheThreshold", 512),
        ("DEFAULT", "\\Keyboard Layout\\Preload", "1", "00000407"),
        ("DEFAULT", "\\Control Panel\\International", "LocaleName", "de-DE"),
    ):
        hive = tmp_path / name
        hive.write_bytes(inside(data, f"/Windows/System32/config/{name}"))
        assert RegistryHive(hive).get_key(key).get_value(value) == expected
        told = subprocess.run(
            ["hivexget", hive, key.lstrip("\\"), value], check=True, capture_output=True, text=True
        )
        assert str(expected) == told.stdout.strip()
    assert jpeg(1024, 768) == inside(data, "/Windows/System32/winpe.jpg")
    assert inside(data, "/Windows/Prestart/ask.cmd") == b"@echo ask\r\n"
    assert inside(data, "/Tools/ask.cmd") == b"@echo ask\r\n"
    script = inside(data, "/Windows/System32/nb-start.cmd").decode()
    assert script.index("vioscsi.inf") < script.index("nb1000.inf") < script.index("wpeinit")
    assert script.index("wpeinit") < script.index(r"call %SystemRoot%\Prestart\ask.cmd")
    assert "cmd.exe /k" in script
    netboot("image", "set", imported, "--no-background", "--no-shell")
    netboot("image", "remove-file", imported, "/tools/ASK.cmd")
    shown = netboot("image", "show", imported)
    assert "property Background" not in shown
    assert "pending  Background picture: " in shown


def test_secrets_keep_it_from_machines_until_somebody_says_why(netboot, imported):
    """Exit code 2 with the place; then who accepted it stands with the image."""
    netboot("image", "build", imported)
    refused = netboot("points", "update", imported, code=2)
    assert "/unattend.xml, line 1: a password in an answer file" in refused
    assert "accept-secrets" in refused
    netboot("image", "accept-secrets", imported, "--reason", "the account may do nothing")
    assert "Windows PE 11 v1 is served." in netboot("points", "update", imported)
    assert "accepted secrets: the account may do nothing" in netboot("image", "show", imported)


def test_a_newer_source_is_compared_taken_and_can_be_gone_back_from(
    netboot, imported, data, tmp_path
):
    """Report, reload, build, comparison, roll-back; drivers stay through all of it."""
    folder = tmp_path / "new"
    folder.mkdir()
    files = {"/Windows/System32/new.dll": b"new", "/Windows/INF/nb1000.inf": b";\r\n"}
    newer = SyntheticWinPe(build="26100", files=files).capture(folder)
    netboot("image", "accept-secrets", imported, "--reason", "known")
    netboot("image", "build", imported)
    netboot("points", "update", imported)
    report = netboot("image", "reload", imported, newer, "--report")
    for words in (
        *("10.0.22621.1 -> 10.0.26100.1", "+ /Windows/System32/new.dll", "- /unattend.xml"),
        "driver now included in Windows: nb1000",
    ):
        assert words in report, words
    netboot("image", "reload", imported, "--give-up")
    netboot("image", "reload", imported, newer, "--yes")
    netboot("image", "build", imported)
    netboot("points", "update", imported)

    assert inside(data, "/Windows/System32/new.dll") == b"new"
    assert inside(data, "/Windows/BootDrivers/0002-nb1000/nb1000.sys")
    change = json.loads(netboot("image", "compare", imported, 1, 2, "--json"))
    assert ("/Windows/System32/new.dll" in change["inside"]["added"], []) == (
        True,
        change["drivers"],
    )
    assert "source:" in netboot("image", "compare", imported, 1, 2)
    assert "v1" in netboot("points", "rollback", imported, 1)
    assert hash_file(newer).digest in netboot("image", "show", imported)


def test_a_changed_byte_ends_a_version_and_a_build_begins_the_next(netboot, imported, data):
    """Exit code 1 with the file's name; nobody gets it, and the cure is one command."""
    netboot("image", "accept-secrets", imported, "--reason", "known")
    netboot("image", "build", imported)
    netboot("points", "update", imported)
    site = Site.open(data)
    blob = site.blobs.path(images.get_image(site, NAME).current.file("boot.wim").digest)
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"!")

    assert "altered: boot.wim" in netboot("points", "verify", imported, code=1)
    assert "OUT OF SERVICE: boot.wim was altered" in netboot("image", "show", imported)
    assert None is images.get_image(site, NAME).served_version
    site.database.close()
    assert "out of service" in netboot("points", "update", imported, code=2)
    assert "Built Windows PE 11 v2" in netboot("image", "build", imported)
    netboot("points", "update", imported)
    assert "CURRENT" in netboot("points", "verify", imported)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("set",), "at least one property"),
        (("set", "--scratch-space", "77"), "77"),
        (("set", "--keyboard", "german"), "keyboard layout"),
        (("set", "--background", "/nowhere.jpg"), "cannot be read"),
        (("add-file", "/nowhere", "/a"), "cannot be read"),
        (("remove-file", "/nowhere"), "no extra file"),
        (("reload", "/nowhere.wim"), "there is no file"),
        (("reload",), "no newer source"),
        (("compare", "1", "2"), "no version 1"),
        (("accept-secrets", "--reason", ""), "give a reason"),
    ],
)
def test_what_cannot_be_is_told_in_words(netboot, imported, words, reason):
    """Exit code 2, and no traceback."""
    assert reason in netboot("image", words[0], imported, *words[1:], code=2)


@pytest.mark.parametrize("architecture", [Architecture.X64, Architecture.X86])
def test_the_lab_images_take_all_of_it_too(netboot, data, lab, architecture, tmp_path):
    """Import, drivers, properties, build, update, comparison, reading back, roll-back."""
    tool = tmp_path / "tool.cmd"
    tool.write_bytes(b"@echo tool\r\n")
    netboot("image", "import", lab.wim[architecture], "--name", NAME)
    netboot("image", "build", NAME)
    netboot("points", "update", NAME)
    netboot("driver", "import", lab.driver_folder("e1000", architecture))
    netboot("image", "add-driver", NAME, "e1000", "--enable")
    netboot("image", "set", NAME, "--scratch-space", 64, "--prestart-file", tool)
    netboot("image", "build", NAME)
    netboot("points", "update", NAME)

    hive = tmp_path / "SYSTEM"
    hive.write_bytes(inside(data, "/Windows/System32/config/SYSTEM"))
    key = RegistryHive(hive).get_key("\\ControlSet001\\Services\\FBWF")
    assert key.get_value("WinPECacheThreshold") == 64
    assert inside(data, "/Windows/Prestart/tool.cmd") == b"@echo tool\r\n"
    text = netboot("image", "compare", NAME, 1, 2)
    assert "driver: e1000: nothing ->" in text
    assert "property: Scratch space (MB): nothing -> 64" in text
    assert "CURRENT" in netboot("points", "verify", NAME)
    assert "v1" in netboot("points", "rollback", NAME, 1)


def test_an_image_is_renamed_and_what_refers_to_it_follows(netboot, imported):
    """Its deployment, its default; the name that is taken and the old one are told apart."""
    netboot("deployment", "set", "52:54:00:00:00:01", imported)
    text = netboot("image", "rename", imported, "Windows PE, autumn")
    assert "is now called Windows PE, autumn" in text
    assert "Windows PE, autumn" in netboot("deployment", "list")
    (row,) = json.loads(netboot("image", "list", "--json"))
    assert (
        row["name"],
        row["slug"],
        row["default"],
    ) == ("Windows PE, autumn", "windows-pe-autumn", True)
    refused = netboot("image", "rename", imported, " ", code=2)
    assert "The name of a boot image must be printable text" in refused


def test_the_loader_of_2023_is_refused_where_the_image_has_none(netboot, imported):
    """With the reason; the one that it has is taken."""
    refused = netboot("image", "set", imported, "--uefi-authority", "2023", code=2)
    assert "Windows UEFI CA 2023. Available: 2011" in refused
    assert "UEFI loader of 2023 (Windows UEFI CA 2023): none" in netboot("image", "show", imported)
    netboot("image", "set", imported, "--uefi-authority", "2011")
    assert "Authority of the UEFI boot loader: 2011" in netboot("image", "show", imported)


def test_damaged_bytes_are_listed_and_deleted(netboot, data):
    """One by its digest; all of them only when that is said."""
    site = Site.open(data)
    digest = site.blobs.add_bytes(b"damaged").digest
    site.blobs.set_aside(digest)
    assert digest in netboot("site", "altered")
    netboot("site", "delete-altered", code=2)
    assert "1 files were deleted, 7 bytes." in netboot("site", "delete-altered", digest)
    assert json.loads(netboot("site", "altered", "--json")) == []
    site.database.close()
