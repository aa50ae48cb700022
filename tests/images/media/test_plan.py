"""Where files lie on media, for each kind of image and medium."""

from dataclasses import replace

import pytest

from netboot.boot.files.names import names_of
from netboot.images.boot_image.uefi_loader import LOADER
from netboot.images.media.plan import (
    BiosStart,
    Carried,
    media_bcd,
    plan_medium,
)
from netboot.images.media.request import MediaKind, MediaOrder
from netboot.images.servicing.boot_layout import CANDIDATES
from netboot.images.versions.content_version import ManifestFile
from tests.images.media.test_request import ARM64, WINDOWS_FILES, X64, X86, version, windows

BIOS_PARTS = {"bootmgr": b"bootmgr", "etfsboot.com": b"etfsboot"}


def plan(kind, *carried):
    return plan_medium(MediaOrder(kind=MediaKind(kind)), carried)


def lab(architecture):
    return Carried(version=version(architecture), arguments="quiet")


def paths(files):
    return {file.path for file in files}


@pytest.mark.parametrize("kind", ["iso", "usb", "disk"])
def test_the_lab_pe_lies_once_on_a_medium_with_a_loader_for_each_firmware(kind):
    """The WIM in its own bytes; loaders are made, not carried."""
    made = plan(kind, lab(X86), lab(X64))

    assert {"sources/boot.wim", "sources/boot-x86.wim"} == set(made.wims)
    assert made.wims["sources/boot.wim"] == version(X64).file("boot.wim").digest
    assert {"x86_64-efi", "i386-efi"} == set(made.grub_efi.values())
    assert {"netboot/grub.cfg", "netboot/x64/wim.head", "netboot/x86/vmlinuz"} <= paths(made.files)
    assert made.firmware_files == ()
    assert BiosStart.GRUB is made.bios


def test_a_medium_for_32_bits_alone_has_no_loader_that_could_not_start_it():
    """UEFI of 64 bits would find a loader and then no kernel for it."""
    assert list(plan("iso", lab(X86)).grub_efi.values()) == ["i386-efi"]
    assert {"x86_64-efi", "i386-efi"} == set(plan("iso", lab(X64)).grub_efi.values())


def test_every_file_has_a_digest_or_bytes():
    """An empty file would be a lie about what the version holds."""
    for made in (plan("iso", lab(X64)), plan("usb", Carried(version=windows(), parts=BIOS_PARTS))):
        assert [file.path for file in made.all_files if not file.digest and not file.data] == []


def test_windows_boot_manager_finds_everything_where_it_was_started_from():
    """On an ISO the FAT image of UEFI holds the WIM too; BIOS gets its own on the disc."""
    made = plan("iso", Carried(version=windows(), parts=BIOS_PARTS))
    uefi = {"EFI/BOOT/BOOTX64.EFI", "EFI/Microsoft/Boot/BCD", "boot/boot.sdi", "sources/boot.wim"}
    bios = {"bootmgr", "boot/BCD", "boot/boot.sdi", "sources/boot.wim", "boot/etfsboot.com"}

    assert uefi <= paths(made.firmware_files)
    assert bios <= paths(made.files)
    assert BiosStart.ETFSBOOT is made.bios
    assert made.grub_efi == {}


# What only a boot by network loads, and what a medium has in a form of its own.
NETWORK_ONLY = {"pxeboot.n12", "pxeboot.com", "abortpxe.com", "bootmgr.exe"}
MADE_FOR_MEDIA = {"BCD-uefi", "BCD-bios"}


@pytest.mark.parametrize("kind", ["iso", "usb", "disk"])
@pytest.mark.parametrize("authority", ["2011", "2023"])
def test_what_a_loader_gets_by_network_is_on_a_medium(kind, authority):
    """Everything that import takes out of a Windows PE, under a name that the loader requests."""
    loaders = {LOADER: "2011", "bootmgfw_EX.efi": "2023"}
    own = {"Fonts/wgl4_boot.ttf", "boot.wim", *MADE_FOR_MEDIA, *CANDIDATES} - {
        "vmlinuz",
        "initrd.gz",
    }
    files = [ManifestFile(name, f"sha256:{n:064}", 10) for n, name in enumerate(sorted(own))]
    whole = replace(
        windows(),
        files=tuple(files),
        uefi_loaders=tuple((year, name) for name, year in loaders.items()),
        authority=authority,
    )
    carried = Carried(version=whole, parts=BIOS_PARTS)
    made = plan(kind, carried)
    held = {file.path.lower(): file.digest for file in made.firmware_files or made.files}

    by_network = names_of(whole, "uefi", carried.uefi_loader)
    unused = {name for name in loaders if name != carried.uefi_loader}
    wanted = own - NETWORK_ONLY - MADE_FOR_MEDIA - unused
    assert {whole.file(name).digest for name in wanted} <= set(held.values())
    store = "efi/microsoft/boot/"
    shared = {path for path in held if path.startswith(store) and path != f"{store}bcd"}
    assert {f"{store}boot.stl", f"{store}fonts/wgl4_boot.ttf"} <= shared
    assert {path: held[path] for path in shared} == {p: by_network[p].digest for p in shared}


