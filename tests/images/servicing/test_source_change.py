"""Reloading from a newer source: what the report says before anything is built."""

from dataclasses import replace

from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim, with_driver
from netboot.images.boot_image.description import BootFile, ImageFacts, ImageInWim
from netboot.images.boot_image.properties import Properties
from netboot.images.boot_image.secrets import SecretFinding
from netboot.images.servicing.source_change import (
    SHOWN_FILES,
    FileChanges,
    compare_sources,
    with_source,
)
from tests.samples.drivers import make_driver

OLD = ImageFacts(
    size=1000,
    index=1,
    images=(ImageInWim(1, "PE"),),
    boot_index=1,
    architecture=Architecture.X64,
    compression="LZX",
    version="10.0.19041.1",
    languages=("en-US",),
    startnet="wpeinit",
    hives=("SYSTEM",),
    inbox_infs=("/Windows/INF/usbstor.inf", "/Windows/INF/old.inf"),
    packages=("WinPE-WMI-Package", "WinPE-Legacy-Package"),
    boot_files=(
        BootFile("bootmgfw.efi", "/a", 1, "aa", "2011"),
        BootFile("abortpxe.com", "/c", 1, "cc"),
    ),
    chains=("native", "wimboot"),
    secrets=(SecretFinding("/old.ini", 1, "a password in a setting"),),
)
NEW = replace(
    OLD,
    size=1500,
    index=2,
    version="10.0.26100.1",
    inbox_infs=("/Windows/INF/usbstor.inf", "/Windows/INF/NetKvm.inf"),
    packages=("WinPE-WMI-Package", "WinPE-NetFx-Package"),
    boot_files=(
        BootFile("bootmgfw.efi", "/a", 1, "ab", "2023"),
        BootFile("boot.stl", "/b", 1, "bb"),
    ),
    secrets=(*OLD.secrets, SecretFinding("/unattend.xml", 4, "a password in an answer file")),
)
SOURCE = SourceWim("sha256:" + "a" * 64, 1000, 1)
IMAGE = with_driver(BootImage("PE", "pe", Architecture.X64, SOURCE), make_driver("netkvm"))


def test_versions_packages_and_secrets_are_compared():
    """What came, what went, and what is newly in the clear."""
    report = compare_sources(IMAGE, old=OLD, new=NEW)

    assert (report.old_version, report.new_version) == ("10.0.19041.1", "10.0.26100.1")
    assert report.size_change == 500
    assert report.packages_added == ("WinPE-NetFx-Package",)
    assert report.packages_removed == ("WinPE-Legacy-Package",)
    assert report.new_secrets == ("/unattend.xml, line 4: a password in an answer file",)
    assert report.conflicts == ()


def test_boot_files_are_compared():
    """By name and content, with the change of signer said in words."""
    report = compare_sources(IMAGE, old=OLD, new=NEW)

    expected = FileChanges(("boot.stl",), ("abortpxe.com",), ("bootmgfw.efi",), 1, 1, 1)
    assert report.boot_files == expected
    assert report.remarks == ("bootmgfw.efi was signed by 2011 and is now signed by 2023.",)


def test_drivers_that_windows_now_brings_are_named():
    """The recipe's netkvm.inf is inbox in the new source; the reverse is told as well."""
    assert compare_sources(IMAGE, old=OLD, new=NEW).now_inbox == ("netkvm 1.2.3.4",)
    assert compare_sources(IMAGE, old=NEW, new=OLD).no_longer_inbox == ("netkvm 1.2.3.4",)


def test_listings_are_compared_without_case():
    """Added, removed and changed files; a name in other letters is the same file."""
    old = {"/Windows/A.dll": "1", "/Windows/B.dll": "2", "/gone": "3"}
    new = {"/WINDOWS/a.dll": "1", "/Windows/B.dll": "9", "/came": "4"}

    report = compare_sources(IMAGE, old=OLD, new=NEW, old_files=old, new_files=new)

    assert FileChanges(("/came",), ("/gone",), ("/Windows/B.dll",), 1, 1, 1) == report.files


def test_long_lists_are_cut_but_counted():
    """A page shows some, the count tells of all."""
    new = {f"/f{number}": "1" for number in range(1000)}

    files = compare_sources(IMAGE, old=OLD, new=NEW, old_files={}, new_files=new).files

    assert (len(files.added), files.added_count) == (SHOWN_FILES, 1000)


def test_what_the_new_source_cannot_take_is_a_conflict():
    """The same sentence that a build would stop with."""
    wanting = replace(IMAGE, properties=Properties(scratch_space_mb=512))

    (no_hive,) = compare_sources(wanting, old=OLD, new=replace(NEW, hives=())).conflicts
    x86 = replace(NEW, architecture=Architecture.X86)
    (other,) = compare_sources(IMAGE, old=OLD, new=x86).conflicts

    assert "no SYSTEM hive" in no_hive
    assert "is x86, not x64" in other


def test_doubtful_changes_are_remarked():
    """Older build, other languages, lost chains and a start-up of its own."""
    odd = replace(
        OLD,
        version="10.0.17763.1",
        languages=(),
        chains=(),
        winpeshl="[LaunchApps]\r\nx.exe\r\n",
        findings=("The DEFAULT hive is missing.",),
    )

    remarks = compare_sources(IMAGE, old=OLD, new=odd).remarks

    assert len(remarks) == 6
    assert "older: build 17763" in remarks[0]
    assert "from en-US to none" in remarks[1]
    assert "boot method native" in remarks[2]
    assert "starts its own programs" in remarks[4]
    assert "does not" in compare_sources(IMAGE, old=odd, new=OLD).remarks[1]


def test_only_the_source_changes():
    """Drivers and properties stay; the digest of the recipe follows the source."""
    source = SourceWim("sha256:" + "b" * 64, 1500, 2)

    assert with_source(IMAGE, source) == replace(IMAGE, source=source)
