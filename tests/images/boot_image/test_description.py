"""Facts: what they answer, and that they survive storage."""

import json
from dataclasses import replace

from netboot.images.architecture import Architecture
from netboot.images.boot_image.description import BootFile, ImageFacts, ImageInWim, MissingBootFile
from netboot.images.boot_image.secrets import SecretFinding

FACTS = ImageFacts(
    size=1000,
    index=2,
    images=(ImageInWim(1, "PE"), ImageInWim(2, "Setup", "x", "WindowsPE")),
    boot_index=2,
    architecture=Architecture.X86,
    compression="XPRESS",
    version="10.0.19041.1",
    languages=("de-DE",),
    boot_files=(BootFile("bootmgfw.efi", "/Windows/Boot/EFI/bootmgfw.efi", 9, "ab" * 20, "2011"),),
    missing=(MissingBootFile("boot.sdi", "all", "media"),),
    loaders=(r"\Windows\System32\boot\winload.exe", r"\Windows\System32\winload.efi"),
    startnet="wpeinit",
    secrets=(SecretFinding("/a.ini", 3, "a password"),),
)


def test_facts_survive_storage_as_json():
    """from_json gives back what to_json wrote, through real JSON text."""
    assert ImageFacts.from_json(json.loads(json.dumps(FACTS.to_json()))) == FACTS


def test_questions_are_answered():
    """Build, boot files and loaders are found by what callers know."""
    assert FACTS.build == 19041
    assert replace(FACTS, version="").build == 0
    assert FACTS.boot_file("bootmgfw.efi") == FACTS.boot_files[0]
    assert FACTS.boot_file("bootmgr.exe") is None
    assert FACTS.loader(".exe") == r"\Windows\System32\boot\winload.exe"
    assert FACTS.loader(".efi") == r"\Windows\System32\winload.efi"
    assert replace(FACTS, loaders=()).loader(".efi") == ""


def test_the_words_say_which_image_of_the_file_it_is():
    """Windows installation media have two; the file of the ADK has one."""
    one = replace(FACTS, images=FACTS.images[:1], index=1)

    assert FACTS.words == "Windows PE 10.0.19041.1 for x86, image 2 of 2, Setup"
    assert one.words == "Windows PE 10.0.19041.1 for x86"
    assert replace(one, version="").words == "Windows PE for x86"
