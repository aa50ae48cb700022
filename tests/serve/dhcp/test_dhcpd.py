"""The proxyDHCP server on a LAN of its own, beside real DHCP servers and real clients."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import scapy.packet
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from netboot.boot.answer.dhcp_on_host import option_60_lines
from netboot.boot.answer.proxy_dhcp import Answer, ProxyDhcp, Settings
from netboot.boot.told.events import (
    AddressLearned,
    Discovered,
    ForeignOffer,
    OfferSent,
    RequestIgnored,
)
from netboot.errors import PortTaken
from netboot.protocols.dhcp import MessageType, Packet
from netboot.serve.dhcp import dhcpd as module
from tests.serve.conftest import Daemon, Firmware
from tests.support.boot_requests import BOTH, MAC, SETTINGS, ipxe, published, request, version
from tests.support.dhcp_servers import ADDRESSES, BARE_DNSMASQ, LEASING, wait_for
from tests.support.netlab import Host, Lan, needs_netns

pytestmark = [pytest.mark.netns, needs_netns]

Dhcpd = Callable[..., AbstractContextManager[Daemon]]
MakeFirmware = Callable[..., Firmware]

DNSMASQ = (*BARE_DNSMASQ, "--log-dhcp")
LEASES = (*LEASING, ADDRESSES)


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A LAN with nothing on it."""
    with Lan() as made:
        yield made


def started(host: Host, *argv: str, until: str) -> subprocess.Popen[str]:
    """A program that has printed `until`."""
    program = host.start(*argv)
    wait_for(program, until)
    return program


def address_server(lan: Lan, *more: str) -> Host:
    """dnsmasq that gives addresses, on a host of its own."""
    host = lan.host("dhcp", "10.77.0.1/24")
    started(host, *DNSMASQ, *LEASES, *more, until="DHCP, IP range")
    return host


def test_a_discover_is_answered_by_broadcast_from_port_67(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """And both sides of the story are told."""
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server) as daemon:
        client.send(request())
        offer, source = client.receive()

        assert source == ("10.77.0.2", 67)
        assert offer.message_type is MessageType.OFFER
        assert offer.boot_file == b"snponly.efi"
        discovered = daemon.event(Discovered)
        sent = daemon.event(OfferSent)
    assert (discovered.mac, discovered.firmware, discovered.stage) == (
        "52:54:00:77:00:01", "uefi", "firmware",
    )  # fmt: skip
    assert (sent.file, sent.image, sent.version, sent.port) == ("snponly.efi", "Lab PE x64", 7, 67)
    assert "Lab PE x64 v7 is the default for x64" in sent.reason
    assert daemon.server.counts == {"answered": 1}


