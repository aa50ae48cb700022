"""Media of a site: made, listed, copied, deleted, for the Lab PE and for Windows PE."""

import hashlib
import re
import subprocess

import pytest
from regipy.registry import RegistryHive

from netboot.errors import AlreadyExists, InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.images.media.request import DiskFormat, MediaKind, MediaOrder
from netboot.operations.images import images
from netboot.operations.media import media
from netboot.operations.points import cleanup as housekeeping
from netboot.pe_reports import ReportTokens
from netboot.store.content.blobs import hash_file
from netboot.store.media.fat_image import PARTITION_AT, FatImage
from netboot.store.media.tools import Tools
from tests.support.media_versions import BOOTMGR, ETFSBOOT, add_lab_version, add_windows_pe

NAME = "Lab PE x64"
WINPE = "Windows PE x64"
HOME = "http://10.0.0.2:8081"
USB = MediaOrder(kind=MediaKind.USB, home=HOME)
ISO = MediaOrder(kind=MediaKind.ISO)


@pytest.fixture
def lab_site(site):
    """A site with a version for each processor, and none published."""
    add_lab_version(site)
    add_lab_version(site, Architecture.X86)
    return site


def taken(site, view, path, tmp_path):
    """A file of a stick or a disk, by mtools."""
    target = tmp_path / "taken"
    target.unlink(missing_ok=True)
    _, medium = media.medium_path(site, view.id)
    FatImage(Tools(0), medium, offset=PARTITION_AT).take(path, target)
    return target.read_bytes()


def test_a_medium_tells_what_it_carries(lab_site):
    """Versions with the digests of their WIMs: those of the network."""
    view = media.build_media(lab_site, USB, [(NAME, 1), ("Lab PE x86", 0)])
    wim = media.find_version(lab_site, NAME, 1).file("boot.wim")

    assert [each.label for each in view.carried] == ["Lab PE x64 v1", "Lab PE x86 v1"]
    assert wim.digest == view.carried[0].wim
    assert (view.file_name, view.home, view.has_password) == ("lab-pe-x64-v1-usb.img", HOME, False)
    assert view.digest == hash_file(media.medium_path(lab_site, view.id)[1]).digest


def test_the_started_image_reports_with_a_token_of_its_version_and_way(lab_site, tmp_path):
    """It names no machine, and does not grow old."""
    view = media.build_media(lab_site, USB, [(NAME, 1)])
    text = taken(lab_site, view, "netboot/grub.cfg", tmp_path).decode()
    token = text.partition(f"{HOME}/report/")[2].split()[0]

    assert ReportTokens(lab_site.secret).read_lasting(token) == ("lab-pe-x64", 1, "usb")


def test_the_same_wishes_make_nothing_new(lab_site):
    """Another wish does; so does the same one after the first was deleted."""
    first = media.build_media(lab_site, USB, [(NAME, 1)])

    assert first == media.build_media(lab_site, USB, [(NAME, 1)])
    other = MediaOrder(kind=MediaKind.USB, home=HOME, expires="2027-01-01")
    assert first.id != media.build_media(lab_site, other, [(NAME, 1)]).id
    media.delete_medium(lab_site, first.id)
    again = media.build_media(lab_site, USB, [(NAME, 1)])
    assert (first.digest, True) == (again.digest, again.id != first.id)


def test_media_are_listed_by_image_and_version(lab_site):
    add_lab_version(lab_site, number=2)
    made = [
        media.build_media(lab_site, USB, [(NAME, 1)]),
        media.build_media(lab_site, USB, [(NAME, 2)]),
        media.build_media(lab_site, USB, [("Lab PE x86", 1)]),
    ]
    ids = [view.id for view in made]

    assert ids[::-1] == [view.id for view in media.list_media(lab_site)]
    assert [ids[1], ids[0]] == [view.id for view in media.list_media(lab_site, NAME)]
    assert [ids[0]] == [view.id for view in media.list_media(lab_site, NAME, 1)]


