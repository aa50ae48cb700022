"""Machines of every firmware that Debian can give reach the boot image and report home.

Beside DHCP servers of three makes on another host, directly and through ISC's relay from another
subnet, and beside each make on our own host (port 4011 only). The evidence is the report that
arrives at the site, from that machine, with its driver.

What is covered is each pair, not the whole product of 8 x 3 x 2: every firmware meets Kea and
ISC dhcpd, every firmware comes directly and through the relay, every make of server is met both
ways. Every firmware but HTTP boot meets dnsmasq directly in the lab (tests/vm/test_proof.py), so
here HTTP boot alone does. A fault that needs three things at once would go unseen: a server's
OFFER does not depend on the machine's firmware, nor a relay's work on either. Machines of one
LAN boot two at a time. `make test` boots each firmware once and asks each make of server;
`make test-long` boots the other pairs.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from netboot.boot.answer.dhcp_on_host import option_60_lines
from netboot.boot.told.events import OfferSent
from netboot.diagnose.recordings.story import read_story
from tests.boot_network.conftest import BootLan
from tests.support.dhcp_servers import START
from tests.support.netlab import needs_netns
from vm.machine.firmware import NICS, VIRTIO, FirmwareKind, Nic, Rom
from vm.machine.spec import MachineSpec
from vm.machine.virtual_machine import Limits, Machine, Run
from vm.matrix import MACHINES_AT_ONCE
from vm.network.lab_network import LabNetwork, Slot
from vm.reports import JournalReports
from vm.scenario import load_scenarios
from vm.summary import record
from vm.verdict import Report

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(900)]

NOTES = Path(__file__).parents[1] / "output" / "boots.json"

E1000 = NICS["e1000"]
LIMITS = Limits(silence=180, wall=500, processor=250)
HTTP_BOOT_ONLY = ("-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")


def machine(
    number: int,
    firmware: FirmwareKind,
    *,
    nic: Nic = VIRTIO,
    plain: bool = False,
    rom: Rom | None = None,
    extra: tuple[str, ...] = (),
) -> MachineSpec:
    """A machine; `plain` hides that its boot ROM is iPXE."""
    return MachineSpec(firmware, nic, Slot(number), plain_pxe=plain, rom=rom, extra=extra)


MACHINES = {
    "bios-ipxe-rom": machine(11, FirmwareKind.BIOS_X64),
    "bios-plain-pxe": machine(12, FirmwareKind.BIOS_X64, nic=E1000, plain=True),
    "bios-x86": machine(13, FirmwareKind.BIOS_X86, nic=E1000),
    "uefi-x64-pxe": machine(14, FirmwareKind.UEFI_X64),
    "uefi-x64-ipxe-rom": machine(15, FirmwareKind.UEFI_X64, nic=E1000),
    "uefi-x64-http": machine(16, FirmwareKind.UEFI_X64, extra=HTTP_BOOT_ONLY),
    "uefi-ia32-pxe": machine(17, FirmwareKind.UEFI_IA32),
    "uefi-ia32-http": machine(18, FirmwareKind.UEFI_IA32, extra=HTTP_BOOT_ONLY),
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


PATHS = ("direct", "relay")
IN_THE_LAB = (
    "bios-ipxe-rom", "bios-plain-pxe", "bios-x86",
    "uefi-x64-pxe", "uefi-x64-ipxe-rom", "uefi-ia32-pxe",
)  # fmt: skip
"""Boot beside dnsmasq in tests/vm/test_proof.py."""

_ODD = ("bios-ipxe-rom", "bios-x86", "uefi-x64-ipxe-rom", "uefi-ia32-pxe")
_EVEN = ("bios-plain-pxe", "uefi-x64-pxe", "uefi-x64-http", "uefi-ia32-http")
BESIDE = (
    ("kea-dhcp4", "direct", _EVEN),
    ("dhcpd", "relay", _ODD),
)
BESIDE_LONG = (
    ("kea-dhcp4", "relay", _ODD),
    ("dhcpd", "direct", _ODD),
    ("dhcpd", "relay", _EVEN),
    ("dnsmasq", "relay", ("bios-plain-pxe", "uefi-x64-pxe")),
)
ON_OUR_HOST = (("dnsmasq", ("bios-ipxe-rom", "uefi-ia32-pxe")),)
ON_OUR_HOST_LONG = (
    ("kea-dhcp4", ("uefi-x64-pxe",)),
    ("dhcpd", ("bios-plain-pxe",)),
)


def tiers(short: Sequence[tuple[object, ...]], longer: Sequence[tuple[object, ...]]) -> list[Any]:
    """The rows of a parametrized test, those of the longer tier marked."""
    return [*short, *(pytest.param(*row, marks=pytest.mark.long) for row in longer)]


def boot_all(names: Sequence[str], net: BootLan, wires: LabNetwork) -> dict[str, list[OfferSent]]:
    """Boot these machines; what each was offered, once the reports of all have arrived."""
    with ThreadPoolExecutor(MACHINES_AT_ONCE) as pool:
        runs = dict(zip(names, pool.map(lambda name: _run(name, net, wires), names), strict=True))
    for name, (run, reports) in runs.items():
        well = "result=online" in run.serial and [one.version for one in reports] == [1]
        record(NOTES, name=f"beside other servers: {name}", passed=well, seconds=run.wall_seconds)
        assert well, f"{name}: {run.ending}: {run.words} {reports}\n{run.serial[-1500:]}"
    events = [entry.event for entry in net.site.journal.events_since(0, 100_000)]
    return {
        name: [one for one in events
               if isinstance(one, OfferSent) and one.mac == MACHINES[name].boot_mac]
        for name in names
    }  # fmt: skip


def _run(name: str, net: BootLan, wires: LabNetwork) -> tuple[Run, tuple[Report, ...]]:
    """How the machine ended, and what it told the server: its report may come after its end."""
    told = JournalReports(net.site.journal)
    with Machine(MACHINES[name], wires, net.work / name) as made:
        run = made.run(LIMITS)
    return run, told.arrived([MACHINES[name].boot_mac], expected="result=online" in run.serial)


def files(offers: list[OfferSent]) -> list[str]:
    """What was offered, in order, each once; the script without its machine's own query."""
    named = ("script" if "boot.ipxe" in one.file else one.file for one in offers)
    return list(dict.fromkeys(named))


