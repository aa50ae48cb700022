"""DHCP packets: every byte string is a packet or a reason."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from netboot.errors import ProtocolError
from netboot.protocols import dhcp
from netboot.protocols.dhcp import MessageType, Packet, ReplyFields, encode_reply, encode_reply_rest
from tests.captures import reader

COOKIE = b"\x63\x82\x53\x63"


def header(
    *,
    op: int = 1,
    htype: int = 1,
    hlen: int = 6,
    cookie: bytes = COOKIE,
    sname: bytes = b"",
    file: bytes = b"",
) -> bytes:
    """The fixed 240 bytes."""
    start = struct.pack(">BBBBIHH", op, htype, hlen, 0, 0x1234, 0, 0x8000)
    return (
        start
        + bytes(16)
        + b"\x52\x54\x00\x77\x00\x01".ljust(16, b"\0")
        + sname.ljust(64, b"\0")
        + file.ljust(128, b"\0")
        + cookie
    )


def parsed(options: bytes = b"\xff", *, sname: bytes = b"", file: bytes = b"") -> Packet:
    """What is read from a good header with these options."""
    return Packet.from_bytes(header(sname=sname, file=file) + options)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes are less than a DHCP header"),
        (b"default send string", "19 bytes are less than a DHCP header"),
        (header()[:239], "239 bytes are less than a DHCP header"),
        (header(cookie=b"\x63\x82\x53\x64"), "no DHCP magic cookie"),
        (header(op=3), "operation 3 is neither request nor reply"),
        (header(htype=0), "hardware type 0 with 6-byte addresses: not Ethernet"),
        (header(hlen=0), "hardware type 1 with 0-byte addresses: not Ethernet"),
        (header(hlen=16), "hardware type 1 with 16-byte addresses: not Ethernet"),
        (header(hlen=255), "hardware type 1 with 255-byte addresses: not Ethernet"),
        (header() + b"\x35", "option 53 has no length"),
        (header() + b"\x35\x02\x01", "option 53 runs past the end"),
        (header() + b"\x34\x00\xff", "option 52 says nothing: not 1, 2 or 3"),
        (header() + b"\x34\x02\x01\x01\xff", "option 52 says 0101: not 1, 2 or 3"),
        (header(file=b"\x35\xff") + b"\x34\x01\x01\xff", "option 53 runs past the end"),
    ],
)
def test_malformed_bytes_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    """What cannot be read says what was wrong with it."""
    with pytest.raises(ProtocolError) as refused:
        Packet.from_bytes(data)

    assert reason == str(refused.value)


def test_a_packet_without_end_is_read_to_its_last_byte() -> None:
    """Some ROMs write no END option."""
    assert parsed(b"\x35\x01\x01").options == {53: b"\x01"}


def test_nothing_is_read_after_end() -> None:
    """What stands behind END is padding, whatever it is."""
    assert parsed(b"\x35\x01\x01\xff\x35\x09").options == {53: b"\x01"}


def test_pads_between_options_are_skipped() -> None:
    """Option 0 has no length."""
    assert parsed(b"\0\0\x35\x01\x01\0\x0c\x01a\xff").options == {53: b"\x01", 12: b"a"}


def test_an_empty_option_is_kept() -> None:
    """A length of 0 is a value of no bytes, not an error."""
    assert parsed(b"\x50\x00\xff").options == {80: b""}


def test_parts_of_an_option_are_joined_in_order() -> None:
    """RFC 3396: an option that comes in parts is one value."""
    assert parsed(b"\x2b\x02ab\x0c\x01x\x2b\x02cd\xff").options[43] == b"abcd"


@pytest.mark.parametrize("overload", [0, 4, 255])
def test_an_overload_that_names_no_field_is_ignored(overload: int) -> None:
    """Option 52 of 0 is sent by real ROMs; their fields are what they always are."""
    packet = parsed(bytes((52, 1, overload, 12, 1, 104, 255)), sname=b"srv\0", file=b"f\0")

    assert (packet.server_name, packet.boot_file) == (b"srv", b"f")
    assert packet.options == {12: b"h"}


@pytest.mark.parametrize(
    ("overload", "options", "file", "name"),
    [
        (1, {12: b"f"}, b"", b"\x0c\x01s\xff"),
        (2, {12: b"s"}, b"\x0c\x01f\xff", b""),
        (3, {12: b"fs"}, b"", b""),
    ],
)
def test_overloaded_fields_hold_options(
    overload: int, options: dict[int, bytes], file: bytes, name: bytes
) -> None:
    """Option 52: file is read before sname, and neither is a name then."""
    packet = parsed(bytes((52, 1, overload, 255)), sname=b"\x0c\x01s\xff", file=b"\x0c\x01f\xff")

    assert (options, file, name) == (packet.options, packet.boot_file, packet.server_name)


def test_an_overload_within_an_overloaded_field_means_nothing() -> None:
    """The field is read once; no loop can be built."""
    packet = parsed(b"\x34\x01\x01\xff", file=b"\x34\x01\x03\x0c\x01f\xff", sname=b"host")

    assert (packet.options, packet.server_name) == ({12: b"f"}, b"host")


GUID = bytes.fromhex("0002c90300aabbcc")
FLEXBOOT_ID = b"\x3d\x14\xff\0\0\0\0\0\2\0\0\2\xc9\0" + GUID


@pytest.mark.parametrize(
    ("length", "chaddr", "options"),
    [(8, GUID, b"\xff"), (0, b"", FLEXBOOT_ID + b"\xff"), (8, GUID, FLEXBOOT_ID + b"\xff")],
)
def test_an_infiniband_port_has_six_bytes_of_its_guid_and_its_own_reply(
    length: int, chaddr: bytes, options: bytes
) -> None:
    """Hardware type 32, RFC 4390: the reply repeats type, length and address, and the client id."""
    asked = bytearray(header(htype=32, hlen=length) + options)
    asked[28:44] = chaddr.ljust(16, b"\0")
    packet = Packet.from_bytes(bytes(asked))
    rest = encode_reply_rest(ReplyFields(bytes(4), b"", b""), b""), b"\x35\1\2"
    reply = encode_reply(packet, bytes(4), rest, 0x8000, bytes(4))

    assert packet.mac == bytes.fromhex("0002c9aabbcc")
    assert reply[:3] == bytes((2, 32, length))
    assert reply[28:44] == bytes(asked[28:44])
    assert len(reply) >= 300
    assert (FLEXBOOT_ID in reply) is (FLEXBOOT_ID in bytes(asked))
    assert b"\x35\1\2\xff" in reply


@pytest.mark.parametrize("length", [0, 16, 20])
def test_an_infiniband_request_that_names_no_port_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        Packet.from_bytes(header(htype=32, hlen=length) + b"\xff")


def test_fields_end_at_the_first_nul() -> None:
    """A name is what stands before the NUL, whatever the ROM left behind it."""
    packet = parsed(sname=b"boot\0garbage", file=b"nbp.0\0\xff\xff")

    assert (packet.server_name, packet.boot_file) == (b"boot", b"nbp.0")


def test_a_field_may_be_full() -> None:
    """128 bytes without a NUL are a name of 128 bytes."""
    assert parsed(file=b"f" * 128).boot_file == b"f" * 128


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x09", b"\x01\x01", b"\xff"])
def test_a_message_type_that_makes_no_sense_is_none(value: bytes) -> None:
    """Only one byte from 1 to 8 is a message type."""
    packet = Packet(op=1, xid=1, mac=bytes(6), options={53: value})

    assert packet.message_type is None


def test_a_packet_is_never_shorter_than_bootp_asks() -> None:
    """RFC 1542: 300 bytes at least."""
    assert len(bytes(Packet(op=2, xid=1, mac=bytes(6), options={}))) == 300


def test_a_name_that_does_not_fit_its_field_is_a_bug_that_shows() -> None:
    """It must not be cut silently: the client would ask for another file."""
    with pytest.raises(ValueError, match="does not fit"):
        bytes(Packet(op=2, xid=1, mac=bytes(6), options={}, boot_file=b"f" * 129))


addresses = st.binary(min_size=4, max_size=4)
names = st.binary(max_size=63).filter(lambda name: b"\0" not in name)
packets = st.builds(
    Packet,
    op=st.sampled_from([1, 2]),
    xid=st.integers(0, 2**32 - 1),
    mac=st.binary(min_size=6, max_size=6),
    options=st.dictionaries(
        st.integers(1, 254).filter(lambda code: code != 52), st.binary(max_size=600), max_size=8
    ),
    hops=st.integers(0, 255),
    seconds=st.integers(0, 65535),
    flags=st.integers(0, 65535),
    client_address=addresses,
    your_address=addresses,
    next_server=addresses,
    relay=addresses,
    server_name=names,
    boot_file=names,
)


@given(packets)
def test_bytes_and_from_bytes_are_inverses(packet: Packet) -> None:
    """What we write we read, long options included."""
    assert packet == Packet.from_bytes(bytes(packet))


def read(data: bytes) -> Packet | str:
    """The packet, or the reason why there is none."""
    try:
        return Packet.from_bytes(data)
    except ProtocolError as error:
        return str(error)


@given(st.binary(max_size=700))
@example(header() + b"\x34\x01\x03\xff")
def test_any_bytes_give_a_packet_or_a_protocol_error(data: bytes) -> None:
    """Nothing else may come out, whatever comes in."""
    packet = read(data)

    assert packet
    assert isinstance(packet, str) or packet == Packet.from_bytes(bytes(packet))


@given(st.binary(max_size=500), st.sampled_from([b"", b"\x34\x01\x03"]))
def test_any_options_behind_a_good_header_are_read_or_refused(
    options: bytes, overload: bytes
) -> None:
    """The option reader is total as well."""
    packet = read(header(file=options[:128], sname=options[:64]) + overload + options)

    assert isinstance(packet, str) or all(0 < code < 255 for code in packet.options)


@given(packets)
def test_scapy_reads_what_we_write(packet: Packet) -> None:
    """An independent reader finds the same fields."""
    other = BOOTP(bytes(packet))

    assert packet.xid == other.xid
    assert packet.mac == other.chaddr[:6]
    assert dhcp.dotted(packet.next_server) == other.siaddr
    assert dhcp.dotted(packet.relay) == other.giaddr
    assert packet.boot_file == other.file.rstrip(b"\0")
    assert packet.server_name == other.sname.rstrip(b"\0")


@pytest.mark.parametrize("name", reader.captures())
def test_every_packet_of_every_capture_is_read(name: str) -> None:
    """Real firmware and real servers: read, written and read again they stay the same."""
    for datagram in reader.dhcp(name):
        packet = Packet.from_bytes(datagram.payload)

        assert packet == Packet.from_bytes(bytes(packet))


@pytest.mark.parametrize("name", reader.captures())
def test_scapy_finds_the_same_options_in_the_captures(name: str) -> None:
    """Differential: option by option, for packets without parts or overload."""
    for datagram in reader.dhcp(name):
        ours = Packet.from_bytes(datagram.payload)
        theirs = BOOTP(datagram.payload)
        kinds = [one[1] for one in theirs[DHCP].options if one[0] == "message-type"]
        classes = [one[1] for one in theirs[DHCP].options if one[0] == "vendor_class_id"]

        assert kinds == [ours.message_type]
        assert classes == ([ours.options[60]] if 60 in ours.options else [])
        assert len(ours.options) == sum(1 for one in theirs[DHCP].options if isinstance(one, tuple))


def test_message_types_have_the_numbers_of_rfc_2132() -> None:
    """Section 9.6."""
    assert list(MessageType) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("text", ["10.0.0", "10.0.0.0.1", "a.b.c.d", "1.2.3.256", "", "1.2.3.-4"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Four decimal numbers below 256, nothing else."""
    with pytest.raises(ValueError, match=r"address|range"):
        dhcp.from_dotted(text)


