import pytest

from netboot.errors import OperatorFault
from tests.vm.labpe.elf_files import module
from vm.labpe.modules import KernelModules, is_wanted


@pytest.fixture
def files():
    """A kernel's modules: e100 needs mii, virtio_net a chain."""
    needs = {
        "mii": "",
        "e100": "mii",
        "virtio": "",
        "virtio_ring": "virtio",
        "net_failover": "failover",
        "failover": "",
        "virtio-net": "virtio,virtio_ring,net_failover",
    }
    root = "lib/modules/6.1"
    made = {f"{root}/kernel/drivers/{n}.ko": module(depends=d) for n, d in needs.items()}
    return made | {f"{root}/modules.builtin": b"kernel/lib/crc32c.ko\n"}


def order(files, *names):
    return [each.name for each in KernelModules.among(files).load_order(names)]


def test_each_module_comes_after_those_it_needs(files):
    """The closure is in load order, and names may be written with - or _."""
    assert order(files, "e100") == ["mii.ko", "e100.ko"]
    chain = ["virtio", "virtio_ring", "failover", "net_failover", "virtio-net"]
    assert [f"{name}.ko" for name in chain] == order(files, "virtio_net")


def test_a_module_is_listed_once(files):
    """Two packages' worth of needs share what they share."""
    assert order(files, "e100", "mii") == ["mii.ko", "e100.ko"]


def test_what_is_built_in_needs_no_file(files):
    """A built-in module is satisfied already."""
    assert order(files, "crc32c") == []


def test_an_unknown_module_is_the_operators_fault(files):
    """A kernel that lacks a module is told, by its name."""
    with pytest.raises(OperatorFault, match="no module gone"):
        order(files, "gone")


def test_a_package_without_modules_is_refused():
    """An unexpected kernel package does not give empty drivers."""
    with pytest.raises(OperatorFault, match="no module"):
        KernelModules.among({"boot/vmlinuz-6.1": b"MZ"})


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("boot/vmlinuz-6.1.0-50-amd64", True),
        ("boot/System.map-6.1.0-50-amd64", False),
        ("lib/modules/6.1/modules.builtin", True),
        ("lib/modules/6.1/kernel/drivers/net/mii.ko", True),
        ("lib/modules/6.1/kernel/drivers/net/wireless/ath/ath.ko", False),
        ("lib/modules/6.1/kernel/sound/soundcore.ko", False),
    ],
)
def test_most_of_a_kernel_is_not_read(path, wanted):
    """The kernel, its list of built-ins, and modules for cards."""
    assert wanted is is_wanted(path)
