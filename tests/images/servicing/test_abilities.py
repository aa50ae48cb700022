"""What a boot image will do on machines."""

from dataclasses import replace

import pytest

from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim
from netboot.images.boot_image.description import BootFile, ImageFacts, ImageInWim
from netboot.images.boot_image.properties import ExtraFile, Properties
from netboot.images.servicing.abilities import abilities
from netboot.images.servicing.shortfalls import shortfalls
from tests.samples.drivers import make_driver

X64 = Architecture.X64


def boot_file(name, signer=""):
    return BootFile(name, f"/{name}", 9, "ab" * 20, signer)


BOTH = (
    boot_file("bootmgfw.efi", "2011"),
    boot_file("bootmgfw_EX.efi", "2023"),
    *(boot_file(name) for name in ("pxeboot.n12", "bootmgr.exe", "boot.sdi")),
)
FACTS = ImageFacts(
    size=1000,
    index=1,
    images=(ImageInWim(1, "PE"),),
    boot_index=1,
    architecture=X64,
    compression="LZX",
    version="10.0.26100.1",
    boot_files=BOTH,
    packages=("WinPE-NetFx-Package", "WinPE-PowerShell-Package"),
    programs=("cmd.exe", "curl.exe", "drvload.exe", "wpeinit.exe"),
    services=("disk",),
)
NIC = make_driver("e1d")
REPORTS = "http://192.0.2.1:8081"


def told(facts, *drivers, **properties):
    """What is said of an image of these facts: whether it can, and the words, by name."""
    wanted = Properties(**properties)
    source = SourceWim("sha256:" + "a" * 64, 1000, 1)
    image = BootImage("PE", "pe", facts.architecture, source, drivers, wanted)
    found = abilities(facts, wanted, drivers, shortfalls(facts, image))
    return {one.name: (one.can, one.text) for one in found}


def can(facts, name, *drivers, **properties):
    return told(facts, *drivers, **properties)[name][0]


def holding(*names):
    return replace(FACTS, boot_files=tuple(one for one in BOTH if one.name in names))


def test_a_whole_image_does_everything():
    said = told(FACTS, NIC, report_home=REPORTS)

    assert all(able for able, _ in said.values())
    assert (
        "loads 1 added driver, 0 network and storage drivers of Windows inside"
        in (said["Drivers"][1])
    )
    assert said["Optional components"][1] == "WinPE-NetFx, WinPE-PowerShell"


@pytest.mark.parametrize(
    ("names", "bios", "uefi"),
    [
        (("bootmgfw.efi", "boot.sdi"), False, True),
        (("pxeboot.n12", "bootmgr.exe", "boot.sdi"), True, False),
        (("bootmgr.exe", "boot.sdi"), None, False),
        (("bootmgfw.efi", "pxeboot.n12", "bootmgr.exe"), False, False),
    ],
)
def test_firmware_that_starts_it_follows_its_boot_files(names, bios, uefi):
    """A BIOS without pxeboot.n12 needs a wimboot, which is not in the image."""
    facts = holding(*names)

    assert (can(facts, "BIOS"), can(facts, "UEFI")) == (bios, uefi)


def test_a_boot_sdi_of_the_recipe_counts():
    facts = holding("bootmgfw.efi")

    assert can(facts, "UEFI") is False
    assert can(facts, "UEFI", boot_sdi="sha256:" + "b" * 64) is True


def test_no_bios_starts_arm64():
    facts = replace(FACTS, architecture=Architecture.ARM64)

    assert told(facts)["BIOS"] == (False, "no: ARM64 machines have no BIOS")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((boot_file("bootmgfw.efi", "2011"),), (True, False)),
        ((boot_file("bootmgfw.efi", "2023"),), (False, True)),
        ((boot_file("bootmgfw.efi"),), (False, False)),
        ((boot_file("bootmgfw.efi"), boot_file("bootmgfw_EX.efi", "2023")), (False, True)),
        ((boot_file("bootmgfw.efi", "other"),), (False, False)),
        (BOTH, (True, True)),
    ],
)
def test_secure_boot_follows_the_signature_not_the_name(files, expected):
    facts = replace(FACTS, boot_files=(*files, boot_file("boot.sdi")))

    assert expected == (can(facts, "Secure Boot 2011"), can(facts, "Secure Boot 2023"))


def test_a_signed_boot_manager_alone_is_not_enough():
    said = told(holding("bootmgfw.efi", "bootmgfw_EX.efi"))

    assert said["Secure Boot 2023"] == said["UEFI"] == (False, "no: it lacks boot.sdi")


def test_it_reports_if_it_has_curl_and_an_address():
    """Each reason why not is said."""
    without = replace(FACTS, programs=("cmd.exe", "drvload.exe", "wpeinit.exe"))
    curl = ExtraFile("/Windows/System32/curl.exe", "sha256:" + "c" * 64, 9)
    name = "Report to this site"

    assert can(without, name, report_home=REPORTS, extra_files=(curl,)) is True
    assert told(without, report_home=REPORTS)[name] == (False, "no: it has no curl.exe")
    assert "reports are off. It has curl.exe" in told(FACTS)[name][1]
    assert "reports are off, and it has no curl.exe" in told(without)[name][1]
    assert can(replace(FACTS, programs=None), name) is None


def test_drivers_that_cannot_be_loaded_or_do_nothing_are_counted():
    facts = replace(FACTS, programs=("cmd.exe", "curl.exe", "wpeinit.exe"))
    elsewhere = make_driver("far", minimum_build=30_000)

    assert told(facts, NIC)["Drivers"] == (
        False,
        "cannot load its 1 added driver: no drvload.exe",
    )
    assert "1 of the added drivers will have no effect" in told(FACTS, NIC, elsewhere)["Drivers"][1]
