"""Capture files as frames: whatever recorded them, however damaged, whoever made them."""

import gzip
import random
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import CookedLinux, Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapNgWriter, PcapWriter, wrpcap

from netboot.diagnose.recordings import recording
from netboot.diagnose.recordings.recording import TCP as TCP_NUMBER
from netboot.diagnose.recordings.recording import UDP as UDP_NUMBER
from netboot.diagnose.recordings.recording import Frame, Recording, cut
from netboot.errors import InvalidInput
from tests.captures import reader

MAC = "52:54:00:77:00:01"
INNER = IP(src="10.0.0.9", dst="10.0.0.2") / UDP(sport=68, dport=67) / Raw(b"hello")


def read(path: Path) -> tuple[list[Frame], str]:
    """The frames of a file, and what is to be known of it."""
    made = Recording(path)
    return list(made.frames()), made.note


def pcap(folder: Path, *packets: Packet, linktype: int = 1, name: str = "x.pcap") -> Path:
    """A pcap file."""
    path = folder / name
    with PcapWriter(str(path), linktype=linktype) as writer:
        for packet in packets:
            writer.write(packet)
    return path


def pcapng(folder: Path, *packets: Packet) -> Path:
    """A pcapng file."""
    path = folder / "x.pcapng"
    with PcapNgWriter(str(path)) as writer:
        for packet in packets:
            writer.write(packet)
    return path


@pytest.mark.parametrize(
    ("packet", "linktype", "mac"),
    [
        (Ether(src=MAC) / INNER, 1, MAC),
        (Ether(src=MAC) / Dot1Q(vlan=7) / INNER, 1, MAC),
        (Ether(src=MAC, type=0x88A8) / Dot1Q(vlan=7) / Dot1Q(vlan=8) / INNER, 1, MAC),
        (CookedLinux(src=bytes.fromhex("525400770001") + bytes(2), lladdrlen=6) / INNER, 113, MAC),
        (INNER, 101, ""),
    ],
    ids=["ethernet", "vlan", "two tags", "tcpdump -i any", "bare IP"],
)
def test_a_datagram_is_found_whatever_it_was_recorded_on(
    tmp_path: Path, packet: Packet, linktype: int, mac: str
) -> None:
    """Its ends, its payload, and who sent it where that is told."""
    ((frame,), note) = read(pcap(tmp_path, packet, linktype=linktype))

    assert (frame.mac, frame.source, frame.target) == (mac, "10.0.0.9", "10.0.0.2")
    assert (frame.protocol, frame.sport, frame.dport) == (UDP_NUMBER, 68, 67)
    assert (frame.payload, note) == (b"hello", "")


def test_the_second_edition_of_cooked_captures_is_read() -> None:
    """LINKTYPE_LINUX_SLL2, which newer tcpdumps write for `-i any`."""
    head = struct.pack(">HHIHBB8s", 0x0800, 0, 3, 1, 0, 6, bytes.fromhex("525400770001"))
    frame = cut(head + bytes(INNER), 276, 1.0)

    assert frame is not None
    assert (frame.mac, frame.payload) == (MAC, b"hello")


def test_tcp_has_flags_and_its_options_are_no_payload(tmp_path: Path) -> None:
    """A request behind a header with options."""
    tcp = TCP(sport=4000, dport=8081, flags="PA", options=[("Timestamp", (1, 2))])
    ((frame,), _) = read(
        pcap(tmp_path, Ether(src=MAC) / IP(src="10.0.0.9", dst="10.0.0.2") / tcp / Raw(b"GET /"))
    )

    assert (frame.protocol, frame.flags, frame.payload) == (TCP_NUMBER, 0x18, b"GET /")


def test_what_carries_no_boot_is_passed_over(tmp_path: Path) -> None:
    """ARP, IPv6, later fragments and torsos."""
    later = IP(src="10.0.0.9", dst="10.0.0.2", frag=5) / Raw(b"x" * 40)
    frames, note = read(
        pcap(
            tmp_path,
            Ether(src=MAC, type=0x0806) / Raw(b"a" * 28),
            Ether(src=MAC, type=0x86DD) / Raw(b"a" * 60),
            Ether(src=MAC) / later,
            Ether(src=MAC, type=0x0800) / Raw(b"\x45\0\0"),
            Ether(src=MAC) / IP(src="10.0.0.9", dst="10.0.0.2") / ICMP(),
        )
    )

    assert [frame.protocol for frame in frames] == [recording.ICMP]
    assert note == ""


