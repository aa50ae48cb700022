import shutil
import struct
from pathlib import Path

import pytest

from netboot.errors import ContentFault, MissingTool
from netboot.store.content.point_folder import PointFolder
from netboot.store.media import boot_programs as module
from netboot.store.media import tools as media_tools
from netboot.store.media.boot_programs import (
    ProgramsReader,
    made_for,
    prepare_programs,
    read_programs,
)

ADDRESS = "10.77.0.2"
DEBIAN = (Path("/usr/lib/ipxe"), Path("/boot"))

needs_grub = pytest.mark.skipif(
    shutil.which("grub-mkimage") is None or not (media_tools.GRUB / "i386-efi").is_dir(),
    reason="grub-common and grub-efi-ia32-bin are not installed",
)


@pytest.fixture
def point(tmp_path):
    return PointFolder(tmp_path / "point")


@pytest.fixture
def folder(tmp_path):
    """A folder with stand-ins for iPXE's programs."""
    made = tmp_path / "ipxe"
    made.mkdir()
    for name in module.IPXE_PROGRAMS:
        (made / name).write_bytes(b"stand-in for " + name.encode())
    return made


def test_programs_lie_in_the_point_under_their_digest(point, folder):
    """What is written down names bytes that are there, and is read back equal."""
    made = prepare_programs(point, [folder], ADDRESS)

    assert dict(made) == dict(read_programs(point))
    assert set(module.IPXE_PROGRAMS) <= set(made)
    for ref in made.values():
        assert ref.size == point.blobs.verify(ref.digest)


def test_the_first_folder_counts(point, folder, tmp_path):
    """The administrator's own iPXE goes before the distribution's."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "snponly.efi").write_bytes(b"our own build")
    made = prepare_programs(point, [own, folder], ADDRESS)

    assert point.blobs.path(made["snponly.efi"].digest).read_bytes() == b"our own build"
    assert point.blobs.path(made["ipxe.efi"].digest).read_bytes() == b"stand-in for ipxe.efi"


def test_a_wimboot_that_lies_about_is_not_served(point, folder):
    """It must be imported, so that its digest is pinned and the administrator has seen it."""
    (folder / "wimboot").write_bytes(b"wimboot")

    assert "wimboot" not in prepare_programs(point, [folder], ADDRESS)


def test_without_ipxe_nothing_can_boot_and_the_package_is_named(point, tmp_path):
    """The hint is the command that mends it; nothing was written down."""
    with pytest.raises(MissingTool, match="no iPXE boot programs") as refusal:
        prepare_programs(point, [tmp_path], ADDRESS)

    assert "apt-get install ipxe" in refusal.value.hint
    assert dict(read_programs(point)) == {}


def test_a_program_for_one_kind_of_machine_is_not_enough(point, folder):
    """BIOS machines need undionly.kpxe, UEFI machines one of the others."""
    (folder / "undionly.kpxe").unlink()

    with pytest.raises(MissingTool):
        prepare_programs(point, [folder], ADDRESS)


@pytest.mark.parametrize("damage", ["{half", "[]", '{"ipxe.efi": {"digest": 1}}', "7"])
def test_damage_is_told(point, damage):
    """A daemon does not take a damaged list for an empty one."""
    point.programs.write_text(damage)

    with pytest.raises(ContentFault, match="damaged"):
        read_programs(point)


def machine(data):
    """The processor that a PE program is for."""
    (header,) = struct.unpack_from("<I", data, 60)
    return struct.unpack_from("<H", data, header + 4)[0]


@needs_grub
def test_grub_for_32_bit_uefi_knows_our_address(point, folder):
    """It is a program for that machine, asks us and nobody else, and is the same each time."""
    made = prepare_programs(point, [folder], ADDRESS)[module.GRUB_IA32]
    data = point.blobs.path(made.digest).read_bytes()

    assert b"tftp,10.77.0.2" in data
    assert (data[:2], machine(data)) == (b"MZ", 0x014C)  # for 32-bit x86
    assert made == prepare_programs(point, [folder], ADDRESS)[module.GRUB_IA32]
    other = prepare_programs(point, [folder], "192.0.2.9")[module.GRUB_IA32]
    assert b"tftp,192.0.2.9" in point.blobs.path(other.digest).read_bytes()


def test_without_grubs_parts_everybody_else_has_a_program(point, folder, monkeypatch, tmp_path):
    """Only 32-bit UEFI needs it."""
    monkeypatch.setattr(media_tools, "GRUB", tmp_path)

    assert set(module.IPXE_PROGRAMS) == set(prepare_programs(point, [folder], ADDRESS))


@pytest.mark.skipif(not (DEBIAN[0] / "undionly.kpxe").exists(), reason="ipxe is not installed")
def test_debians_own_programs_are_found(point):
    """The default folders hold what the package ipxe installs."""
    made = prepare_programs(point, DEBIAN, ADDRESS)

    assert set(module.IPXE_PROGRAMS) <= set(made)
    assert made["undionly.kpxe"].size > 50_000


@needs_grub
def test_each_address_has_its_own_grub_and_everything_else_is_shared(point, folder):
    """A machine gets the one with the address that it loads from."""
    prepare_programs(point, [folder], ADDRESS, "10.2.0.2")
    reader = ProgramsReader(point, print)
    grubs = {ours: reader(ours)[module.GRUB_IA32] for ours in (ADDRESS, "10.2.0.2")}

    assert made_for(point) == (ADDRESS, "10.2.0.2")
    for ours, ref in grubs.items():
        assert ref.name == module.GRUB_IA32
        assert b"tftp," + ours.encode() in point.blobs.path(ref.digest).read_bytes()
    assert {ref.digest for ref in grubs.values()} <= {
        ref.digest for ref in read_programs(point).values()
    }  # what a clean-up keeps
    assert reader(ADDRESS)["undionly.kpxe"] == reader("10.2.0.2")["undionly.kpxe"]


@needs_grub
def test_programs_that_were_replaced_are_read_again_and_damaged_ones_are_not_taken(point, folder):
    said = []
    prepare_programs(point, [folder], ADDRESS)
    reader = ProgramsReader(point, said.append)
    before = reader("10.2.0.2")[module.GRUB_IA32]
    prepare_programs(point, [folder], ADDRESS, "10.2.0.2")
    own = reader("10.2.0.2")[module.GRUB_IA32]
    point.programs.write_text("{half")

    assert before != own
    assert reader("10.2.0.2")[module.GRUB_IA32] == own
    assert "the previous programs are still served" in said[0]
