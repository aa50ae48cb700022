"""The story of a capture, machine by machine."""

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Frame
from scapy.packet import Raw
from scapy.utils import wrpcap

from netboot.diagnose.recordings.story import MOST_MACHINES, read_story
from netboot.errors import InvalidInput
from tests.captures import reader
from tests.support.boot_requests import request

MAC = "52:54:00:77:00:01"


def story_of(name: str) -> list[str]:
    """A capture's story without its times."""
    lines = list(read_story(reader.FOLDER / f"{name}.pcap").lines())
    return [line[12:] if line[11:12] == "s" else line for line in lines]


def test_a_recorded_boot_reads_like_what_happened() -> None:
    """OVMF's PXE, then snponly.efi, as recorded."""
    assert [line.strip() for line in story_of("uefi64-edk2-native-snponly")] == [
        "Machine 52:54:00:77:00:01",
        "DISCOVER: 64-bit UEFI PC",
        "OFFER of 10.77.0.1: the address 10.77.0.199",
        "OFFER of 10.77.0.2 (port 67): the boot file snponly.efi",
        "REQUEST: takes the address of 10.77.0.1",
        "ACK of 10.77.0.1: the address 10.77.0.199",
        "asks 10.77.0.2 on port 4011",
        "ACK of 10.77.0.2 (port 4011): the boot file snponly.efi",
        "TFTP: asks 10.77.0.2 for snponly.efi",
        "TFTP: got the size of snponly.efi",
        "TFTP: asks 10.77.0.2 for snponly.efi",
        "DISCOVER: iPXE on a 64-bit UEFI PC",
        "OFFER of 10.77.0.2 (port 67): the boot file http://10.77.0.2/amd64/efi.ipxe",
        "OFFER of 10.77.0.1: the address 10.77.0.199",
        "REQUEST: takes the address of 10.77.0.1",
        "ACK of 10.77.0.1: the address 10.77.0.199",
        "HTTP: asks 10.77.0.2 for 10.77.0.2:80/amd64/efi.ipxe",
        "HTTP: asks 10.77.0.2 for 10.77.0.2:80/amd64/vmlinuz",
        "HTTP: asks 10.77.0.2 for 10.77.0.2:80/amd64/initrd.gz",
        "HTTP: asks 10.77.0.2 for 10.77.0.2:80/amd64/boot.wim.cpio",
        "ok: it got as far as 10.77.0.2:80/amd64/boot.wim.cpio",
    ]


@pytest.mark.parametrize("name", reader.captures())
def test_what_booted_is_not_called_broken(name: str) -> None:
    """The one that failed was let down by dnsmasq, which knows no HTTP boot."""
    assert read_story(reader.FOLDER / f"{name}.pcap").failed is (
        name == "uefi32-edk2-native-dnsmasq-proxy"
    )


def frame(layers: Frame, *, source: str = "10.0.0.99", target: str = "10.0.0.2") -> Frame:
    """From the machine, or to it."""
    return Ether(src=MAC, dst="02:00:00:00:00:01") / IP(src=source, dst=target) / layers


def written(folder: Path, *frames: Frame) -> Path:
    """A capture of these frames after a DISCOVER, an address and a boot file."""
    path = folder / "story.pcap"
    discover = request()
    address = discover._replace(
        op=2, your_address=bytes((10, 0, 0, 99)), options={53: b"\2", 54: bytes((10, 0, 0, 1))}
    )
    boot = discover._replace(
        op=2, boot_file=b"x.efi", options={53: b"\2", 54: bytes((10, 0, 0, 2)), 60: b"PXEClient"}
    )
    opening = [
        frame(UDP(sport=68, dport=67) / Raw(bytes(discover))),
        frame(UDP(sport=67, dport=68) / Raw(bytes(address)), source="10.0.0.1"),
        frame(UDP(sport=67, dport=68) / Raw(bytes(boot)), source="10.0.0.2"),
    ]
    wrpcap(str(path), [*opening, *frames])
    return path


