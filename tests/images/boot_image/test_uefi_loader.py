import pytest

from netboot.images.boot_image.description import BootFile
from netboot.images.boot_image.uefi_loader import LOADER, LOADER_EX, choose, held, lacking, unsigned

BOTH = {"2011": LOADER, "2023": LOADER_EX}


def files(**signers):
    names = {"efi": LOADER, "ex": LOADER_EX, "sdi": "boot.sdi"}
    return [BootFile(names[key], "/x", 1, "0" * 40, signer) for key, signer in signers.items()]


@pytest.mark.parametrize(
    ("boot_files", "found"),
    [
        (files(efi="2011", ex="2023"), BOTH),
        (files(efi="2011"), {"2011": LOADER}),
        (files(efi="2023"), {"2023": LOADER}),
        (files(efi="2023", ex="2023"), {"2023": LOADER_EX}),
        (files(efi="2011", ex="2011"), {"2011": LOADER}),
        (files(efi="", ex=""), BOTH),
        (files(efi="other"), {"2011": LOADER}),
        (files(ex="2023"), {"2023": LOADER_EX}),
        (files(sdi=""), {}),
    ],
)
def test_loaders_are_known_by_their_signatures(boot_files, found):
    """The name decides only where Microsoft signed nothing, as in the Lab PE."""
    assert found == held(boot_files)


def test_names_alone_tell_where_nobody_noted_signatures():
    """Versions that older builds left."""
    assert unsigned(["boot.wim", LOADER, LOADER_EX]) == BOTH


@pytest.mark.parametrize(
    ("machine", "image", "site", "chosen"),
    [
        ("", "", "", LOADER),
        ("", "", "2023", LOADER_EX),
        ("", "2011", "2023", LOADER),
        ("", "2023", "2011", LOADER_EX),
        ("2011", "2023", "2023", LOADER),
        ("2023", "2011", "2011", LOADER_EX),
    ],
)
def test_the_machine_outweighs_the_image_and_the_image_the_site(machine, image, site, chosen):
    """What a firmware trusts is a fact; the rest are wishes."""
    assert chosen == choose(BOTH, machine=machine, image=image, site=site)


def test_a_word_of_machine_or_image_is_kept_or_nothing_is_given():
    """Another loader would be refused by Secure Boot; the site's default is not so strict."""
    only = {"2011": LOADER}

    assert (
        choose(only, machine="2023"),
        choose(only, image="2023"),
        choose(only, site="2023"),
    ) == ("", "", LOADER)
    assert choose({"2023": LOADER_EX}) == LOADER_EX
    assert choose({}) == ""
    assert "contains no UEFI boot loader signed by Windows UEFI CA 2023" in lacking("X v1", "2023")
