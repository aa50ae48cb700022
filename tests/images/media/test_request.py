"""What may be asked of media, and what is refused in words."""

import hashlib

import pytest

from netboot.errors import InvalidInput
from netboot.formats.cpio import SIZE_LIMIT
from netboot.images.architecture import Architecture
from netboot.images.media.request import (
    DiskFormat,
    MediaKind,
    MediaOrder,
    check_order,
    file_name,
    hash_password,
    identity,
)
from netboot.images.versions.content_version import ContentVersion, ManifestFile

X64, X86, ARM64 = Architecture.X64, Architecture.X86, Architecture.ARM64
LINUX_FILES = ("vmlinuz", "initrd.gz", "boot.wim")
WINDOWS_FILES = ("bootmgfw.efi", "boot.sdi", "boot.wim")


def version(architecture=X64, *, files=LINUX_FILES, chains=("linux",), size=1000):
    """A version whose files all have one size."""
    manifest = tuple(ManifestFile(name, "sha256:" + f"{at:064x}", size)
                     for at, name in enumerate(files))  # fmt: skip
    return ContentVersion(f"PE {architecture}", 7, architecture, "sha256:0", 0.0, manifest, chains)


def windows(architecture=X64):
    return version(architecture, files=WINDOWS_FILES, chains=("native", "wimboot"))


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"label": ""}, "volume label"),
        ({"label": "lower"}, "volume label"),
        ({"label": "TWELVE-CHARS"}, "volume label"),
        ({"format": DiskFormat.VHDX}, "never vhdx"),
        ({"expires": "31.3.2027"}, "is not a valid date"),
        ({"expires": "2027-02-30"}, "is not a valid date"),
        ({"password_hash": "secret"}, "the start password hash is not in GRUB's format"),
        ({"home": "https://site/"}, "not a valid report address"),
        ({"home": "http://site:80/$(reboot)"}, "not a valid report address"),
        ({"size": 1 << 30}, "cannot be chosen"),
        ({"size": 1000, "kind": MediaKind.DISK}, "is not possible"),
        ({"size": 3 << 40, "kind": MediaKind.DISK}, "is not possible"),
        ({"size": -1, "kind": MediaKind.DISK}, "is not possible"),
    ],
)
def test_wishes_that_cannot_be_are_refused_with_a_word_on_what_can(wishes, words):
    """Before any work, and before anything reaches a script."""
    with pytest.raises(InvalidInput, match=words):
        MediaOrder(**{"kind": MediaKind.ISO, **wishes})


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([], "one version, or two"),
        ([version(), version(X86), version()], "one version, or two"),
        ([version(), version()], "have the same architecture"),
        ([version(), windows(X86)], "the same medium"),
        ([version(chains=())], "the same medium"),
        ([version(files=("boot.wim",))], "does not contain vmlinuz, initrd.gz"),
        ([version(size=SIZE_LIMIT + 1)], "4 GiB"),
        ([version(ARM64)], "ARM64"),
    ],
)
def test_versions_that_cannot_share_or_start_a_medium_are_refused(versions, words):
    """Each with its reason."""
    with pytest.raises(InvalidInput, match=words):
        check_order(MediaOrder(kind=MediaKind.ISO), versions)


def test_the_chain_says_who_starts_the_medium():
    """Our loader for the Lab PE, Microsoft's for Windows PE, one or two processors."""
    order = MediaOrder(kind=MediaKind.USB)

    assert check_order(order, [version(), version(X86)]) == "linux"
    assert check_order(order, [windows()]) == "native"


@pytest.mark.parametrize(
    "wish", [{"password_hash": hash_password("open", b"s" * 32)}, {"home": "http://10.0.0.2:8081"}]
)
def test_what_microsofts_boot_manager_cannot_do_is_not_left_out_in_silence(wish):
    """No password and no report address on media of Windows PE."""
    with pytest.raises(InvalidInput, match=r"Windows Boot Manager|Windows PE"):
        check_order(MediaOrder(kind=MediaKind.ISO, **wish), [windows()])


def test_a_password_is_hashed_as_grub_compares_it():
    """PBKDF2 with SHA-512; the salt and the hash in capital hexadecimal digits."""
    _, kind, digest, rounds, salt, made = hash_password("open sesame", b"\x0f" * 8).split(".")
    expected = hashlib.pbkdf2_hmac("sha512", b"open sesame", b"\x0f" * 8, int(rounds))

    assert (kind, digest, salt) == ("pbkdf2", "sha512", "0F" * 8)
    assert expected.hex().upper() == made


@pytest.mark.parametrize("password", ["", "abc", "größe", "x" * 129])
def test_passwords_that_cannot_be_typed_at_a_start_are_refused(password):
    """GRUB's keyboard is English."""
    with pytest.raises(InvalidInput, match="is not valid"):
        hash_password(password, b"s")


def test_another_wish_or_another_file_makes_another_medium():
    """The identity is what a loader looks for: two media in one machine are never mixed up."""
    plain = MediaOrder(kind=MediaKind.ISO)
    found = {
        identity(plain, [version()]),
        identity(plain, [version(X86)]),
        identity(MediaOrder(kind=MediaKind.USB), [version()]),
        identity(MediaOrder(kind=MediaKind.ISO, expires="2027-01-01"), [version()]),
    }

    assert len(found) == 4
    assert identity(plain, [version()]) == identity(plain, [version()])


def test_an_order_comes_back_from_the_queue_as_it_was():
    """Plain values between."""
    order = MediaOrder(kind=MediaKind.DISK, format=DiskFormat.QCOW2, size=1 << 30)

    assert order == MediaOrder.from_json(order.to_json())


def test_downloads_are_called_by_image_version_and_kind():
    """So that a folder of them can be read."""
    disk = MediaOrder(kind=MediaKind.DISK, format=DiskFormat.VHDX)

    assert file_name(MediaOrder(kind=MediaKind.ISO), "pe", 7) == "pe-v7.iso"
    assert file_name(MediaOrder(kind=MediaKind.USB), "pe", 7) == "pe-v7-usb.img"
    assert file_name(disk, "pe", 7) == "pe-v7-disk.vhdx"
    assert file_name(MediaOrder(kind=MediaKind.DISK), "pe", 7) == "pe-v7-disk.img"
