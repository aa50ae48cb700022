"""Inspection: facts of honest images, refusals of all others."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netboot.errors import InvalidInput, Quarantined
from netboot.formats.wim import WimFlag
from netboot.images.architecture import Architecture
from netboot.images.image_facts import ImageFacts
from netboot.store.wim_inspector import images_in, inspect, list_files
from tests.samples.hostile_wims import mutants, rename_inside, save, with_flags, with_xml, xml_of
from tests.samples.synthetic_winpe import SyntheticWinPe, capture, imagex, pe_file

pytestmark = pytest.mark.wimlib

LABPE = {
    "/Windows/Boot/LabPE/vmlinuz": pe_file("x64", b"kernel" * 100),
    "/Windows/Boot/LabPE/initrd.gz": b"\x1f\x8b" + b"i" * 500,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wims")


@pytest.fixture(scope="module")
def wim(folder: Path) -> Path:
    return SyntheticWinPe().capture(folder)


@pytest.fixture(scope="module")
def plain_wim(folder: Path) -> bytes:
    """An uncompressed WIM, whose metadata can be changed byte by byte."""
    tree = folder / "tree"
    capture(tree, folder / "plain.wim", "PE", "--compress=none")
    return (folder / "plain.wim").read_bytes()


def made(tmp_path: Path, winpe: SyntheticWinPe, index: int | None = None) -> ImageFacts:
    return inspect(winpe.capture(tmp_path), index=index, workdir=tmp_path)


def test_an_honest_image_is_known(wim: Path, tmp_path: Path):
    """Header, XML, hives and programs agree, and all boot files are found."""
    facts = inspect(wim, workdir=tmp_path)

    assert facts.architecture is Architecture.X64
    assert (facts.version, facts.build) == ("10.0.22621.1", 22621)
    assert (facts.index, facts.boot_index, facts.edition) == (1, 1, "WindowsPE")
    assert (facts.compression, facts.size) == ("LZX", wim.stat().st_size)
    assert (facts.startnet, facts.winpeshl, facts.setup_path) == ("wpeinit\r\n", None, "")
    assert facts.hives == ("DEFAULT", "SOFTWARE", "SYSTEM")
    assert facts.chains == ("native", "wimboot")
    assert (facts.missing, facts.findings, facts.secrets, facts.drivers) == ((), (), (), ())
    assert facts.has_background
    assert facts.packages == ("WinPE-WMI-Package",)
    assert facts.loader(".efi") == r"\Windows\System32\boot\winload.efi"
    assert {file.name for file in facts.boot_files} == {
        *("bootmgfw.efi", "pxeboot.n12", "bootmgr.exe", "boot.sdi"),
        *("Fonts/wgl4_boot.ttf", "Fonts/segoe_slboot.ttf"),
    }
    assert list(tmp_path.iterdir()) == []


def test_boot_files_carry_the_hash_of_their_content(wim: Path, tmp_path: Path):
    """SHA-1 and size are those of the file that wimlib-imagex takes out."""
    file = inspect(wim, workdir=tmp_path).boot_file("bootmgr.exe")

    assert file is not None
    imagex("extract", wim, "1", file.path, f"--dest-dir={tmp_path}", "--no-acls")
    data = (tmp_path / "bootmgr.exe").read_bytes()
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert (len(data), sha1) == (file.size, file.sha1)


def test_files_are_listed_with_their_hashes(wim: Path, tmp_path: Path):
    """All files and no folders, as wimlib-imagex lists them."""
    found = list_files(wim, 1, workdir=tmp_path)

    listed = set(imagex("dir", wim).split("\n"))
    assert set(found) < listed
    sha1 = hashlib.sha1(b"wpeinit\r\n", usedforsecurity=False).hexdigest()
    assert sha1 == found["/Windows/System32/startnet.cmd"]
    with pytest.raises(Quarantined, match="cannot be listed"):
        list_files(wim, 9, workdir=tmp_path)


def test_an_image_of_32_bits_is_known(tmp_path: Path):
    """x86 in XML and kernel."""
    facts = made(tmp_path, SyntheticWinPe(architecture="x86", compression="XPRESS"))

    assert (facts.architecture, facts.compression) == (Architecture.X86, "XPRESS")


def test_a_lab_pe_boots_linux_first(tmp_path: Path):
    """Kernel and initrd inside make the chain "linux"; wimboot is not for stand-ins."""
    assert made(tmp_path, SyntheticWinPe(files=LABPE)).chains == ("linux", "native")


def test_what_is_missing_is_named(tmp_path: Path):
    """Without loaders the image is known, cannot boot, and says what it lacks."""
    lacking = dict.fromkeys(
        [
            "/Windows/Boot/EFI/bootmgfw.efi",
            "/Windows/Boot/PXE/pxeboot.n12",
            "/Windows/Boot/DVD/PCAT/boot.sdi",
            "/Windows/System32/config/SYSTEM",
        ]
    )
    facts = made(tmp_path, SyntheticWinPe(files=lacking))

    assert facts.chains == ()
    assert [one.name for one in facts.missing] == ["bootmgfw.efi", "pxeboot.n12", "boot.sdi"]
    assert facts.findings == ("The SYSTEM hive is missing.",)


def test_start_up_is_read(tmp_path: Path):
    """winpeshl.ini, a customised startnet.cmd and Setup are seen as they are."""
    files = {
        "/Windows/System32/startnet.cmd": b"@echo off\r\ntool\xe9.exe\r\n",
        "/Windows/System32/WinPEShl.ini": b"[LaunchApps]\r\nbddrun.exe\r\n",
        "/setup.exe": pe_file("x64", b"setup"),
    }
    facts = made(tmp_path, SyntheticWinPe(files=files))

    assert facts.startnet == "@echo off\r\ntool\xe9.exe\r\n"
    assert facts.winpeshl == "[LaunchApps]\r\nbddrun.exe\r\n"
    assert facts.setup_path == r"%SYSTEMDRIVE%\setup.exe"


def test_drivers_and_earlier_builds_are_seen(tmp_path: Path):
    """INFs of packages inside are listed; a WIM of ours is recognised."""
    files = {
        "/Windows/BootDrivers/0001-a/a.inf": b"[Version]",
        "/Windows/System32/DriverStore/FileRepository/b.inf_x/b.inf": b"[Version]",
        "/Windows/System32/nb-image.ini": b"[netboot]",
    }
    facts = made(tmp_path, SyntheticWinPe(files=files))

    assert facts.drivers == tuple(sorted(files))[:2]
    assert "netboot built this WIM" in facts.findings[0]


def test_secrets_inside_are_found(tmp_path: Path):
    """A planted password is reported by file and line, and never repeated."""
    files = {
        "/unattend.xml": b"<unattend>\n<Password><Value>S3cret</Value></Password></unattend>",
        "/Deploy/Scripts/bootstrap.ini": b"UserPassword=S3cret\r\n",
    }
    facts = made(tmp_path, SyntheticWinPe(files=files))

    assert [(one.path, one.line) for one in facts.secrets] == [
        ("/Deploy/Scripts/bootstrap.ini", 1),
        ("/unattend.xml", 2),
    ]
    assert "S3cret" not in str(facts.to_json())


def test_a_damaged_hive_is_a_finding(tmp_path: Path):
    """The image stays usable; what needs the hive will be refused later."""
    files = {"/Windows/System32/config/DEFAULT": b"no hive at all" * 99}
    facts = made(tmp_path, SyntheticWinPe(files=files))

    assert facts.hives == ("SOFTWARE", "SYSTEM")
    assert "DEFAULT hive cannot be read" in facts.findings[0]


def test_the_bootable_image_of_several_is_chosen(wim: Path, tmp_path: Path):
    """The boot index decides; another can be asked for; none at all must be answered."""
    both = tmp_path / "both.wim"
    imagex("export", wim, "1", both, "One")
    imagex("export", wim, "1", both, "Two", "--boot")

    assert inspect(both, workdir=tmp_path).index == 2
    assert inspect(both, index=1, workdir=tmp_path).index == 1
    assert [image.name for image in images_in(both)] == ["One", "Two"]
    with pytest.raises(InvalidInput, match="no image 3") as told:
        inspect(both, index=3, workdir=tmp_path)
    assert "1: One; 2: Two" in told.value.hint

    imagex("info", both, "0", "--boot")
    with pytest.raises(InvalidInput, match="marks none") as told:
        inspect(both, workdir=tmp_path)
    assert "1: One; 2: Two" in told.value.hint


def test_a_single_image_without_boot_index_is_taken(wim: Path, tmp_path: Path):
    """A finding says that builds will mark it."""
    copy = tmp_path / "copy.wim"
    imagex("export", wim, "1", copy)
    imagex("info", copy, "0", "--boot")
    facts = inspect(copy, workdir=tmp_path)

    assert (facts.index, facts.boot_index) == (1, 0)
    assert "builds mark image 1" in facts.findings[0]


def test_what_is_not_windows_pe_is_refused(tmp_path: Path):
    """A WIM of anything else is InvalidInput with advice."""
    tree = tmp_path / "tree"
    (tree / "docs").mkdir(parents=True)
    (tree / "docs/a.txt").write_text("x")
    capture(tree, tmp_path / "docs.wim", "Docs")

    with pytest.raises(InvalidInput, match="is not Windows PE") as told:
        inspect(tmp_path / "docs.wim", workdir=tmp_path)

    assert "boot.wim" in told.value.hint


def test_an_image_put_together_from_two_is_refused(tmp_path: Path):
    """XML says x64, the kernel is x86."""
    files = {"/Windows/System32/ntoskrnl.exe": pe_file("x86", b"k" * 99)}

    with pytest.raises(InvalidInput, match="says x64, but its kernel is x86"):
        made(tmp_path, SyntheticWinPe(files=files))


def test_without_a_kernel_the_claim_is_doubted(tmp_path: Path):
    """Only the XML speaks: accepted with a finding; nobody speaks: refused."""
    programs = ["ntoskrnl.exe", "boot/winload.exe", "boot/winload.efi"]
    absent = dict.fromkeys(f"/Windows/System32/{name}" for name in programs)
    facts = made(tmp_path, SyntheticWinPe(files=absent))

    assert facts.architecture is Architecture.X64
    assert "XML's claim" in facts.findings[0]

    data = (tmp_path / "boot.wim").read_bytes()
    silent = save(tmp_path, with_xml(data, xml_of(data).replace("<ARCH>9</ARCH>", "")))
    with pytest.raises(InvalidInput, match="for which processor"):
        inspect(silent, workdir=tmp_path)


def convert(*options: str) -> Callable[[Path, Path], None]:
    return lambda wim, new: void(imagex("export", wim, "1", new, *options))


def void(_value: object) -> None:
    return


@pytest.mark.parametrize(
    ("make", "reason", "hint"),
    [
        (convert("--solid"), "solid", "--compress=LZX"),
        (convert("--pipable"), "pipable", "--not-pipable"),
        (convert("--compress=LZMS"), "solid", "--compress=LZX"),
        (convert("--compress=XPRESS", "--chunk-size=8K"), "8192", "--compress=LZX"),
        (lambda _wim, new: void(new.write_bytes(b"")), "not a WIM", "boot.wim"),
        (lambda _wim, new: void(new.write_bytes(b"MZ" * 500)), "not a WIM", "boot.wim"),
        (lambda wim, new: void(new.write_bytes(wim.read_bytes()[:-1])), "truncated", "again"),
        (lambda wim, new: void(new.write_bytes(wim.read_bytes()[:100])), "header", "boot.wim"),
    ],
)
def test_unusable_forms_are_refused_with_advice(
    make: Callable[[Path, Path], None], reason: str, hint: str, wim: Path, tmp_path: Path
):
    """Solid, pipable, other chunks, nothing, cut: InvalidInput that says what to do."""
    other = tmp_path / "other.wim"
    make(wim, other)

    with pytest.raises(InvalidInput, match=reason) as told:
        inspect(other, workdir=tmp_path)

    assert hint in told.value.hint
    assert not isinstance(told.value, Quarantined)


def test_a_part_of_a_split_wim_is_refused(tmp_path: Path):
    """Real parts, made by wimlib-imagex split."""
    winpe = SyntheticWinPe(files={f"/noise{n}": os.urandom(700_000) for n in range(4)})
    imagex("split", winpe.capture(tmp_path), tmp_path / "part.swm", "1")

    for part in ("part.swm", "part2.swm"):
        with pytest.raises(InvalidInput, match="split") as told:
            inspect(tmp_path / part, workdir=tmp_path)
        assert "wimlib-imagex join" in told.value.hint


def test_an_encrypted_one_is_refused(plain_wim: bytes, tmp_path: Path):
    """An ESD that says it is encrypted."""
    text = xml_of(plain_wim).replace("</WIM>", "<ESD><ENCRYPTED>1</ENCRYPTED></ESD></WIM>")

    with pytest.raises(InvalidInput, match="encrypted"):
        inspect(save(tmp_path, with_xml(plain_wim, text)), workdir=tmp_path)


def test_an_unfinished_one_is_refused(plain_wim: bytes, tmp_path: Path):
    """wimlib itself would read it."""
    with pytest.raises(InvalidInput, match="write-in-progress"):
        inspect(save(tmp_path, with_flags(plain_wim, WimFlag.WRITE_IN_PROGRESS)), workdir=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("usbstor.inf", "..\\stor.inf"),
        ("usbstor.inf", "usb/tor.inf"),
        ("usbstor.inf", "usbstor:inf"),
        ("usbstor.inf", "usbsto\x01.inf"),
        ("usbstor.inf", "usbstor.in."),
        ("netrtl64.inf", "e1i65x64.inf"),
        ("netrtl64.inf", "E1I65X64.INF"),
        ("config", "conf\x00g"),
        ("INF", "AUX"),
    ],
)
def test_hostile_names_are_quarantined(old: str, new: str, plain_wim: bytes, tmp_path: Path):
    """Climbing, streams, control characters, doubles: kept out, whatever wimlib thinks."""
    hostile = save(tmp_path, rename_inside(plain_wim, old, new))

    with pytest.raises(Quarantined) as told:
        inspect(hostile, workdir=tmp_path)

    assert str(told.value).isprintable()


@pytest.mark.parametrize("name", ["..", "."])
def test_a_name_that_climbs_is_quarantined(name: str, tmp_path: Path):
    """wimlib drops such a name with a warning; the warning is what we look for."""
    tree = tmp_path / "tree"
    SyntheticWinPe().write_tree(tree)
    (tree / "Windows" / "xy"[: len(name)]).mkdir()
    wim = tmp_path / "a.wim"
    capture(tree, wim, "PE", "--compress=none")
    data = rename_inside(wim.read_bytes(), "xy"[: len(name)] + "\0", name + "\0")

    with pytest.raises(Quarantined):
        inspect(save(tmp_path, data), workdir=tmp_path)


def test_a_flipped_bit_is_found(wim: Path, tmp_path: Path):
    """Content is compared with its hash before anything is believed."""
    data = bytearray(wim.read_bytes())
    data[300] ^= 4

    with pytest.raises(Quarantined, match="damaged"):
        inspect(save(tmp_path, bytes(data)), workdir=tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_no_mutant_becomes_usable(seed: int, wim: Path, plain_wim: bytes, tmp_path: Path):
    """Of 60 damaged files each is refused, or is in all that matters what it was before."""
    data = wim.read_bytes() if seed % 2 else plain_wim
    honest = inspect(save(tmp_path, data), workdir=tmp_path)
    refused = 0

    for what, mutant in mutants(data, 60, seed):
        try:
            facts = inspect(save(tmp_path, mutant), workdir=tmp_path)
        except InvalidInput:
            refused += 1
        else:
            # GUID, boot index and texts of the XML may change without harm.
            harmless = replace(
                facts,
                boot_index=honest.boot_index,
                findings=honest.findings,
                images=honest.images,
                version=honest.version,
                edition=honest.edition,
                languages=honest.languages,
                modified_at=honest.modified_at,
            )
            assert replace(honest, size=facts.size) == harmless, what

    assert refused > 30
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.wim"]
