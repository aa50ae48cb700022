"""TFTP packets there and back, and bytes that are none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import ProtocolError
from netboot.protocols.tftp import (
    MAX_ERROR_TEXT,
    MAX_REQUEST,
    Ack,
    Data,
    Error,
    OptionAck,
    ReadRequest,
    WriteRequest,
    from_bytes,
)

NAMES = st.binary(max_size=100).filter(lambda name: b"\0" not in name)
OPTIONS = st.dictionaries(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20),
    st.binary(max_size=40).filter(lambda value: b"\0" not in value),
    max_size=8,
)
BLOCKS = st.integers(0, 65535)
PACKETS = st.one_of(
    st.builds(ReadRequest, NAMES, st.sampled_from(["octet", "netascii"]), OPTIONS),
    st.builds(WriteRequest, NAMES, st.sampled_from(["octet", "netascii"]), OPTIONS),
    st.builds(Data, BLOCKS, st.binary(max_size=600)),
    st.builds(Ack, BLOCKS),
    st.builds(Error, BLOCKS, st.text(alphabet="abc ,.'", max_size=MAX_ERROR_TEXT)),
    st.builds(OptionAck, OPTIONS.filter(bool)),
)


@given(PACKETS)
def test_every_packet_comes_back_as_it_was(
    packet: ReadRequest | WriteRequest | Data | Ack | Error | OptionAck,
) -> None:
    """`from_bytes` and `bytes` are inverses."""
    assert packet == from_bytes(bytes(packet))


@given(st.binary(max_size=1200))
def test_any_bytes_are_a_packet_or_a_protocol_error(wire: bytes) -> None:
    """Nothing but ProtocolError ever comes out of bytes from the network."""
    with suppress(ProtocolError):
        packet = from_bytes(wire)
        assert type(packet) in {ReadRequest, WriteRequest, Data, Ack, Error, OptionAck}


def test_a_request_as_ovmf_sends_it() -> None:
    """Name, mode, then options in the client's order and with its values."""
    wire = b"\0\1snponly.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0"

    request = from_bytes(wire)

    assert isinstance(request, ReadRequest)
    assert request.name == b"snponly.efi"
    assert list(request.options.items()) == [
        ("tsize", b"0"),
        ("blksize", b"1468"),
        ("windowsize", b"4"),
    ]


@pytest.mark.parametrize(
    ("wire", "options"),
    [
        (b"\0\1f\0OCTET\0BLKSIZE\x00512\0", {"blksize": b"512"}),
        (b"\0\1f\0octet\0a\x001\0a\x002\0", {"a": b"1"}),
        (b"\0\1f\0octet\0a\x001\0b\0", {"a": b"1"}),
        (b"\0\1f\0octet\0a\x001\0b\x002", {"a": b"1"}),
        (b"\0\1f\0octet\0\x00x\0b\x002\0", {"b": b"2"}),
        (b"\0\1f\0octet\0a\0\0", {"a": b""}),
        (b"\0\1f\0octet\0" + b"x" * 60 + b"\x0012345\0b\x002\0", {"b": b"2"}),
        (
            b"\0\1f\0octet\0" + b"".join(b"o%d\0%d\0" % (n, n) for n in range(100)),
            {f"o{n}": b"%d" % n for n in range(8)},
        ),
        (b"\0\1f\0octet\0\xff\xfe\x001\0", {"\ufffd\ufffd": b"1"}),
    ],
)
def test_options_that_are_not_quite_right(wire: bytes, options: dict[str, bytes]) -> None:
    """First of several wins; without value, too long, too many: left out; names in any case."""
    request = from_bytes(wire)

    assert isinstance(request, ReadRequest)
    assert request.mode == "octet"
    assert options == request.options


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\0",
        b"\0\1",
        b"\0\1\0",
        b"\0\1name",
        b"\0\1name\0",
        b"\0\1name\0octet",
        b"\0\0ab\0octet\0",
        b"\0\7ab\0octet\0",
        b"\1\0ab\0octet\0",
        b"\xff\xff\xff\xff",
        b"default send string",
        b"\0\1" + b"a" * MAX_REQUEST + b"\0octet\0",
    ],
)
def test_what_is_no_packet(wire: bytes) -> None:
    """Too short, without the zero bytes, too long or of no known type: refused in words."""
    with pytest.raises(ProtocolError, match=r"\w"):
        from_bytes(wire)


def test_an_error_says_little_and_nothing_harmful() -> None:
    """Its text is short ASCII without zero bytes, whatever we put in."""
    wire = bytes(Error(1, "nul\0, umlaut \u00fc, and " + "x" * 600))

    assert wire.startswith(b"\0\5\0\1nul?, umlaut ?, and xxx")
    assert wire.count(b"\0") == 3
    assert len(wire) == 4 + MAX_ERROR_TEXT + 1


def test_what_a_client_writes_in_an_error_is_made_printable() -> None:
    """Terminal escapes and new lines of a client never reach a log as they are."""
    assert from_bytes(b"\0\5\0\0\x1b[31mred\n\xff\0") == Error(0, "\\x1b[31mred\\x0a\\xff")


def test_block_numbers_are_counted_modulo_two_to_the_sixteen() -> None:
    """Block 65,536 is 0 on the wire."""
    assert bytes(Ack(65536)) == b"\0\4\0\0"
    assert bytes(Data(65537, b"x")) == b"\0\3\0\1x"
