import pytest

from netboot.errors import MissingTool, OperatorFault
from netboot.formats import pe
from netboot.formats.sdi import parse_sdi
from netboot.images.architecture import Architecture
from vm.labpe import boot_managers
from vm.labpe.boot_managers import boot_files, without_time

EFI = "Windows/Boot/EFI/bootmgfw.efi"
PXE = "Windows/Boot/PXE/pxeboot.n12"


@pytest.fixture(scope="module", params=[Architecture.X64, Architecture.X86])
def files(request):
    """The files for one architecture, with it."""
    return request.param, boot_files(request.param)


def test_the_uefi_program_is_one_of_its_architecture(files):
    """A UEFI application (subsystem 10) for the right processor."""
    architecture, made = files
    facts = pe.parse(made[EFI], size=len(made[EFI]))

    machine = {Architecture.X64: "amd64", Architecture.X86: "x86"}[architecture]
    assert machine == facts.machine
    header = int.from_bytes(made[EFI][0x3C:0x40], "little")
    assert int.from_bytes(made[EFI][header + 24 + 68 : header + 24 + 70], "little") == 10


def test_boot_managers_are_the_same_bytes_each_time(files):
    """Neither compiler, linker nor GRUB write the time or the folder that they worked in."""
    architecture, made = files

    assert made == boot_files(architecture)


def test_the_pxe_program_fits_where_a_rom_loads_it(files):
    """PXE 2.1 leaves a boot program the memory from 0x7c00 up to the ROM's own: about 512 KiB."""
    _, made = files

    assert 32 << 10 < len(made[PXE]) < 480 << 10


def test_the_ram_disk_has_a_frame_that_is_one(files):
    """Both places hold the same boot.sdi, by our reader."""
    _, made = files
    sdi = made["Windows/Boot/DVD/PCAT/boot.sdi"]

    assert sdi == made["Windows/Boot/DVD/EFI/boot.sdi"]
    assert len(boot_managers.SDI_VOLUME) == parse_sdi(sdi).volume_size


def test_the_script_says_that_it_is_a_stand_in(files):
    """Nobody takes bootmgr.exe for Microsoft's."""
    _, made = files

    assert made["Windows/Boot/PXE/bootmgr.exe"].startswith(b"# A stand-in for Microsoft's BIOS")
    assert "SURROGATE".encode("utf-16-le") in made[EFI]


def test_a_time_in_a_program_is_taken_out(files):
    """The COFF header's time is 0 whatever it was; nothing else changes."""
    _, made = files
    program = bytearray(made[EFI])
    at = int.from_bytes(program[0x3C:0x40], "little") + 8
    program[at : at + 4] = b"time"

    assert made[EFI] == without_time(bytes(program))


def test_what_the_compiler_says_is_told(monkeypatch, tmp_path):
    """A source that does not compile: its words, and which tools the build is written for."""
    (tmp_path / "bootmgfw.c").write_text("this is no program")
    monkeypatch.setattr(boot_managers, "SOURCES", tmp_path)

    with pytest.raises(OperatorFault, match="gcc could not build a boot manager") as caught:
        boot_files(Architecture.X64)

    assert "gnu-efi" in caught.value.hint


def test_missing_parts_of_grub_are_named_by_their_package(monkeypatch, tmp_path):
    """The hint is the command that mends it."""
    monkeypatch.setattr(boot_managers, "GRUB", tmp_path)

    with pytest.raises(MissingTool) as caught:
        boot_files(Architecture.X64)

    assert "apt-get install grub-pc-bin" in caught.value.hint
