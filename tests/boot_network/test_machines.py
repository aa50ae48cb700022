"""Machines of every firmware that Debian can give reach the boot image and report home.

Beside DHCP servers of three makes, beside one on our own host (port 4011 only), and through a
relay. The evidence is the report that arrives at the site, from that machine, with its driver.
"""

from pathlib import Path

import pytest

from netboot.boot.events import OfferSent, PeReported
from netboot.boot.neighbours import option_60_lines
from tests.boot_network.conftest import BootLan
from tests.netlab import needs_netns
from vm.firmware import NICS, VIRTIO, FirmwareKind, Nic, Rom
from vm.machine import Limits, Machine
from vm.network import LabNetwork, Slot
from vm.spec import MachineSpec

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(900)]

E1000 = NICS["e1000"]
LIMITS = Limits(silence=180, wall=500, processor=250)
HTTP_BOOT_ONLY = ("-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")


def machine(
    firmware: FirmwareKind,
    *,
    nic: Nic = VIRTIO,
    plain: bool = False,
    rom: Rom | None = None,
    extra: tuple[str, ...] = (),
) -> MachineSpec:
    """A machine; `plain` hides that its boot ROM is iPXE."""
    return MachineSpec(firmware, nic, Slot(7), plain_pxe=plain, rom=rom, extra=extra)


MACHINES = {
    "bios-ipxe-rom": machine(FirmwareKind.BIOS_X64),
    "bios-plain-pxe": machine(FirmwareKind.BIOS_X64, nic=E1000, plain=True),
    "bios-x86": machine(FirmwareKind.BIOS_X86, nic=E1000),
    "uefi-x64-pxe": machine(FirmwareKind.UEFI_X64),
    "uefi-x64-ipxe-rom": machine(FirmwareKind.UEFI_X64, nic=E1000),
    "uefi-x64-http": machine(FirmwareKind.UEFI_X64, extra=HTTP_BOOT_ONLY),
    "uefi-ia32-pxe": machine(FirmwareKind.UEFI_IA32),
    "uefi-ia32-http": machine(FirmwareKind.UEFI_IA32, extra=HTTP_BOOT_ONLY),
}

FILES = {
    "bios-ipxe-rom": ["script"],
    "bios-plain-pxe": ["undionly.kpxe", "script"],
    "bios-x86": ["script"],
    "uefi-x64-pxe": ["snponly.efi", "script"],
    "uefi-x64-ipxe-rom": ["script"],
    "uefi-x64-http": ["http://10.77.0.2:8081/p/snponly.efi", "script"],
    "uefi-ia32-pxe": ["grubia32.efi"],
    "uefi-ia32-http": ["http://10.77.0.2:8081/p/grubia32.efi"],
}


def boots(name: str, net: BootLan, wires: LabNetwork) -> list[OfferSent]:
    """Boot the machine called `name`; what it was offered, once its report has arrived."""
    spec = MACHINES[name]
    with Machine(spec, wires, net.work / name) as made:
        run = made.run(LIMITS)
    events = [entry.event for entry in net.site.journal.events_since(0, 10_000)]
    reports = [event for event in events if isinstance(event, PeReported)]

    assert "result=online" in run.serial, f"{run.ending}: {run.words}\n{run.serial[-1500:]}"
    assert [(one.mac, one.version) for one in reports] == [(spec.boot_mac, 2)]
    return [event for event in events if isinstance(event, OfferSent)]


def files(offers: list[OfferSent]) -> list[str]:
    """What was offered, in order, each once; the script without its machine's own query."""
    named = ("script" if "boot.ipxe" in one.file else one.file for one in offers)
    return list(dict.fromkeys(named))


@pytest.mark.parametrize("name", MACHINES)
def test_beside_kea(boot_lan: BootLan, name: str) -> None:
    """Every firmware, on one LAN with Kea."""
    boot_lan.give_addresses("kea-dhcp4")
    boot_lan.serve()
    with boot_lan.wires() as wires:
        offers = boots(name, boot_lan, wires)

    assert files(offers) == FILES[name]


@pytest.mark.parametrize("name", ["bios-plain-pxe", "uefi-x64-pxe"])
def test_beside_isc_dhcpd(boot_lan: BootLan, name: str) -> None:
    """A BIOS and a UEFI on one LAN with ISC's server."""
    boot_lan.give_addresses("dhcpd")
    boot_lan.serve()
    with boot_lan.wires() as wires:
        offers = boots(name, boot_lan, wires)

    assert files(offers) == FILES[name]


@pytest.mark.parametrize(
    "name", ["bios-plain-pxe", "uefi-x64-pxe", "uefi-x64-http", "uefi-ia32-pxe"]
)
def test_through_a_relay(boot_lan: BootLan, name: str) -> None:
    """The machine in another subnet, ISC dhcrelay between, ISC dhcpd for addresses."""
    boot_lan.give_addresses("dhcpd")
    boot_lan.add_branch("10.77.0.1", "10.77.0.2")
    boot_lan.relays = '["10.78.0.0/24"]'
    boot_lan.serve()
    with boot_lan.wires("branch") as wires:
        offers = boots(name, boot_lan, wires)

    assert files(offers) == FILES[name]


@pytest.mark.parametrize("name", ["bios-plain-pxe", "uefi-x64-pxe", "uefi-ia32-pxe"])
def test_with_a_dhcp_server_on_our_own_host(boot_lan: BootLan, name: str) -> None:
    """dnsmasq has port 67 and sends machines to 4011; iPXE asks there as well."""
    boot_lan.give_addresses("dnsmasq", host=boot_lan.server, lines=option_60_lines("dnsmasq"))
    boot_lan.serve()
    with boot_lan.wires() as wires:
        offers = boots(name, boot_lan, wires)

    assert files(offers) == FILES[name]
    assert {one.port for one in offers} == {4011}


def test_the_recording_of_such_a_boot_tells_its_story(boot_lan: BootLan) -> None:
    """`netboot check --capture` on what the switch wrote."""
    from netboot.diagnose.story import read_story

    boot_lan.give_addresses("kea-dhcp4")
    boot_lan.serve()
    with boot_lan.wires() as wires:
        boots("uefi-x64-pxe", boot_lan, wires)
    (record,) = read_story(Path(boot_lan.work / "lan.pcap")).records

    assert record.finding()[0] is False
    assert [phase.kind for phase in record.phases] == [
        "64-bit UEFI PC",
        "iPXE on a 64-bit UEFI PC",
    ]