READ = frame(UDP(sport=2000, dport=69) / Raw(b"\0\1x.efi\0octet\0"))


def answer(payload: bytes) -> Frame:
    """From the server's port of the transfer."""
    return frame(UDP(sport=3000, dport=2000) / Raw(payload), source="10.0.0.2", target="10.0.0.99")


@pytest.mark.parametrize(
    ("frames", "finding"),
    [
        ((READ,), (True, "10.0.0.2 did not answer for x.efi [PXE-E32]")),
        ((READ, answer(b"\0\3\0\1data")), (False, "it got as far as x.efi")),
        (
            (READ, answer(b"\0\5\0\1no such file\0")),
            (True, "10.0.0.2 refused x.efi: no such file"),
        ),
        (
            (frame(TCP(sport=4000, dport=8081, flags="S")),),
            (True, "10.0.0.2 did not answer for a connection to port 8081"),
        ),
        (
            (
                frame(TCP(sport=4000, dport=8081, flags="PA") / Raw(b"GET /a HTTP/1.1\r\n\r\n")),
                frame(
                    TCP(sport=8081, dport=4000, flags="PA") / Raw(b"HTTP/1.1 404 Not Found\r\n"),
                    source="10.0.0.2",
                    target="10.0.0.99",
                ),
            ),
            (True, "10.0.0.2 refused 10.0.0.2:8081/a: HTTP 404 Not Found"),
        ),
    ],
)
def test_transfers_end_well_or_are_named(
    tmp_path: Path, frames: tuple[Frame, ...], finding: tuple[bool, str]
) -> None:
    """TFTP and HTTP, answered, refused, or met with silence."""
    (record,) = read_story(written(tmp_path, *frames)).records

    assert record.finding() == finding


def from_router(layers: Frame, *, source: str = "10.0.0.99", target: str = "10.0.0.2") -> Frame:
    """As it arrives behind a router: the frame bears the router's address."""
    return Ether(src="02:00:00:00:00:99") / IP(src=source, dst=target) / layers


def test_behind_a_relay_the_machine_is_known_by_its_address(tmp_path: Path) -> None:
    """Its requests for files come with the router's MAC, as on a server's own card."""
    discover = request(relay=bytes((10, 0, 9, 1)))
    address = discover._replace(
        op=2, your_address=bytes((10, 0, 9, 99)), options={53: b"\2", 54: bytes((10, 0, 0, 1))}
    )
    boot = discover._replace(
        op=2, boot_file=b"x.efi", options={53: b"\2", 54: bytes((10, 0, 0, 2)), 60: b"PXEClient"}
    )
    relay = {"source": "10.0.9.1", "target": "10.0.0.2"}
    server = {"source": "10.0.0.2", "target": "10.0.9.1"}
    path = tmp_path / "relayed.pcap"
    wrpcap(str(path), [
        from_router(UDP(sport=67, dport=67) / Raw(bytes(discover)), **relay),
        from_router(
            UDP(sport=67, dport=67) / Raw(bytes(address)), **server | {"source": "10.0.0.1"}
        ),
        from_router(UDP(sport=67, dport=67) / Raw(bytes(boot)), **server),
        from_router(UDP(sport=2000, dport=69) / Raw(b"\0\1x.efi\0octet\0"), source="10.0.9.99"),
        from_router(UDP(sport=3000, dport=2000) / Raw(b"\0\3\0\1data"), source="10.0.0.2",
                    target="10.0.9.99"),
    ])  # fmt: skip
    (record,) = read_story(path).records

    assert record.finding() == (False, "it got as far as x.efi")
    assert record.lines[0][1] == "DISCOVER: 64-bit UEFI PC, through the relay 10.0.9.1"


