"""What the codes on a screen mean."""

import pytest

from netboot.boot.told.error_codes import CODES, PXE_CODES, WINDOWS_CODES, look_up


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("PXE-E55", "PXE-E55"),
        ("pxe e55: proxyDHCP service did not reply", "PXE-E55"),
        ("e3b", "PXE-E3B"),
        ("PXE-M0F: Exiting", "PXE-M0F"),
        ("Status: 0xC000000F", "0xc000000f"),
        ("c0000225", "0xc0000225"),
    ],
)
def test_a_code_is_found_as_people_type_it(typed, code):
    """With or without its prefix, in either case, with what stands beside it."""
    assert code == look_up(typed).code


@pytest.mark.parametrize("typed", ["", "hello", "PXE-E00", "0xc0ffee00", "55"])
def test_what_is_no_code_is_not_found(typed):
    """Nothing is guessed."""
    assert look_up(typed) is None


def test_every_code_has_cause_and_cure_in_sentences():
    """Each is listed once, and nothing is empty."""
    assert len(CODES) == len(PXE_CODES) + len(WINDOWS_CODES)
    for code in CODES.values():
        assert code.meaning
        assert code.causes
        assert code.cures
        for text in (*code.causes, *code.cures):
            assert text[0] == text[0].upper()
            assert text.endswith(".")
            assert not text.endswith("..")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("0xc000000d", ("BCD", "option 252", "Windows 8", "refused")),
        ("0xc000000f", ("File: \\Windows", "winload.efi", "boot.sdi or boot.wim was refused")),
        ("0xc000007b", ("no program", "winload", "not the blue screen 0x7B")),
        ("0xc0000221", ("checksum", "in the image")),
        ("0xc0000359", ("another architecture", "Unsupported")),
        ("0xc0000001", ("broke off", "This site was stopped")),
    ],
)
def test_a_code_of_the_boot_manager_is_explained_as_it_was_seen(code, words):
    """Microsoft's own lists give some of them another meaning at another time."""
    found = look_up(code)
    text = " ".join((found.meaning, *found.causes))

    assert [word for word in words if word not in text] == []
