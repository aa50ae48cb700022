"""Facts of images: what files, hives and programs inside are found to say."""

import hashlib
import json
from pathlib import Path

import pytest

from netboot.errors import InvalidInput, WrongArchitecture
from netboot.images.architecture import Architecture
from netboot.images.boot_image.description import ImageFacts
from netboot.store.wim.inspector import inspect
from tests.images.drivers.packages import DISPLAY, SCSI, inf_text
from tests.samples.hostile_wims import save, with_xml, xml_of
from tests.samples.synthetic_winpe import SyntheticWinPe, capture, imagex, pe_file

pytestmark = pytest.mark.wimlib

LABPE = {
    "/Windows/Boot/LabPE/vmlinuz": pe_file("x64", b"kernel" * 100),
    "/Windows/Boot/LabPE/initrd.gz": b"\x1f\x8b" + b"i" * 500,
}


def made(tmp_path: Path, winpe: SyntheticWinPe, index: int | None = None) -> ImageFacts:
    return inspect(winpe.capture(tmp_path), index=index, workdir=tmp_path)


def test_boot_files_carry_the_hash_of_their_content(tmp_path: Path):
    """SHA-1 and size are those of the file that wimlib-imagex takes out."""
    wim = SyntheticWinPe().capture(tmp_path)
    file = inspect(wim, workdir=tmp_path).boot_file("bootmgr.exe")

    assert file is not None
    imagex("extract", wim, "1", file.path, f"--dest-dir={tmp_path}", "--no-acls")
    data = (tmp_path / "bootmgr.exe").read_bytes()
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert (len(data), sha1) == (file.size, file.sha1)


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


def test_drivers_of_windows_itself_are_read(tmp_path: Path):
    """From both folders, once each, and only where the program is in the image."""
    nic = inf_text("e1i65x64", ids=("PCI\\VEN_8086&DEV_10D3",)).encode("utf-16")
    disk = inf_text("stornvme", ids=("PCI\\CC_010802",), kind=SCSI).encode()
    store = "/Windows/System32/DriverStore/FileRepository/"
    files = {
        "/Windows/INF/e1i65x64.inf": nic,
        f"{store}e1i65x64.inf_amd64_12/e1i65x64.inf": nic,
        "/Windows/System32/drivers/E1i65x64.sys": pe_file("x64", b"nic"),
        f"{store}stornvme.inf_amd64_34/stornvme.inf": disk,
        f"{store}stornvme.inf_amd64_34/stornvme.sys": pe_file("x64", b"disk"),
        "/Windows/INF/nobody.inf": inf_text("nobody").encode(),
        "/Windows/INF/screen.inf": inf_text("screen", kind=DISPLAY).encode(),
        "/Windows/System32/drivers/screen.sys": pe_file("x64", b"screen"),
        "/Windows/BootDrivers/0001-a/added.inf": inf_text("added").encode(),
        "/Windows/System32/drivers/added.sys": pe_file("x64", b"added"),
    }
    facts = made(tmp_path, SyntheticWinPe(files=files))

    assert {one.inf_name: one.hardware_ids for one in facts.inbox} == {
        "e1i65x64.inf": ("PCI\\VEN_8086&DEV_10D3",),
        "stornvme.inf": ("PCI\\CC_010802",),
    }
    assert facts == ImageFacts.from_json(json.loads(json.dumps(facts.to_json())))


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


@pytest.mark.parametrize(
    ("image", "other", "path"),
    [
        ("x64", "x86", "/Windows/Boot/EFI/bootmgfw.efi"),
        ("x86", "x64", "/Windows/Boot/EFI/bootmgfw.efi"),
        ("x64", "arm64", "/Windows/Boot/EFI/bootmgfw.efi"),
        ("x64", "x86", "/Windows/Boot/EFI_EX/bootmgfw_EX.efi"),
        ("x64", "x86", "/Windows/System32/boot/winload.efi"),
        ("x64", "x86", "/Windows/System32/winload.exe"),
    ],
)
def test_a_boot_program_of_another_architecture_is_refused(
    tmp_path: Path, image: str, other: str, path: str
):
    """Firmware calls it unsupported, and Windows' loader stops with 0xc0000359."""
    winpe = SyntheticWinPe(architecture=image, files={path: pe_file(other, b"loader" * 99)})

    with pytest.raises(
        WrongArchitecture, match=f"{path} is a program for {other}, but the image is {image}"
    ) as told:
        made(tmp_path, winpe)

    assert f"the {image} file of the same Windows release" in told.value.hint


@pytest.mark.parametrize(
    "path", ["/Windows/Boot/EFI/bootmgfw.efi", "/Windows/System32/boot/winload.exe"]
)
def test_a_boot_program_that_is_none_is_a_finding(tmp_path: Path, path: str):
    """Machines stop there with 0xc000007b."""
    facts = made(tmp_path, SyntheticWinPe(files={path: b"no program " * 99}))

    (finding,) = facts.findings
    assert finding.startswith(f"{path}: not a Windows executable")
    assert "0xc000007b" in finding


def test_language_files_of_the_boot_managers_are_found(tmp_path: Path):
    """Each with its hash, the one for the network before that for disks; in JSON and back."""
    folders = ("EFI/de-DE/bootmgfw.efi", "PXE/de-DE/bootmgr.exe", "PCAT/de-DE/bootmgr.exe")
    files = {f"/Windows/Boot/{one}.mui": one.encode() * 9 for one in folders}
    wim = SyntheticWinPe(files=files).capture(tmp_path)
    language = "<LANGUAGES><LANGUAGE>en-US</LANGUAGE><LANGUAGE>de-DE</LANGUAGE>"
    language += "<DEFAULT>de-DE</DEFAULT></LANGUAGES>"
    data = wim.read_bytes()
    named = with_xml(data, xml_of(data).replace("</WINDOWS>", f"{language}</WINDOWS>"))
    facts = inspect(save(tmp_path, named), workdir=tmp_path)

    assert facts.languages == ("de-DE", "en-US")
    assert [(one.name, one.path) for one in facts.language_files] == [
        ("de-DE/bootmgfw.efi.mui", "/Windows/Boot/EFI/de-DE/bootmgfw.efi.mui"),
        ("de-DE/bootmgr.exe.mui", "/Windows/Boot/PXE/de-DE/bootmgr.exe.mui"),
    ]
    assert facts == ImageFacts.from_json(json.loads(json.dumps(facts.to_json())))


def test_without_a_kernel_the_claim_is_doubted(tmp_path: Path):
    """Only the XML speaks: accepted with a finding; nobody speaks: refused."""
    programs = ["ntoskrnl.exe", "boot/winload.exe", "boot/winload.efi"]
    absent = dict.fromkeys(f"/Windows/System32/{name}" for name in programs)
    facts = made(tmp_path, SyntheticWinPe(files=absent))

    assert facts.architecture is Architecture.X64
    assert (
        "The architecture is from the WIM's XML; no kernel was found to confirm it"
        in facts.findings[0]
    )

    data = (tmp_path / "boot.wim").read_bytes()
    silent = save(tmp_path, with_xml(data, xml_of(data).replace("<ARCH>9</ARCH>", "")))
    with pytest.raises(
        InvalidInput, match="architecture is neither in the WIM's XML nor in its kernel"
    ):
        inspect(silent, workdir=tmp_path)