def test_media_go_with_their_image_and_their_room_comes_back(lab_site):
    """And while the image is there, no clean-up takes their bytes."""
    view = media.build_media(lab_site, USB, [(NAME, 1)])
    housekeeping.collect_garbage(lab_site, 4e9)
    assert lab_site.blobs.holds(view.digest)

    images.delete_image(lab_site, NAME)

    assert media.list_media(lab_site) == []
    housekeeping.collect_garbage(lab_site, 4e9)
    assert not lab_site.blobs.holds(view.digest)


def test_a_copy_never_overwrites(lab_site, tmp_path):
    """Into a folder it gets the medium's name."""
    view = media.build_media(lab_site, USB, [(NAME, 1)])
    media.save_medium(lab_site, view.id, tmp_path)

    assert view.digest == hash_file(tmp_path / view.file_name).digest
    with pytest.raises(AlreadyExists):
        media.save_medium(lab_site, view.id, tmp_path)
    with pytest.raises(InvalidInput, match="cannot be written"):
        media.save_medium(lab_site, view.id, tmp_path / "no" / "folder")


@pytest.mark.parametrize("number", [9, -1])
def test_a_version_that_is_not_there_is_answered_with_those_that_are(lab_site, number):
    """Nothing is made."""
    with pytest.raises(NotFound) as caught:
        media.build_media(lab_site, ISO, [(NAME, number)])

    assert caught.value.hint == "Versions: 1."
    assert media.list_media(lab_site) == []


def test_media_that_are_gone_are_told_of(lab_site):
    """By their number."""
    with pytest.raises(NotFound, match="no medium 7"):
        media.get_medium(lab_site, 7)
    with pytest.raises(NotFound, match="no medium 7"):
        media.delete_medium(lab_site, 7)


def test_the_sites_own_address_can_be_meant(lab_site):
    """Where it has one."""
    with pytest.raises(InvalidInput, match="no fixed address"):
        media.home_of(lab_site, "site")
    (lab_site.data / "netboot.toml").write_text('address = "10.0.0.2"\n')
    vars(lab_site).pop("settings", None)

    assert media.home_of(lab_site, "site") == HOME
    assert media.home_of(lab_site, f"{HOME}/") == HOME