@given(addresses)
def test_dotted_and_from_dotted_are_inverses(address: bytes) -> None:
    """Any four bytes."""
    assert address == dhcp.from_dotted(dhcp.dotted(address))


OWN_IDS = st.binary(min_size=17, max_size=17)
# A whole option 97, one inside another option's value, one in two parts, options around them.
PIECES = st.sampled_from(
    [
        b"\x35\x01\x01",
        b"\x61\x11ID",
        b"\x2b\x15\x61\x11ID\x00\x00",
        b"\x61\x11FIXEDFIXEDFIXED17",
        b"\x61\x01\x07",
        b"\x00",
        b"\x3d\x07\x01\x52\x54\x00\x77\x00\x01",
        b"\xff",
        b"\x34\x01\x01",
    ]
)


@given(st.lists(PIECES, max_size=5), st.lists(OWN_IDS, min_size=2, max_size=4))
@example([b"\x2b\x15\x61\x11ID\x00\x00", b"\x61\x11ID"], [bytes(17), b"\x01" * 17])
@example([b"\x2b\x15\x61\x11ID\x00\x00", b"\x61\x11FIXEDFIXEDFIXED17"], [bytes(17), b"\xff" * 17])
def test_what_machines_of_a_model_have_in_common_changes_nothing(
    pieces: list[bytes], own_ids: list[bytes]
) -> None:
    """A second machine's options are those that a server would read that never saw the first."""
    packets = [header() + b"".join(pieces).replace(b"ID", own) + b"\xff" for own in own_ids]
    dhcp._models.clear()
    in_a_row = [read(data) for data in packets]
    alone = []
    for data in packets:
        dhcp._models.clear()
        alone.append(read(data))

    assert in_a_row == alone


def test_a_model_is_remembered_by_its_first_machine() -> None:
    """The rule above is about something: the second machine's options come from the first's."""
    dhcp._models.clear()
    for number in range(600):
        parsed(b"\x35\x01\x01\x61\x11" + number.to_bytes(17, "big") + b"\xff")

    assert len(dhcp._models) == 1
    for number in range(600):
        parsed(b"\x3c\x02" + number.to_bytes(2, "big") + b"\x61\x11" + bytes(17) + b"\xff")
    assert len(dhcp._models) <= 256
