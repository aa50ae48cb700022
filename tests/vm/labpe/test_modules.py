import pytest

from netboot.errors import OperatorFault
from tests.vm.labpe.elf_files import module
from vm.labpe.modules import ModuleFolder


@pytest.fixture
def folder(tmp_path):
    """A kernel's modules: e100 needs mii, virtio_net a chain."""
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    for name, depends in (
        ("mii", ""),
        ("e100", "mii"),
        ("virtio", ""),
        ("virtio_ring", "virtio"),
        ("net_failover", "failover"),
        ("failover", ""),
        ("virtio-net", "virtio,virtio_ring,net_failover"),
    ):
        (kernel / f"{name}.ko").write_bytes(module(depends=depends))
    (tmp_path / "modules.builtin").write_text("kernel/lib/crc32c.ko\n")
    return tmp_path


def order(folder, *names):
    return [path.stem for path in ModuleFolder.read(folder).load_order(names)]


def test_each_module_comes_after_those_it_needs(folder):
    """The closure is in load order, and names may be written with - or _."""
    assert ["mii", "e100"] == order(folder, "e100")
    assert ["virtio", "virtio_ring", "failover", "net_failover", "virtio-net"] == order(
        folder, "virtio_net"
    )


def test_a_module_is_listed_once(folder):
    """Two packages' worth of needs share what they share."""
    assert ["mii", "e100"] == order(folder, "e100", "mii")


def test_what_is_built_in_needs_no_file(folder):
    """A built-in module is satisfied already."""
    assert [] == order(folder, "crc32c")


def test_an_unknown_module_is_the_operators_fault(folder):
    """A kernel that lacks a module is told, by its name."""
    with pytest.raises(OperatorFault, match="no module gone"):
        order(folder, "gone")


def test_a_folder_without_modules_is_refused(tmp_path):
    """An unexpected kernel package does not give empty drivers."""
    with pytest.raises(OperatorFault, match="no kernel module"):
        ModuleFolder.read(tmp_path)
