import struct

import pytest

from netboot.boot.files.names import ContentRef, Refusal
from netboot.daemons.boot_http import BootPages
from netboot.errors import DigestMismatch, InvalidInput, NotFound
from netboot.operations.images import boot_chain, images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.store.content.blobs import hash_file
from tests.samples.synthetic_winpe import SyntheticWinPe, pe_file

ADDRESS = "10.77.0.2"


def wimboot_file(folder, *, body=b"wimboot v0 stand-in ", magic=b"HdrS"):
    """A file with the two heads that wimboot has: a Linux kernel's and a UEFI program's."""
    data = bytearray(pe_file("x64", body * 60))
    struct.pack_into("4s", data, 0x202, magic)
    path = folder / "wimboot"
    path.write_bytes(data)
    return path


@pytest.fixture
def windows_pe(site, tmp_path):
    """An imported Windows PE without Windows."""
    folder = tmp_path / "pe"
    folder.mkdir()
    images.import_image(site, SyntheticWinPe().capture(folder), name="PE")
    return "PE"


def build_and_serve(site, image):
    made = versions.build_version(site, image).version
    points.update_distribution_points(site, image)
    return made


@pytest.mark.wimlib
def test_the_preference_is_in_the_version_that_is_built_next(site, windows_pe):
    """What is served changes by an update of the points only; `""` gives the choice back."""
    before = build_and_serve(site, windows_pe)
    view = boot_chain.prefer_chain(site, windows_pe, chains={"bios": "wimboot"})
    assert view.needs_build
    assert site.point.load().current["PE"].chains_for("bios")[0] == "native"

    after = build_and_serve(site, windows_pe)
    served = site.point.load().current["PE"]
    assert (served.chains_for("bios")[0], served.chains_for("uefi")[0]) == ("wimboot", "native")
    assert after.number == 2

    boot_chain.prefer_chain(site, windows_pe, chains={"bios": ""})
    assert before.chains_for("bios") == build_and_serve(site, windows_pe).chains_for("bios")


@pytest.mark.wimlib
@pytest.mark.parametrize(
    ("firmware", "chain", "words"),
    [
        (
            "bios",
            "native",
            "BIOS machines cannot start this image by native: it does not contain pxeboot",
        ),
        (
            "uefi",
            "linux",
            "UEFI machines cannot start this image by linux: it does not contain vmlinuz",
        ),
        ("uefi", "telepathy", "'telepathy' is not a boot method"),
    ],
)
def test_a_chain_that_the_image_does_not_offer_is_refused(site, tmp_path, firmware, chain, words):
    """The missing file is named, and where to get it; nothing is changed."""
    wim = SyntheticWinPe(files={"/Windows/Boot/PXE/pxeboot.n12": None}).capture(tmp_path)
    images.import_image(site, wim, name="PE")

    with pytest.raises(InvalidInput, match=words) as caught:
        boot_chain.prefer_chain(site, "PE", chains={firmware: chain})

    assert caught.value.hint
    assert ("Windows\\Boot\\PXE" in caught.value.hint) is (firmware == "bios")
    assert images.get_image(site, "PE").row_version - 1 == 0


@pytest.mark.wimlib
@pytest.mark.parametrize("firmware_of_pe", ["bios and uefi", "bios"])
def test_wimboot_starts_a_bios_without_pxeboot(site, tmp_path, firmware_of_pe):
    """What it starts is bootmgr.exe, with a boot configuration of its own."""
    absent = ["/Windows/Boot/PXE/pxeboot.n12"]
    if firmware_of_pe == "bios":
        absent.append("/Windows/Boot/EFI/bootmgfw.efi")
    wim = SyntheticWinPe(files=dict.fromkeys(absent)).capture(tmp_path)
    images.import_image(site, wim, name="PE")
    boot_chain.prefer_chain(site, "PE", chains={"bios": "wimboot"})
    boot_chain.import_wimboot(site, wimboot_file(tmp_path))
    build_and_serve(site, "PE")

    pages = BootPages(site, address=ADDRESS)
    script = pages.script({"mac": "52:54:00:00:00:01", "platform": "pcbios", "cpu": "x64"}, "").text
    assert "kernel http://10.77.0.2:8081/p/wimboot" in script
    for name in ("bootmgr.exe", "BCD", "boot.sdi", "boot.wim"):
        assert f"initrd -n {name} " in script
    assert "/BCD-bios BCD" in script


def test_an_imported_wimboot_is_served_at_once_and_stays_pinned(site, tmp_path):
    """Running daemons find it under /p/wimboot; its digest is remembered and checked."""
    pages = BootPages(site, address=ADDRESS)
    assert isinstance(pages.resolve_url("/p/wimboot"), Refusal)
    path = wimboot_file(tmp_path)
    made = boot_chain.import_wimboot(site, path, sha256=hash_file(path).digest.upper()[7:])

    found = pages.resolve_url("/p/wimboot")
    assert isinstance(found, ContentRef)
    assert (hash_file(path).digest, path.stat().st_size) == (found.digest, found.size)
    assert made == boot_chain.served_wimboot(site)

    site.point.sweep((), now=2e9, before=2e9)
    assert made == boot_chain.served_wimboot(site)


def test_a_wimboot_that_was_altered_is_told(site, tmp_path):
    """Somebody wrote into the blob."""
    made = boot_chain.import_wimboot(site, wimboot_file(tmp_path))
    blob = site.point.blobs.path(made.digest)
    blob.chmod(0o600)
    blob.write_bytes(b"x" * made.size)

    with pytest.raises(DigestMismatch):
        boot_chain.served_wimboot(site)


def test_a_forgotten_wimboot_is_served_no_more(site, tmp_path):
    """Twice is once too often."""
    boot_chain.import_wimboot(site, wimboot_file(tmp_path))
    with pytest.raises(InvalidInput, match="wimboot is served to machines") as told:
        boot_chain.forget_wimboot(site, typed="")
    assert told.value.hint == "Type wimboot."
    boot_chain.forget_wimboot(site, typed="wimboot")

    assert boot_chain.served_wimboot(site) is None
    with pytest.raises(NotFound):
        boot_chain.forget_wimboot(site)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"magic": b"????"}, "is not wimboot"),
        ({"body": b"something else "}, "is not wimboot"),
        ({"body": b"wimboot " * 4000}, "is larger than 1 MB"),
    ],
)
def test_what_is_no_wimboot_is_refused(site, tmp_path, made, words):
    """A kernel, another program, an archive: nothing is served."""
    with pytest.raises(InvalidInput, match=words):
        boot_chain.import_wimboot(site, wimboot_file(tmp_path, **made))

    assert boot_chain.served_wimboot(site) is None


@pytest.mark.parametrize(
    ("sha256", "words"), [("0" * 64, "has the digest sha256:"), ("abc", "is not a SHA-256")]
)
def test_another_digest_than_the_publishers_is_refused(site, tmp_path, sha256, words):
    """What was served before is served still."""
    before = boot_chain.import_wimboot(site, wimboot_file(tmp_path))

    with pytest.raises(InvalidInput, match=words):
        boot_chain.import_wimboot(site, wimboot_file(tmp_path, body=b"wimboot 2 "), sha256=sha256)
    with pytest.raises(InvalidInput, match="cannot be read"):
        boot_chain.import_wimboot(site, tmp_path / "none")

    assert before == boot_chain.served_wimboot(site)
