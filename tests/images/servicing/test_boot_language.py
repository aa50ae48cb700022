"""The language of the boot managers: which locale the BCD has, and which files belong to it."""

from dataclasses import replace

import pytest

from netboot.images.boot_image.description import BootFile
from netboot.images.boot_image.properties import Properties
from netboot.images.servicing.boot_language import (
    boot_locale,
    language_file,
    language_files,
    locale_name,
    preference,
)
from tests.images.servicing.test_plan import FACTS


def file(name):
    return BootFile(name, f"/Windows/Boot/EFI/{name}", 9, "ab")


GERMAN, ENGLISH, FRENCH = (file(f"{one}/bootmgfw.efi.mui") for one in ("de-DE", "en-US", "fr-FR"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Windows/Boot/EFI/de-DE/bootmgfw.efi.mui", "de-DE/bootmgfw.efi.mui"),
        ("/WINDOWS/BOOT/EFI/EN-US/BOOTMGFW.EFI.MUI", "en-US/bootmgfw.efi.mui"),
        ("/Windows/Boot/EFI/sr-Latn-RS/bootmgfw.efi.mui", "sr-Latn-RS/bootmgfw.efi.mui"),
        ("/Windows/Boot/EFI_EX/de-DE/bootmgfw_EX.efi.mui", "de-DE/bootmgfw_EX.efi.mui"),
        ("/Windows/Boot/PXE/de-DE/bootmgr.exe.mui", "de-DE/bootmgr.exe.mui"),
        ("/Windows/Boot/PCAT/de-DE/bootmgr.exe.mui", "de-DE/bootmgr.exe.mui"),
        ("/Windows/Boot/EFI/de-DE/memtest.efi.mui", ""),
        ("/Windows/Boot/EFI/../bootmgfw.efi.mui", ""),
        ("/Windows/System32/de-DE/bootmgfw.efi.mui", ""),
    ],
)
def test_language_files_have_the_names_that_managers_ask_for(path, expected):
    """The locale as Windows writes it; memory tests and the like have no name."""
    assert expected == language_file(path)


def test_the_file_next_to_the_network_program_is_preferred():
    """bootmgr.exe.mui is in the folders for disks too."""
    assert preference("/Windows/Boot/PXE/de-DE/bootmgr.exe.mui") < preference(
        "/Windows/Boot/PCAT/de-DE/bootmgr.exe.mui"
    )


@pytest.mark.parametrize("text", ["de-DE", "sr-Latn-RS", "es-419", "zh-CN"])
def test_a_locale_is_written_as_windows_does(text):
    assert text == locale_name(text.lower()) == locale_name(text.upper())


@pytest.mark.parametrize(
    ("wanted", "languages", "files", "expected"),
    [
        ("", (), (), "en-US"),
        ("", ("de-DE", "en-US"), (), "de-DE"),
        ("fr-FR", ("de-DE",), (), "fr-FR"),
        ("", ("de-DE", "en-US"), (ENGLISH, GERMAN), "de-DE"),
        ("en-US", ("de-DE",), (ENGLISH, GERMAN), "en-US"),
        ("fr-FR", ("de-DE",), (ENGLISH, GERMAN), "de-DE"),
        ("", (), (GERMAN,), "de-DE"),
        ("", ("de-DE",), (FRENCH,), "fr-FR"),
        ("", ("DE-de",), (), "de-DE"),
        ("", ("../x", "0407"), (), "en-US"),
    ],
)
def test_the_locale_follows_the_image(wanted, languages, files, expected):
    """The administrator's, the image's default, English; one with a file before one without."""
    facts = replace(FACTS, languages=languages, language_files=files)

    assert expected == boot_locale(facts, Properties(locale=wanted))


def test_only_the_files_of_the_locale_are_taken():
    """Windows has some forty languages, and the BCD names one."""
    bios = file("de-DE/bootmgr.exe.mui")
    facts = replace(FACTS, language_files=(ENGLISH, GERMAN, bios))

    assert (GERMAN, bios) == language_files(facts, "de-DE")
