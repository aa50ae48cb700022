"""The bytes of answers."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from netboot.boot.answer import reply
from netboot.boot.answer.client import BootClient, identify
from netboot.boot.answer.quirks import ASK_BOOT_SERVER, DIRECT, FILE_ONLY, Shape
from netboot.protocols.dhcp import MessageType, Packet, from_dotted
from tests.support.boot_requests import MACHINE_ID, ipxe, request

SERVER = reply.Server("10.77.0.2")
NEVER = {1, 3, 6, 15, 51, 58, 59}  # what only the DHCP server may say


def offered(packet: Packet, file: str, shape: Shape) -> Packet | None:
    """Our OFFER for `packet`."""
    client = identify(packet)
    assert isinstance(client, BootClient)
    wording = reply.offer_wording(file, shape, speaks_http=client.speaks_http, server=SERVER)
    made = reply.offer(packet, wording)
    return Packet.from_bytes(made) if made is not None else None


def acknowledged(packet: Packet, file: str) -> Packet:
    """Our ACK for `packet`."""
    client = identify(packet)
    assert isinstance(client, BootClient)
    made = reply.acknowledge(
        packet, file=file, shape=DIRECT, speaks_http=client.speaks_http, server=SERVER
    )
    assert made is not None
    return Packet.from_bytes(made)


def test_a_direct_offer_fills_every_field_that_a_rom_may_read() -> None:
    """BOOTP fields and options both, NULs behind the options, discovery switched off."""
    made = offered(request(architecture=0), "undionly.kpxe", DIRECT)

    assert made == Packet(
        op=2,
        xid=0x1234,
        mac=request().mac,
        flags=0x8000,
        next_server=from_dotted("10.77.0.2"),
        server_name=b"10.77.0.2",
        boot_file=b"undionly.kpxe",
        options={
            53: b"\x02",
            54: from_dotted("10.77.0.2"),
            60: b"PXEClient",
            97: MACHINE_ID,
            43: b"\x06\x01\x08\xff",
            66: b"10.77.0.2\0",
            67: b"undionly.kpxe\0",
        },
    )


def test_an_offer_that_sends_to_4011_names_no_file() -> None:
    """No option 43, no file, but who we are."""
    made = offered(request(), "snponly.efi", ASK_BOOT_SERVER)

    assert made is not None
    assert (made.boot_file, made.next_server) == (b"", from_dotted("10.77.0.2"))
    assert set(made.options) == {53, 54, 60, 97}


def test_http_boot_hears_its_own_word() -> None:
    """A client that said HTTPClient ignores PXEClient."""
    packet = request(architecture=16, vendor_class=b"HTTPClient:Arch:00016:UNDI:003000")
    made = offered(packet, "http://10.77.0.2:8081/p/snponly.efi", FILE_ONLY)

    assert made is not None
    assert made.options[60] == b"HTTPClient"
    assert made.options[67] == b"http://10.77.0.2:8081/p/snponly.efi"
    assert 43 not in made.options


def test_a_name_that_does_not_fit_the_field_stands_in_option_67_alone() -> None:
    """127 bytes and a NUL are all that BOOTP has."""
    long, short = "h" * 128, "h" * 127
    by_option, by_both = offered(ipxe(), long, FILE_ONLY), offered(ipxe(), short, FILE_ONLY)

    assert by_option is not None
    assert (by_option.boot_file, by_option.options[67]) == (b"", long.encode())
    assert by_both is not None
    assert by_both.boot_file == by_both.options[67] == short.encode()


def test_relay_information_is_echoed_last() -> None:
    """RFC 3046 §2.2: a relay looks for it at the end."""
    packet = request(options={82: b"\x01\x04eth0", 12: b"x"}, relay=b"\x0a\x4e\0\1")
    made = offered(packet, "snponly.efi", DIRECT)

    assert made is not None
    assert list(made.options.items())[-1] == (82, b"\x01\x04eth0")
    assert made.relay == b"\x0a\x4e\0\1"


@pytest.mark.parametrize("value", [b"", b"\0" * 16, b"\0" * 18])
def test_an_odd_machine_id_is_not_mirrored(value: bytes) -> None:
    """Only 17 bytes are option 97."""
    made = offered(request(options={97: value}), "snponly.efi", DIRECT)

    assert made is not None
    assert 97 not in made.options


def test_an_ack_answers_the_boot_item_that_was_asked() -> None:
    """As dnsmasq does for iPXE in a capture."""
    packet = request(message=MessageType.REQUEST, options={43: bytes.fromhex("470480000000ff")})

    assert acknowledged(packet, "x").options[43] == bytes.fromhex("470480000000ff")


def test_an_ack_keeps_the_clients_address_and_flags() -> None:
    """It goes to a client that has an address."""
    packet = request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x63")._replace(flags=0)
    made = acknowledged(packet, "snponly.efi")

    assert (made.client_address, made.flags) == (b"\x0a\x4d\0\x63", 0)
    assert (made.options[53], made.boot_file) == (b"\x05", b"snponly.efi")


def test_where_room_is_short_the_double_goes_first() -> None:
    """Options 66 and 67 say what the BOOTP fields say."""
    packet = request(options={82: b"r" * 250}, relay=b"\x0a\x4e\0\1")
    made = offered(packet, "f" * 100, DIRECT)

    assert made is not None
    assert 67 not in made.options
    assert made.boot_file == b"f" * 100
    assert len(bytes(made)) <= 548


def test_where_there_is_no_room_there_is_no_answer() -> None:
    """Relay information must go back whole."""
    assert offered(request(options={82: b"r" * 400}), "snponly.efi", DIRECT) is None


BCD_PATH = rb"\Boot\BCD" + b"\0"


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("bootmgfw.efi", BCD_PATH),
        ("pxeboot.n12", BCD_PATH),
        ("snponly.efi", None),
        ("undionly.kpxe", None),
        ("grubia32.efi", None),
    ],
)
def test_microsofts_boot_managers_are_told_where_their_bcd_is(
    file: str, path: bytes | None
) -> None:
    """Windows 8's asks for none without option 252; others have no use for it (252 is WPAD)."""
    ack = acknowledged(request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x63"), file)
    direct = offered(request(), file, DIRECT)
    nameless = offered(request(), file, ASK_BOOT_SERVER)

    assert direct is not None
    assert nameless is not None
    assert ack.options.get(252) == direct.options.get(252) == path
    assert 252 not in nameless.options


def test_the_path_of_the_bcd_stays_where_room_is_short() -> None:
    """The machine's own id and the doubles of the BOOTP fields go before it."""
    packet = request(options={82: b"r" * 250}, relay=b"\x0a\x4e\0\1")
    made = offered(packet, "bootmgfw.efi", DIRECT)

    assert made is not None
    assert made.options[252] == BCD_PATH
    assert made.boot_file == b"bootmgfw.efi"
    assert made.options[82] == b"r" * 250


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_tshark_reads_the_path_of_the_bcd(tmp_path: Path) -> None:
    """As one private option with its NUL, and no malformed packet."""
    asked = request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x63")
    made = reply.acknowledge(
        asked, file="bootmgfw.efi", shape=DIRECT, speaks_http=False, server=SERVER
    )
    packet = Ether() / IP(src="10.77.0.2", dst="10.77.0.99") / UDP(sport=67, dport=68) / Raw(made)
    wrpcap(str(tmp_path / "ack.pcap"), [packet])
    command = ["tshark", "-r", tmp_path / "ack.pcap", "-Y", "dhcp && !_ws.malformed"]
    fields = ["-T", "fields", "-e", "dhcp.option.type", "-e", "dhcp.option.value"]
    shown = subprocess.run([*command, *fields], check=True, capture_output=True, text=True).stdout

    assert "252" in shown.split("\t")[0].split(",")
    assert BCD_PATH.hex() in shown.replace(":", "").split("\t")[1].split(",")


@given(
    architecture=st.sampled_from([0, 6, 7, 9, 15, 16]),
    shape=st.sampled_from([DIRECT, ASK_BOOT_SERVER, FILE_ONLY]),
    file=st.text("abc/:.", max_size=250),
    maximum=st.one_of(st.none(), st.binary(max_size=4)),
    options=st.dictionaries(st.integers(61, 254), st.binary(max_size=300), max_size=6),
)
def test_no_answer_is_too_long_or_says_what_is_not_ours(
    architecture: int,
    shape: Shape,
    file: str,
    maximum: bytes | None,
    options: dict[int, bytes],
) -> None:
    """548 bytes unless the client allows more; never an address, a router or a lease."""
    extra = {code: one for code, one in options.items() if code not in {60, 93}}
    if maximum is not None:
        extra[57] = maximum
    packet = request(architecture=architecture, options=extra)
    made = offered(packet, file, shape)
    said = int.from_bytes(maximum, "big") - 28 if maximum and len(maximum) == 2 else 0

    if made is not None:
        wire = bytes(made)
        assert len(wire) <= min(1472, max(548, said))
        assert made == Packet.from_bytes(wire)
        assert not NEVER & set(made.options)
        assert made.your_address == bytes(4)