@pytest.mark.wimlib
def test_windows_pe_starts_by_its_own_loaders_out_of_its_wim(site, tmp_path):
    """A disc with Microsoft's start code for BIOS and its boot manager for UEFI."""
    add_windows_pe(site, tmp_path)
    view = media.build_media(site, ISO, [("Windows PE x64", 0)])
    path = media.medium_path(site, view.id)[1]
    told = subprocess.run(
        ["xorriso", "-indev", path, "-report_el_torito", "plain"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert view.firmware == ("bios", "uefi-x64")
    assert "/boot/etfsboot.com" in told
    assert "/boot/efi.img" in told
    for name, data in (("bootmgr", BOOTMGR), ("boot/etfsboot.com", ETFSBOOT)):
        found = subprocess.run(["7z", "x", "-so", path, name], capture_output=True, check=True)
        assert data == found.stdout


@pytest.mark.wimlib
def test_a_disc_of_windows_pe_is_laid_out_as_its_loaders_look_for_it(site, tmp_path):
    """For BIOS eight sectors of etfsboot.com; for UEFI a FAT image that holds everything."""
    version = add_windows_pe(site, tmp_path)
    view = media.build_media(site, MediaOrder(kind=MediaKind.ISO, label="WINPE"), [(WINPE, 0)])
    path = media.medium_path(site, view.id)[1]
    told = subprocess.run(
        ["xorriso", "-indev", path, "-report_el_torito", "plain", "-report_system_area", "plain"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "efi.img").write_bytes(unpacked(path, "boot/efi.img"))

    assert re.search(r"El Torito boot img :\s+1\s+BIOS\s+y\s+none\s+0x0000\s+0x00\s+8\b", told)
    assert re.search(r"El Torito boot img :\s+2\s+UEFI\s+y\s+none", told)
    assert "boot info table" not in told.lower()
    assert "GPT partition path :   2  /boot/efi.img" in told
    assert "GPT type GUID      :   2  28732ac11ff8d211ba4b00a0c93ec93b" in told
    assert {"bootmgr", "boot/BCD", "boot/boot.sdi", "boot/etfsboot.com", "sources/boot.wim"} <= (
        listed(path)
    )
    inside = listed(tmp_path / "efi.img")
    assert {
        "EFI/BOOT/BOOTX64.EFI", "EFI/Microsoft/Boot/BCD", "boot/boot.sdi", "sources/boot.wim",
    } <= inside  # fmt: skip
    for name, file in (
        ("EFI/BOOT/BOOTX64.EFI", "bootmgfw.efi"),
        ("boot/boot.sdi", "boot.sdi"),
        ("sources/boot.wim", "boot.wim"),
    ):
        found = hashlib.sha256(unpacked(tmp_path / "efi.img", name)).hexdigest()
        assert version.file(file).digest == f"sha256:{found}", name
    for store, where, loader in (
        ("EFI/Microsoft/Boot/BCD", tmp_path / "efi.img", "winload.efi"),
        ("boot/BCD", path, "winload.exe"),
    ):
        data = unpacked(where, store)
        assert loader.encode("utf-16-le") in data
        assert r"\sources\boot.wim".encode("utf-16-le") in data


def unpacked(path, name):
    """A file of a disc or a FAT image, by 7-Zip, which made neither."""
    done = subprocess.run(["7z", "x", "-so", path, name], capture_output=True, check=True)
    return done.stdout


def listed(path):
    done = subprocess.run(
        ["7z", "l", "-slt", "-ba", path], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^Path = (.*)$", done.stdout, re.MULTILINE))


@pytest.mark.wimlib
def test_its_boot_configuration_for_media_is_read_by_others(site, tmp_path):
    """hivexsh and regipy see one loader, its RAM disk out of sources, and nothing of TFTP."""
    version = add_windows_pe(site, tmp_path)
    view = media.build_media(site, MediaOrder(kind=MediaKind.USB), [("Windows PE x64", 0)])
    for path, loader in (
        ("EFI/Microsoft/Boot/BCD", "winload.efi"),
        ("boot/BCD", "winload.exe"),
    ):
        store = tmp_path / "BCD"
        store.write_bytes(taken(site, view, path, tmp_path))
        listed = subprocess.run(
            ["hivexsh", "-w", store], input="cd Objects\nls\n", capture_output=True, text=True
        )
        assert len(listed.stdout.split()) == 3
        loaders = [
            key.get_subkey("Elements").get_subkey("12000002").get_value("Element")
            for key in RegistryHive(str(store)).get_key("\\Objects").iter_subkeys()
            if "12000002" in [each.name for each in key.get_subkey("Elements").iter_subkeys()]
        ]
        assert [loader] == [each.rpartition("\\")[2] for each in loaders]
        assert r"\sources\boot.wim".encode("utf-16-le") in store.read_bytes()
        assert b"3600000a" not in store.read_bytes()
    wim = version.file("boot.wim")
    assert wim.digest == view.carried[0].wim
    (tmp_path / "boot.wim").write_bytes(taken(site, view, "sources/boot.wim", tmp_path))
    assert wim.digest == hash_file(tmp_path / "boot.wim").digest


@pytest.mark.wimlib
def test_a_windows_pe_without_bios_files_makes_media_for_uefi(site, tmp_path):
    """It is said on the medium's line which machines it starts."""
    add_windows_pe(site, tmp_path, for_bios=False)
    disk = MediaOrder(kind=MediaKind.DISK, format=DiskFormat.QCOW2)

    assert media.build_media(site, ISO, [("Windows PE x64", 0)]).firmware == ("uefi-x64",)
    assert media.build_media(site, disk, [("Windows PE x64", 0)]).firmware == ("uefi-x64",)
