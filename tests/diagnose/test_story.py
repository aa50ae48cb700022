"""The story of a capture, machine by machine."""

from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Frame
from scapy.packet import Raw
from scapy.utils import wrpcap

from netboot.diagnose.story import read_story
from netboot.errors import InvalidInput
from tests.boot_requests import request
from tests.captures import reader

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
        "TFTP: knows the size of snponly.efi now",
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
        "ok: it came as far as 10.77.0.2:80/amd64/boot.wim.cpio",
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
        ((READ,), (True, "10.0.0.2 never answered for x.efi [PXE-E32]")),
        ((READ, answer(b"\0\3\0\1data")), (False, "it came as far as x.efi")),
        (
            (READ, answer(b"\0\5\0\1no such file\0")),
            (True, "x.efi was refused by 10.0.0.2: no such file"),
        ),
        (
            (frame(TCP(sport=4000, dport=8081, flags="S")),),
            (True, "10.0.0.2 never answered for a connection to port 8081"),
        ),
        (
            (
                frame(TCP(sport=4000, dport=8081, flags="PA") / Raw(b"GET /a HTTP/1.1\r\n\r\n")),
                frame(
                    TCP(sport=8081, dport=4000, flags="PA") / Raw(b"HTTP/1.1 404 Not Found\r\n"),
                    source="10.0.0.2",
                ),
            ),
            (True, "10.0.0.2:8081/a was refused by 10.0.0.2: HTTP 404 Not Found"),
        ),
    ],
)
def test_transfers_end_well_or_are_named(
    tmp_path: Path, frames: tuple[Frame, ...], finding: tuple[bool, str]
) -> None:
    """TFTP and HTTP, answered, refused, or met with silence."""
    (record,) = read_story(written(tmp_path, *frames)).records

    assert record.finding() == finding


def test_a_capture_without_a_boot_says_so(tmp_path: Path) -> None:
    """Other hosts' traffic is no story."""
    path = tmp_path / "other.pcap"
    wrpcap(str(path), [frame(UDP(sport=5, dport=5) / Raw(b"x"))])

    assert list(read_story(path).lines()) == [
        "No machine asked for a network boot in this capture."
    ]
    assert read_story(path).as_data() == {"machines": []}


def test_what_is_no_capture_is_an_operators_fault(tmp_path: Path) -> None:
    """With a hint."""
    path = tmp_path / "no.pcap"
    path.write_bytes(b"")

    with pytest.raises(InvalidInput, match="cannot be read as a capture"):
        read_story(path)