def test_an_offer_that_is_delayed_is_sent_later_and_only_so_many_wait(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is told at once; the flood of one that asks without end costs bounded memory."""
    monkeypatch.setattr(module, "_MOST_DELAYED", 1)
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server, settings=replace(SETTINGS, name="eth0", delay=1.0)) as daemon:
        began = time.monotonic()
        client.send(request(xid=1))
        daemon.event(Discovered)
        assert time.monotonic() - began < 0.9
        client.send(request(mac=MAC[:5] + b"\2", xid=2))
        refused = daemon.event(RequestIgnored)
        offer, _ = client.receive()

        assert (offer.xid, time.monotonic() - began > 0.95) == (1, True)
        assert refused.reason == "1 answers wait for the response delay already"
        assert client.hears_nothing()
    assert daemon.server.tallies["eth0"].heard == 2


@pytest.mark.parametrize("first", ["the marked one", "the others"])
def test_a_marked_machine_and_others_of_its_model_are_answered_each_by_its_own_rule(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware, first: str
) -> None:
    """Its image holds no loader of 2023, so it gets iPXE; the others get Microsoft's loader."""
    held = version(chains=("native", "wimboot"), files=("bootmgfw.efi",))
    content = replace(
        published(replace(held, uefi_loaders=(("2011", "bootmgfw.efi"),))),
        authorities={MAC.hex(":"): "2023"},
        supplied={"wimboot": held.files[0]},
    )
    others = [MAC[:5] + bytes((number,)) for number in (2, 3)]
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    found = {}
    with dhcpd(server, content=content) as daemon:
        for mac in [MAC, *others] if first == "the marked one" else [*others, MAC]:
            client.send(request(mac=mac))
            client.receive()
            offered = daemon.event(OfferSent)
            found[offered.mac] = offered.file

    assert found == {
        MAC.hex(":"): "snponly.efi", **{mac.hex(":"): "bootmgfw.efi" for mac in others}
    }  # fmt: skip


def test_the_answer_comes_from_our_address_though_the_card_has_another(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """Clients compare the sender with option 54."""
    server, client = lan.host("srv", "10.66.0.1/16", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server):
        client.send(request())

        assert client.receive()[1] == ("10.77.0.2", 67)


def test_port_4011_answers_the_sender(lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware) -> None:
    """By unicast, from the port that was asked."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.99/24")
    rom = firmware(client, 4011)
    with dhcpd(server) as daemon:
        rom.send(
            request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x63"), ("10.77.0.2", 4011)
        )
        ack, source = rom.receive()

        assert source == ("10.77.0.2", 4011)
        assert (ack.message_type, ack.boot_file) == (MessageType.ACK, b"snponly.efi")
        assert daemon.event(OfferSent).port == 4011


def test_what_is_ignored_is_told_with_its_reason_once(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """A machine of a kind that we have no image for."""
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server) as daemon:
        for xid in range(3):
            client.send(request(architecture=11, xid=xid))
        ignored = daemon.event(RequestIgnored)
        client.send(request())
        client.receive()

        assert ignored.reason == "no default image for arm64"
        daemon.event(OfferSent)
    assert daemon.server.counts == {"ignored": 3, "answered": 1}
    assert daemon.events.empty()


def test_a_request_joins_machine_and_address(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """The broadcast to the DHCP server tells us which address the machine takes."""
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server) as daemon:
        client.send(request())
        client.send(request(message=MessageType.REQUEST, options={50: b"\x0a\x4d\0\x63"}))
        learned = daemon.event(AddressLearned)

        assert (learned.mac, learned.ip) == ("52:54:00:77:00:01", "10.77.0.99")
        assert daemon.learned == [("52:54:00:77:00:01", "10.77.0.99")]


def test_hostile_datagrams_do_not_disturb_the_next_boot(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """The line that killed a WDS among them (KB3073881), to both ports."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.99/24")
    rom = firmware(client)
    good = bytes(request())
    hostile = [b"default send string", b"", b"%n%s", b"\0" * 300, good[:240], good[:250],
               b"\xff" * 1400, good[:236] + b"\x63\x82\x53\x63" + b"\x35" * 60,
               good[:240] + b"\x34\x01\x03\xff", b"A" * 2196]  # fmt: skip
    with dhcpd(server) as daemon:
        for data in hostile:
            rom.send(data)
            rom.send(data, ("10.77.0.2", 4011))
        rom.send(good)

        assert rom.receive()[0].boot_file == b"snponly.efi"
    assert daemon.server.counts["answered"] == 1
    counts = daemon.server.counts
    assert counts["malformed"] + counts["ignored"] == 2 * len(hostile)
    assert counts["malformed"] > counts["ignored"]


@pytest.mark.parametrize(
    "argv",
    [
        ("udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", "/bin/true"),
        ("dhclient", "-v", "-1", "-sf", "/bin/true", "-pf", "/dev/null", "-lf", "/dev/null",
         "eth0"),
    ],
    ids=["udhcpc", "dhclient"],
)  # fmt: skip
def test_ordinary_clients_get_their_leases_undisturbed(
    lan: Lan, dhcpd: Dhcpd, argv: tuple[str, ...]
) -> None:
    """Beside us dnsmasq gives addresses; we send such clients nothing at all."""
    address_server(lan)
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli")
    with dhcpd(server) as daemon:
        said = client.run(*argv)

        assert re.search(r"(lease of|bound to) 10\.77\.0\.1", said), said
        assert daemon.server.counts["answered"] == 0
        assert daemon.events.empty()


def test_a_pxe_client_gets_an_address_from_dnsmasq_and_a_file_from_us(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """Two offers to one DISCOVER, as on every site with proxyDHCP."""
    address_server(lan)
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server):
        client.send(ipxe())
        offers = {source[0]: packet for packet, source in (client.receive(), client.receive())}

    assert offers["10.77.0.1"].your_address[:3] == b"\x0a\x4d\0"
    assert offers["10.77.0.2"].your_address == bytes(4)
    assert offers["10.77.0.2"].boot_file.startswith(b"http://10.77.0.2:8081/boot.ipxe?")


def test_firmware_that_takes_no_offer_is_named_with_the_dhcp_server(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """The tap heard dnsmasq offer an address, so merging is what fails."""
    address_server(lan)
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server) as daemon:
        for _ in range(2):
            client.send(request())
            client.receive()
            client.receive()
            daemon.event(OfferSent)
        row = daemon.server._proxy._recent.known(MAC)
        until = time.monotonic() + 5
        while not row.address_offered_by:  # the tap has its own turn in the loop
            assert time.monotonic() < until
        row.streak_began -= 12  # twelve seconds go by
        client.send(request())
        warning = daemon.event(OfferSent).warning

    assert "although 10.77.0.1 offered an address: this firmware does not merge" in warning


def test_a_boot_request_that_cannot_be_read_is_told_of(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """With its machine where that can be seen; other hosts' broken packets are only counted."""
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    packet = bytes(request())
    cut = packet[:240] + b"\x3c\x09PXEClient" + b"\x5d\xff\0"
    with dhcpd(server) as daemon:
        client.send(packet[:240] + b"\x0c\xff")
        client.send(cut)
        ignored = daemon.event(RequestIgnored)

    assert (ignored.mac, ignored.ip) == ("52:54:00:77:00:01", "")
    assert ignored.reason == "its request cannot be read: option 93 runs past the end"
    assert daemon.server.counts["malformed"] == 2


def test_another_boot_server_is_noticed(lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware) -> None:
    """dnsmasq in proxy mode on a third host."""
    rogue = lan.host("rogue", "10.77.0.9/24")
    started(rogue, *DNSMASQ, "--dhcp-range=10.77.0.0,proxy",
            "--pxe-service=X86-64_EFI,Evil,evil.efi", until="DHCP, proxy")  # fmt: skip
    server, client = lan.host("srv", "10.77.0.2/24"), firmware(lan.host("cli"))
    with dhcpd(server) as daemon:
        client.send(request())
        foreign = daemon.event(ForeignOffer)

    assert (foreign.server, foreign.mac) == ("10.77.0.9", "52:54:00:77:00:01")


def test_beside_a_dhcp_server_on_the_same_host_we_serve_4011_only(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware
) -> None:
    """dnsmasq holds 67; with the lines that we name it sends boot clients to us."""
    lines = option_60_lines("dnsmasq").splitlines()
    server = lan.host("srv", "10.77.0.2/24")
    started(server, *DNSMASQ, *LEASES, *(f"--{line}" for line in lines), until="DHCP, IP range")
    client = lan.host("cli", "10.77.0.99/24")
    rom = firmware(client)
    with dhcpd(server) as daemon:
        rom.send(request())
        offer, _ = rom.receive()
        rom.send(
            request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x63"), ("10.77.0.2", 4011)
        )
        ack, source = rom.receive()

        assert daemon.server.ports == (4011,)
    assert "UDP port 67 is taken by" in daemon.server.notes[0]
    assert offer.options[60] == b"PXEClient"
    assert offer.options[54] == b"\x0a\x4d\0\x02"
    assert (ack.boot_file, source) == (b"snponly.efi", ("10.77.0.2", 4011))


def test_the_dhcp_server_on_the_same_host_is_named_with_the_lines_that_it_needs(lan: Lan) -> None:
    """In a process of its own, as in life: who holds a port is read from /proc."""
    lines = option_60_lines("dnsmasq")
    server = lan.host("srv", "10.77.0.2/24")
    started(server, *DNSMASQ, *LEASES, until="DHCP, IP range")
    said = server.run(sys.executable, "-c", OPEN_AND_TELL)

    assert "UDP port 67 is taken by dnsmasq (process " in said
    assert lines in said


OPEN_AND_TELL = """
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.udp import Loop
from netboot.boot.answer.proxy_dhcp import ProxyDhcp
from tests.support.boot_requests import BOTH, SETTINGS
server = DhcpServer(loop=Loop(), interface="eth0",
                    proxy=ProxyDhcp(SETTINGS, lambda: BOTH), emit=print, learn=print)
print(*server.notes)
"""


def test_where_no_port_is_left_the_holder_is_named(lan: Lan, dhcpd: Dhcpd) -> None:
    """Two of us on one card make no sense."""
    server = lan.host("srv", "10.77.0.2/24")
    with dhcpd(server), pytest.raises(PortTaken, match="port 4011 is taken by"), dhcpd(server):
        pass


def test_two_thousand_discovers_a_second_are_all_answered(lan: Lan, dhcpd: Dhcpd) -> None:
    """A boot storm of three seconds by perfdhcp, whose requests come as through a relay."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.99/24")
    settings = Settings(server="10.77.0.2", relays=(IPv4Network("10.77.0.99/32"),))
    with dhcpd(server, settings=settings) as daemon:
        said = client.run(
            "perfdhcp", "-4", "-i", "-l", "eth0", "-r", "2000", "-R", "6000", "-n", "6000",
            "-o", "60," + b"PXEClient:Arch:00007:UNDI:003000".hex(), "-o", "93,0007",
            "-o", "97,0000112233445566778899aabbccddeeff", "all",
            check=False, timeout=60,
        )  # fmt: skip

        sent = int(re.findall(r"sent packets: (\d+)", said)[0])
        for _ in range(sent):
            daemon.event(OfferSent)
    assert sent >= 6000, said
    assert daemon.server.counts == {"answered": sent}


def test_tshark_finds_nothing_wrong_with_what_we_send(
    lan: Lan, dhcpd: Dhcpd, firmware: MakeFirmware, tmp_path: Path
) -> None:
    """Every answer for every kind of client, read by an independent dissector."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.99/24")
    rom, boot_server = firmware(client), firmware(client, 4011)
    frames = []
    with dhcpd(server):
        for code in (0, 6, 7, 9, 15, 16):
            name = b"HTTPClient" if code > 9 else b"PXEClient"
            mac = MAC[:5] + bytes((code,))
            for packet in (
                request(architecture=code, vendor_class=name, xid=code),
                ipxe(architecture=code, xid=100 + code),
            ):
                rom.send(packet._replace(mac=mac))
                frames.append(as_frame(rom.receive(), 68))
            asked = request(
                message=MessageType.REQUEST,
                architecture=code,
                vendor_class=name,
                mac=mac,
                address=b"\x0a\x4d\0\x63",
                options={43: bytes.fromhex("470480000000ff"), 82: b"\x01\x04eth0"},
            )
            boot_server.send(asked, ("10.77.0.2", 4011))
            frames.append(as_frame(boot_server.receive(), 4011))
    wrpcap(str(tmp_path / "sent.pcap"), frames)

    assert tshark(tmp_path / "sent.pcap", "dhcp") == 18
    assert tshark(tmp_path / "sent.pcap", "_ws.malformed || _ws.expert.severity>=6291456") == 0


@pytest.mark.long
def test_tshark_finds_nothing_wrong_with_ten_thousand_answers(tmp_path: Path) -> None:
    """Every architecture, message, port and relay, with options that firmware sends oddly."""
    dice = random.Random(2131)
    proxy = ProxyDhcp(SETTINGS, lambda: BOTH)
    answered: list[scapy.packet.Packet] = []
    for number in range(100_000):
        packet, port = any_request(dice, number)
        outcome, *_ = proxy.receive(
            bytes(packet), port=port, source=("10.77.0.9", 68), now=number / 10
        )
        if isinstance(outcome, Answer):
            sent = (Packet.from_bytes(outcome.payload), (SETTINGS.server, port))
            answered.append(as_frame(sent, outcome.destination[1]))
        if len(answered) == 10_000:
            break
    wrpcap(str(tmp_path / "sent.pcap"), answered)

    assert tshark(tmp_path / "sent.pcap", "dhcp") == 10_000
    assert tshark(tmp_path / "sent.pcap", "_ws.malformed || _ws.expert.severity>=6291456") == 0


def any_request(dice: random.Random, number: int) -> tuple[Packet, int]:
    """A request that some firmware might send, and the port that it goes to."""
    code = dice.choice((0, 6, 7, 9, 15, 16, 17, 20, *range(42)))
    more = {
        43: dice.choice((b"\x47\x04\x80\0\0\0\xff", b"\x47\x04\0\0", dice.randbytes(9))),
        57: dice.choice((b"\x05\xc0", b"\x02\x40", b"\0\0", b"\x01")),
        60: dice.choice((b"HTTPClient:Arch:00016:UNDI:003001", b"PXEClient")),
        61: b"\x01" + MAC,
        77: dice.choice((b"iPXE", b"\x04iPXE", b"gPXE")),
        82: b"\x01" + bytes((size := dice.randrange(1, 200),)) + b"c" * size,
        93: dice.choice((b"", b"\0", b"\0\x07\0\x09")),
        97: dice.choice((b"", b"\0" * 17, dice.randbytes(16), b"\0" + dice.randbytes(16))),
        175: bytes.fromhex("b105018086100eeb03010000"),
    }
    chosen = {name: more[name] for name in sorted(dice.sample(sorted(more), dice.randrange(6)))}
    discovers = dice.random() < 0.6
    packet = request(
        message=MessageType.DISCOVER if discovers else MessageType.REQUEST,
        architecture=code,
        mac=b"\x52" + number.to_bytes(5, "big"),
        xid=number,
        relay=dice.choice((bytes(4), b"\x0a\x4e\0\x01")) if discovers else bytes(4),
        address=bytes(4) if discovers else b"\x0a\x4d\0\x63",
        options=chosen,
    )
    return packet, 67 if discovers else 4011


def as_frame(received: tuple[Packet, tuple[str, int]], port: int) -> scapy.packet.Packet:
    """What came, as it was on the wire."""
    packet, source = received
    return (
        Ether(dst="ff:ff:ff:ff:ff:ff")
        / IP(src=source[0], dst="255.255.255.255")
        / UDP(sport=source[1], dport=port)
        / bytes(packet)
    )


def tshark(capture: Path, condition: str) -> int:
    """How many packets of a capture fulfil `condition`."""
    done = subprocess.run(
        ["tshark", "-r", str(capture), "-Y", condition, "-T", "fields", "-e", "frame.number"],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(done.stdout.split())