def test_the_texts_of_the_boot_manager_are_next_to_it():
    """Under the name that the program has on the medium."""
    text = ManifestFile("de-DE/bootmgfw.efi.mui", "sha256:" + "e" * 64, 10)
    version = replace(windows(), files=(*windows().files, text))

    assert "EFI/BOOT/de-DE/BOOTX64.EFI.mui" in paths(plan("usb", Carried(version=version)).files)


def test_without_microsofts_bios_files_an_iso_starts_uefi_only():
    """And then the WIM lies on it once."""
    made = plan("iso", Carried(version=windows()))

    assert BiosStart.NONE is made.bios
    assert "sources/boot.wim" not in paths(made.files)


def test_a_stick_of_windows_pe_hands_over_to_bootmgr():
    """Its boot sector is GRUB's, since Microsoft's is written by Microsoft's tools only."""
    made = plan("usb", Carried(version=windows(), parts=BIOS_PARTS))

    assert BiosStart.GRUB is made.bios
    assert "ntldr /bootmgr" in made.early
    assert {"bootmgr", "EFI/BOOT/BOOTX64.EFI"} <= paths(made.files)


def test_two_processors_share_one_boot_configuration():
    """The second image stands below the first, with a menu to choose."""
    both = media_bcd([Carried(version=windows(X64)), Carried(version=windows(X86))], is_uefi=True)
    one = media_bcd([Carried(version=windows(X64))], is_uefi=True)

    for path in (r"\sources\boot.wim", r"\sources\boot-x86.wim"):
        assert path.encode("utf-16-le") in both
    assert r"\sources\boot-x86.wim".encode("utf-16-le") not in one
    assert r"winload.efi".encode("utf-16-le") in one


def test_a_date_of_expiry_stands_where_windows_shows_it():
    """Beside the title, in a menu that waits; without one nothing waits."""
    order = MediaOrder(kind=MediaKind.USB, expires="2027-03-31")
    made = plan_medium(order, [Carried(version=windows(), parts=BIOS_PARTS)])
    stores = [file.data for file in made.files if file.path.endswith("BCD")]

    assert len(stores) == 2
    for store in stores:
        assert "PE x64 v7 (use until 2027-03-31)".encode("utf-16-le") in store
    plain = media_bcd([Carried(version=windows())], is_uefi=True)
    assert "use until".encode("utf-16-le") not in plain
    waits = {media_bcd([Carried(version=windows())], is_uefi=True, expires=day) == plain
             for day in ("", "2027-03-31")}  # fmt: skip
    assert {True, False} == waits


def test_arm64_machines_start_from_what_uefi_reads():
    """A USB image of a Windows PE, without anything for BIOS."""
    arm = version(ARM64, files=WINDOWS_FILES, chains=("native",))
    made = plan("usb", Carried(version=arm))

    assert "EFI/BOOT/BOOTAA64.EFI" in paths(made.files)
    assert BiosStart.NONE is made.bios


def test_media_speak_the_language_of_the_image():
    """Its locale in both stores, and the language file next to each boot manager."""
    german = replace(windows(), locale="de-DE")
    words = [
        ManifestFile(f"de-DE/{name}.mui", "sha256:" + digit * 64, 9)
        for name, digit in (("bootmgfw.efi", "a"), ("bootmgfw_EX.efi", "b"), ("bootmgr.exe", "c"))
    ]
    german = replace(german, files=(*german.files, *words))
    made = plan("usb", Carried(version=german, parts=BIOS_PARTS))
    held = {file.path: file.digest[7:8] for file in made.files if file.path.endswith(".mui")}
    assert held == {
        "EFI/BOOT/de-DE/BOOTX64.EFI.mui": "a",
        "boot/de-DE/bootmgr.exe.mui": "c",
    }
    for store in (file.data for file in made.files if file.path.endswith("BCD")):
        assert "de-DE".encode("utf-16-le") in store
        assert "en-US".encode("utf-16-le") not in store

    newer = replace(
        german,
        files=(*german.files, ManifestFile("bootmgfw_EX.efi", "sha256:" + "e" * 64, 9)),
        uefi_loaders=(("2023", "bootmgfw_EX.efi"),),
    )
    made = plan("usb", Carried(version=newer))
    assert [f.digest[7:8] for f in made.files if f.path.endswith("BOOTX64.EFI.mui")] == ["b"]
    plain = media_bcd([Carried(version=windows())], is_uefi=True)
    assert "en-US".encode("utf-16-le") in plain


def test_a_medium_has_the_loader_that_image_and_site_choose():
    """Which makes it another medium."""
    both = replace(
        windows(),
        files=(*windows().files, ManifestFile("bootmgfw_EX.efi", "sha256:" + "e" * 64, 9)),
        uefi_loaders=(("2011", "bootmgfw.efi"), ("2023", "bootmgfw_EX.efi")),
    )
    old, new = (plan("usb", Carried(version=both, site_authority=y)) for y in ("2011", "2023"))
    wanted = plan("usb", Carried(version=replace(both, authority="2011"), site_authority="2023"))

    digests = [
        next(file.digest for file in made.files if file.path == "EFI/BOOT/BOOTX64.EFI")
        for made in (old, new, wanted)
    ]
    first = both.file("bootmgfw.efi").digest
    assert [first, "sha256:" + "e" * 64, first] == digests
    assert old.identity != new.identity