@pytest.mark.parametrize(("make", "path", "names"), tiers(BESIDE, BESIDE_LONG))
def test_machines_boot_beside_a_dhcp_server_on_another_host(
    boot_lan: BootLan, make: str, path: str, names: tuple[str, ...]
) -> None:
    """On its LAN, or in another subnet with ISC dhcrelay between."""
    boot_lan.give_addresses(make)
    if path == "relay":
        boot_lan.add_branch("10.77.0.1", "10.77.0.2")
        boot_lan.relays = '["10.78.0.0/24"]'
    boot_lan.serve()
    with boot_lan.wires("branch" if path == "relay" else "lan") as wires:
        offered = boot_all(names, boot_lan, wires)

    assert {name: files(offers) for name, offers in offered.items()} == {
        name: FILES[name] for name in names
    }


@pytest.mark.parametrize(("make", "names"), tiers(ON_OUR_HOST, ON_OUR_HOST_LONG))
def test_machines_boot_with_a_dhcp_server_on_our_own_host(
    boot_lan: BootLan, make: str, names: tuple[str, ...]
) -> None:
    """It has port 67 and sends machines to 4011, by the lines that we name; iPXE asks there too."""
    boot_lan.give_addresses(make, host=boot_lan.server, lines=option_60_lines(make))
    boot_lan.serve()
    with boot_lan.wires() as wires:
        offered = boot_all(names, boot_lan, wires)

    for name, offers in offered.items():
        assert files(offers) == FILES[name]
        assert {one.port for one in offers} == {4011}


def test_the_recording_of_such_a_boot_tells_its_story(boot_lan: BootLan) -> None:
    """`netboot check --capture` on what the switch wrote; here HTTP boot meets dnsmasq."""
    boot_lan.give_addresses("dnsmasq")
    boot_lan.serve()
    with boot_lan.wires() as wires:
        boot_all(("uefi-x64-http", "uefi-ia32-http"), boot_lan, wires)
    records = {one.mac: one for one in read_story(boot_lan.work / "lan.pcap").records}
    record = records[MACHINES["uefi-x64-http"].boot_mac]

    assert not any(one.finding()[0] for one in records.values())
    assert [phase.kind for phase in record.phases] == [
        "64-bit UEFI PC, HTTP boot",
        "iPXE on a 64-bit UEFI PC",
    ]


def test_every_pair_is_covered() -> None:
    """What this file promises, counted; the lab's machines count where it says so."""
    rows = [(name, make, path) for make, path, names in (*BESIDE, *BESIDE_LONG) for name in names]
    rows += [("uefi-x64-http", "dnsmasq", "direct"), ("uefi-ia32-http", "dnsmasq", "direct")]
    rows += [(name, "dnsmasq", "direct") for name in IN_THE_LAB]

    assert {row[:2] for row in rows} == set(product(MACHINES, START))
    assert {(name, path) for name, _, path in rows} == set(product(MACHINES, PATHS))
    assert {row[1:] for row in rows} == set(product(START, PATHS))
    assert {make for make, _ in (*ON_OUR_HOST, *ON_OUR_HOST_LONG)} == set(START)
    assert {name for _, _, names in BESIDE for name in names} == set(MACHINES)
    booted = {(one.firmware, one.plain_pxe) for one in load_scenarios()}
    assert {(MACHINES[one].firmware, MACHINES[one].plain_pxe) for one in IN_THE_LAB} <= booted
