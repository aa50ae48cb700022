"""The made-up machines say what real firmware says."""

from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from netboot.boot.answer.client import BootClient, Stage, identify
from netboot.boot.told.check_machines import is_made_up
from netboot.diagnose.asking.firmware import KINDS, Kind, Machine
from netboot.images.architecture import Architecture
from netboot.protocols.dhcp import Packet
from tests.captures import reader
from tests.serve.dhcp.test_dhcpd import tshark

RECORDED = {
    "uefi-x64": "uefi64-edk2-native-snponly",
    "uefi-x86": "uefi32-edk2-native-grub",
    "http-x64": "uefi64-httpboot-snponly",
    "http-x86": "uefi32-httpboot-grub",
    "bios": "bios-plainpxe-emulated-4011",
    "ipxe-bios": "bios-x64-seabios-ipxerom",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_our_server_takes_each_kind_for_what_it_is(kind: Kind) -> None:
    """Built with scapy, read with our own codec."""
    machine = Machine.new(kind)
    client = identify(Packet.from_bytes(machine.discover()))

    assert isinstance(client, BootClient)
    assert is_made_up(client.mac)
    assert client.stage is (
        Stage.IPXE if kind.ipxe else Stage.FIRMWARE_HTTP if kind.http else Stage.FIRMWARE
    )
    if kind.runs in {"x64", "x86"}:
        assert client.architecture is Architecture(kind.runs)


@pytest.mark.parametrize(("key", "capture"), RECORDED.items())
def test_each_kind_asks_as_it_was_recorded(key: str, capture: str) -> None:
    """The same options, and the same values where they are not the machine's own."""
    kind = next(one for one in KINDS if one.key == key)
    recorded = Packet.from_bytes(reader.dhcp(capture)[0].payload)
    made = Packet.from_bytes(Machine.new(kind).discover())
    same = (53, 57, 60, 77, 93, 94)

    assert {code: made.options.get(code) for code in same} == {
        code: recorded.options.get(code) for code in same
    }
    assert set(made.options) <= set(recorded.options)


def test_a_boot_request_has_an_address_and_wants_no_broadcast() -> None:
    """As firmware asks on port 4011."""
    packet = Packet.from_bytes(Machine.new(KINDS[1]).boot_request("10.77.0.50"))

    assert packet.client_address == bytes((10, 77, 0, 50))
    assert (packet.flags, packet.options[53]) == (0, b"\x03")


def test_a_relayed_discover_names_the_relay() -> None:
    """giaddr and a hop."""
    packet = Packet.from_bytes(Machine.new(KINDS[1]).relayed_discover("10.78.0.1"))

    assert (packet.relay, packet.hops) == (bytes((10, 78, 0, 1)), 1)


def test_no_two_machines_are_alike() -> None:
    """Limits count each for itself."""
    machines = [Machine.new(KINDS[0]) for _ in range(20)]

    assert len({one.mac for one in machines}) == len({one.xid for one in machines}) == 20


@pytest.mark.parametrize(("key", "code"), [("bios", 0), ("uefi-x64", 7), ("http-x64", 7)])
def test_a_machine_that_was_given_ipxe_asks_again_as_such(key: str, code: int) -> None:
    """The same card, another transaction, PXE whatever it was before."""
    machine = Machine.new(next(one for one in KINDS if one.key == key))
    again = machine.as_ipxe()
    client = identify(Packet.from_bytes(again.discover()))

    assert isinstance(client, BootClient)
    assert (client.stage, client.architecture_code) == (Stage.IPXE, code)
    assert (client.mac, again.xid != machine.xid) == (machine.written_mac, True)


def test_an_http_machine_has_a_twin_that_asks_on_4011() -> None:
    """To learn whether the server is alive at all."""
    twin = Machine.new(next(one for one in KINDS if one.key == "http-x86")).by_pxe()
    client = identify(Packet.from_bytes(twin.boot_request("10.77.0.50")))

    assert isinstance(client, BootClient)
    assert (client.stage, client.architecture_code) == (Stage.FIRMWARE, 6)


def test_tshark_finds_nothing_wrong_with_what_the_check_sends(tmp_path: Path) -> None:
    """A server that is strict must not be able to say that the check asked wrongly."""
    packets = []
    for kind in KINDS:
        machine = Machine.new(kind)
        packets += [
            machine.discover(),
            machine.relayed_discover("10.78.0.1"),
            machine.boot_request("10.77.0.50"),
            machine.as_ipxe().discover(),
        ]
    link = Ether(dst="ff:ff:ff:ff:ff:ff") / IP(dst="255.255.255.255") / UDP(sport=68, dport=67)
    wrpcap(str(tmp_path / "asked.pcap"), [link / packet for packet in packets])

    assert tshark(tmp_path / "asked.pcap", "dhcp") == len(packets)
    assert tshark(tmp_path / "asked.pcap", "_ws.malformed || _ws.expert.severity>=6291456") == 0
