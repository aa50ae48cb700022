"""What is granted of what is asked: a table, and nothing that aborts a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.tftp import OptionAck
from netboot.protocols.tftp_options import OptionLimits, Terms, negotiate

SIZE = 300_000_000
WIDE = OptionLimits(max_block_size=65464, max_window=65535, max_flight=1 << 30, max_timeout=255)


def granted(limits: OptionLimits | None = None, size: int = SIZE, **asked: bytes) -> Terms:
    return negotiate(asked, size=size, limits=limits or OptionLimits())


NOT_NUMBERS = [
    b"",
    b" ",
    b"-1",
    b"+8",
    b" 8",
    b"8 ",
    b"0x10",
    b"1e3",
    b"1e99",
    b"8.0",
    b"nan",
    b"inf",
    b"1_000",
    b"\xd9\xa1\xd9\xa2",
    b"\xb2",
    b"512\n",
    b"9" * 21,
    b"%d",
    b"512,512",
    b"true",
]


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize("name", ["blksize", "windowsize", "timeout", "tsize"])
def test_what_is_no_number_is_left_out(name: str, value: bytes) -> None:
    """Signs, spaces, other scripts' digits and far too many digits: as if never asked."""
    terms = negotiate({name: value}, size=SIZE, limits=WIDE)

    assert Terms() == terms


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (b"0", None),
        (b"1", None),
        (b"7", None),
        (b"8", 8),
        (b"0008", 8),
        (b"9", 9),
        (b"511", 511),
        (b"512", 512),
        (b"513", 513),
        (b"1024", 1024),
        (b"1428", 1428),
        (b"1432", 1432),
        (b"1456", 1456),
        (b"1468", 1468),
        (b"1469", 1468),
        (b"8192", 1468),
        (b"65464", 1468),
        (b"65465", 1468),
        (b"99999999999999999999", 1468),
    ],
)
def test_block_sizes(asked: bytes, given: int | None) -> None:
    """Never more than a packet carries; what is too small is not granted (RFC 2348)."""
    terms = granted(blksize=asked)

    assert terms.block_size == (given or 512)
    assert terms.accepted == ({"blksize": b"%d" % given} if given else {})


@pytest.mark.parametrize(
    ("asked", "given"), [(b"8192", 8192), (b"65464", 65464), (b"65465", 65464), (b"70000", 65464)]
)
def test_block_sizes_beyond_a_packet(asked: bytes, given: int) -> None:
    """Where the operator lets blocks travel in fragments, RFC 2348's own limit holds."""
    assert granted(WIDE, blksize=asked).block_size == given


@pytest.mark.parametrize(
    ("asked", "block_size", "given"),
    [
        (b"0", 512, None),
        (b"1", 512, 1),
        (b"2", 512, 2),
        (b"4", 1468, 4),
        (b"16", 1468, 16),
        (b"64", 1468, 64),
        (b"65", 1468, 64),
        (b"65535", 1468, 64),
        (b"65536", 1468, 64),
        (b"99999999999999999999", 8, 64),
    ],
)
def test_windows(asked: bytes, block_size: int, given: int | None) -> None:
    """No window of more than 64 blocks; none at all is not granted (RFC 7440)."""
    terms = granted(blksize=b"%d" % block_size, windowsize=asked)

    assert terms.window == (given or 1)
    assert ("windowsize" in terms.accepted) == (given is not None)


@pytest.mark.parametrize(
    ("block_size", "asked", "given"),
    [(8192, 64, 32), (65464, 64, 4), (65464, 3, 3), (8192, 16, 16)],
)
def test_large_blocks_make_small_windows(block_size: int, asked: int, given: int) -> None:
    """No more than 256 KiB are in flight to one client."""
    limits = OptionLimits(max_block_size=65464)

    terms = granted(limits, blksize=b"%d" % block_size, windowsize=b"%d" % asked)

    assert terms.window == given


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (b"0", None),
        (b"1", 1),
        (b"5", 5),
        (b"30", 30),
        (b"31", None),
        (b"255", None),
        (b"256", None),
    ],
)
def test_timeouts(asked: bytes, given: int | None) -> None:
    """A timeout is taken as it is or not at all (RFC 2349 lets us not answer)."""
    terms = granted(timeout=asked)

    assert terms.timeout == given
    assert terms.accepted == ({"timeout": asked} if given else {})


@pytest.mark.parametrize("asked", [b"0", b"1", b"300000000", b"18446744073709551616"])
def test_sizes(asked: bytes) -> None:
    """Whatever size a client says, it is told the file's (RFC 2349)."""
    assert granted(tsize=asked).accepted == {"tsize": b"300000000"}


def test_an_empty_file_has_no_size() -> None:
    """curl takes tsize 0 for a fault of the server: it is left out."""
    assert granted(size=0, tsize=b"0").accepted == {}


def test_the_boot_manager_of_windows_gets_a_plain_window() -> None:
    """`msftwindow` is left out: then plain RFC 7440 holds on both sides."""
    asked = {"tsize": b"0", "blksize": b"1456", "windowsize": b"4", "msftwindow": b"31416"}

    terms = negotiate(asked, size=SIZE, limits=OptionLimits())

    assert list(terms.accepted) == ["tsize", "blksize", "windowsize"]
    assert not terms.variable_window


def test_the_variable_window_may_be_switched_on() -> None:
    """Switched on, Microsoft's number is answered with Microsoft's answer."""
    asked = {"windowsize": b"4", "msftwindow": b"31416"}

    terms = negotiate(asked, size=SIZE, limits=OptionLimits(microsoft_window=True))

    assert terms.accepted == {"windowsize": b"4", "msftwindow": b"27182"}
    assert terms.variable_window
    other = {"msftwindow": b"1"}
    assert Terms() == negotiate(other, size=SIZE, limits=OptionLimits(microsoft_window=True))


def test_options_come_back_in_the_order_in_which_they_came() -> None:
    """As some ROMs expect."""
    asked = {"windowsize": b"4", "multicast": b"", "tsize": b"0", "blksize": b"1468"}

    assert list(negotiate(asked, size=SIZE, limits=OptionLimits()).accepted) == [
        "windowsize",
        "tsize",
        "blksize",
    ]


@given(st.dictionaries(st.text(max_size=12), st.binary(max_size=30), max_size=8))
def test_any_options_give_terms_within_the_limits(asked: dict[str, bytes]) -> None:
    """Whatever is asked, the terms keep the limits and the OACK stays short."""
    limits = OptionLimits()

    terms = negotiate(asked, size=SIZE, limits=limits)

    assert 8 <= terms.block_size <= limits.max_block_size
    assert 1 <= terms.window <= limits.max_window
    assert terms.block_size * terms.window <= limits.max_flight
    assert set(terms.accepted) <= set(asked)
    assert len(bytes(OptionAck(terms.accepted))) <= 128