@pytest.mark.parametrize("name", reader.captures())
def test_pcapng_and_gzip_tell_what_pcap_tells(tmp_path: Path, name: str) -> None:
    """The recordings of real firmware, written anew."""
    original = reader.FOLDER / f"{name}.pcap"
    packed = tmp_path / "x.pcap.gz"
    packed.write_bytes(gzip.compress(original.read_bytes()))
    from scapy.utils import rdpcap

    again = pcapng(tmp_path, *rdpcap(str(original)))
    expected, note = read(original)

    assert note == ""
    assert read(packed) == (expected, "")
    frames, _ = read(again)
    assert [frame.payload for frame in frames] == [frame.payload for frame in expected]
    assert frames[-1].at == pytest.approx(expected[-1].at, abs=1e-3)


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_a_recording_that_is_cut_off_anywhere_tells_what_it_has_and_says_so(
    tmp_path: Path, write: object
) -> None:
    """Every length of a file of three packets."""
    path = write(tmp_path, *(Ether(src=MAC) / INNER for _ in range(3)))  # type: ignore[operator]
    whole = path.read_bytes()
    wholes = 0
    for size in range(24 if write is pcap else 28, len(whole)):
        path.write_bytes(whole[:size])
        try:
            frames, note = read(path)
        except InvalidInput:
            assert size < 120  # before the first packet
            continue
        wholes += note == ""
        assert len(frames) <= 3
        assert note == "" or "ends in the middle of a packet" in note

    # Between two packets nothing is missing that anybody could see.
    assert wholes == (3 if write is pcap else 4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is neither pcap nor pcapng"),
        (b"MZ" * 100, "is neither pcap nor pcapng"),
        (b"\xd4\xc3\xb2\xa1" + bytes(3), "is not a valid capture file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "is not a valid capture file"),
        (b"\x1f\x8b" + bytes(40), "cannot be unpacked"),
        (gzip.compress(b"no capture at all", mtime=0), "is neither pcap nor pcapng"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_way_to_make_one(
    tmp_path: Path, data: bytes, words: str
) -> None:
    """By its name, not by the folder that it lies in."""
    path = tmp_path / "evil.pcap"
    path.write_bytes(data)

    with pytest.raises(InvalidInput, match=words) as refused:
        read(path)
    assert str(refused.value).startswith("evil.pcap ")
    assert "Wireshark" in refused.value.hint


def test_another_kind_of_network_is_named(tmp_path: Path) -> None:
    """Radio frames hold no Ethernet."""
    path = pcap(tmp_path, Raw(b"x" * 60), linktype=105)
    frames, note = read(path)

    assert frames == []
    assert "link type 105" in note


def test_a_packet_that_claims_four_gigabytes_is_the_end(tmp_path: Path) -> None:
    """Nothing of that size is asked of the memory."""
    path = pcap(tmp_path, Ether(src=MAC) / INNER)
    path.write_bytes(path.read_bytes() + struct.pack("<IIII", 1, 0, 0xFFFFFFFF, 0xFFFFFFFF))
    frames, note = read(path)

    assert len(frames) == 1
    assert "ends in the middle of a packet" in note


def test_a_bomb_is_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some kilobytes of gzip that hold a gigabyte."""
    monkeypatch.setattr(recording, "MOST_BYTES", 1 << 20)
    path = tmp_path / "bomb.pcap.gz"
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    record = struct.pack("<IIII", 1, 0, 60_000, 60_000) + bytes(60_000)
    path.write_bytes(gzip.compress(head + record * 200))
    made = Recording(path)

    assert list(made.frames()) == []
    assert made.packets < 25
    assert made.note == "only the first 1 MiB were read"


def test_so_many_packets_are_read_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it says so."""
    monkeypatch.setattr(recording, "MOST_PACKETS", 2)
    path = tmp_path / "x.pcap"
    wrpcap(str(path), [Ether(src=MAC) / INNER for _ in range(3)])
    frames, note = read(path)

    assert (len(frames), note) == (2, "only the first 2 packets were read")


@given(st.integers(0, 2**32), st.sampled_from([1, 113, 276, 101, 999]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_of_a_frame_are_a_frame_or_nothing(seed: int, link: int) -> None:
    """Damaged ones included."""
    dice = random.Random(seed)
    data = bytearray(bytes(Ether(src=MAC) / INNER) if link == 1 else bytes(INNER))
    for _ in range(dice.randrange(1, 6)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    frame = cut(bytes(data[: dice.randrange(len(data) + 1)]), link, 1.0)

    assert frame is None or frame.protocol in {1, 6, 17}


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_damage_to_a_file_gives_frames_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Both formats, some bytes altered anywhere."""
    dice = random.Random(seed)
    folder = tmp_path_factory.mktemp("damaged")
    write = dice.choice([pcap, pcapng])
    path = write(folder, *(Ether(src=MAC) / INNER for _ in range(3)))
    data = bytearray(path.read_bytes())
    for _ in range(dice.randrange(1, 8)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(data)
    with suppress(InvalidInput):
        frames, _ = read(path)
        assert len(frames) <= 100