def test_a_packet_that_a_bridge_or_a_relay_shows_again_is_told_once(tmp_path: Path) -> None:
    """`tcpdump -i any` on such a host; a machine's own try comes seconds later."""
    discover = UDP(sport=68, dport=67) / Raw(bytes(request()))
    passed_on = UDP(sport=67, dport=67) / Raw(bytes(request(relay=bytes((10, 0, 9, 1)))))
    frames = [frame(discover), frame(discover), from_router(passed_on), frame(discover)]
    for number, at in enumerate((1.0, 1.001, 1.002, 5.0)):
        frames[number].time = at
    path = tmp_path / "twice.pcap"
    wrpcap(str(path), frames)
    (record,) = read_story(path).records

    assert [words for _, words in record.lines] == [
        "DISCOVER: 64-bit UEFI PC",
        "DISCOVER: 64-bit UEFI PC, try 2",
    ]


def test_a_closed_port_is_told_by_who_closed_it(tmp_path: Path) -> None:
    """ICMP for TFTP, a reset for HTTP."""
    refusal = ICMP(type=3, code=3) / IP(src="10.0.0.99", dst="10.0.0.2") / UDP(sport=2000, dport=69)
    tftp = written(tmp_path, READ, frame(refusal / Raw(b"\0\1"), source="10.0.0.2",
                                         target="10.0.0.99"))  # fmt: skip
    (record,) = read_story(tftp).records
    assert record.finding() == (
        True,
        "10.0.0.2 refused x.efi: its UDP port 69 is closed",
    )

    knock = frame(TCP(sport=4000, dport=8081, flags="S"))
    reset = frame(TCP(sport=8081, dport=4000, flags="RA"), source="10.0.0.2", target="10.0.0.99")
    (record,) = read_story(written(tmp_path, knock, reset)).records
    assert record.finding()[1].endswith(
        "refused a connection to port 8081: its TCP port 8081 is closed"
    )


def test_a_capture_without_a_boot_says_so(tmp_path: Path) -> None:
    """Other hosts' traffic is no story."""
    path = tmp_path / "other.pcap"
    wrpcap(str(path), [frame(UDP(sport=5, dport=5) / Raw(b"x"))])
    story = read_story(path)

    (line,) = story.lines()
    assert line.startswith("Note: no machine requests a network boot in this capture of 1 packets")
    assert (story.as_data()["machines"], story.failed) == ([], False)


def test_a_flood_of_machines_is_told_in_part(tmp_path: Path) -> None:
    path = tmp_path / "flood.pcap"
    wrpcap(str(path), [
        frame(UDP(sport=68, dport=67) / Raw(bytes(request(mac=b"\2\0\0\0" + n.to_bytes(2, "big")))))
        for n in range(MOST_MACHINES + 50)
    ])  # fmt: skip
    story = read_story(path)

    assert len(story.records) == MOST_MACHINES
    assert "50 more machines booted" in story.notes[0]


def test_what_packets_say_is_shown_in_printable_ascii(tmp_path: Path) -> None:
    """And not at any length."""
    evil = b"\0\1<script>\x1b[31m" + b"a" * 900 + b"\0octet\0"
    (record,) = read_story(written(tmp_path, frame(UDP(sport=2000, dport=69) / Raw(evil)))).records
    words = record.lines[-1][1]

    assert r"<script>\x1b[31maaa" in words
    assert len(words) < 300


def test_a_machine_that_boots_in_circles_does_not_grow_without_end(tmp_path: Path) -> None:
    """Thousands of boots in one recording: the first lines, and the end."""
    asks = []
    for number in range(600):
        again = UDP(sport=68, dport=67) / Raw(
            bytes(request(xid=number, architecture=7 - number % 2))
        )
        asks.append(frame(again))
        asks[-1].time = float(number)
    path = tmp_path / "circles.pcap"
    wrpcap(str(path), asks)
    (record,) = read_story(path).records

    assert len(record.lines) == 201
    assert record.lines[-1][1] == "the rest of this long recording is left out"
    assert len(record.phases) == 50


def test_what_is_no_capture_is_an_operators_fault(tmp_path: Path) -> None:
    """With a hint."""
    path = tmp_path / "no.pcap"
    path.write_bytes(b"")

    with pytest.raises(InvalidInput, match="is empty"):
        read_story(path)
