"""Text in netascii: what goes over the wire is what a client turns back into the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.netascii import Netascii


def decoded(wire: bytes) -> bytes:
    """What a client on a system with LF line ends makes of it (RFC 764)."""
    return wire.replace(b"\r\n", b"\n").replace(b"\r\0", b"\r")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (b"", b""),
        (b"one\ntwo\n", b"one\r\ntwo\r\n"),
        (b"\r", b"\r\0"),
        (b"dos\r\n", b"dos\r\0\r\n"),
        (b"\n\r", b"\r\n\r\0"),
        (b"\0", b"\0"),
    ],
)
def test_line_ends(text: bytes, wire: bytes) -> None:
    """LF becomes CR LF, CR becomes CR NUL, all else stays."""
    encoded = Netascii(memoryview(text))

    assert wire == encoded[0 : encoded.size]
    assert len(wire) == encoded.size


@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"x" * 700, b"\r\n", b"\0"]), max_size=400),
    st.integers(8, 2000),
)
def test_any_stretch_is_the_same_as_of_the_whole(parts: list[bytes], block_size: int) -> None:
    """Blocks put together are the encoded text, in whatever order they are asked for."""
    text = b"".join(parts)
    encoded = Netascii(memoryview(text))
    starts = list(range(0, encoded.size, block_size))

    blocks = {start: encoded[start : start + block_size] for start in reversed(starts)}

    assert text == decoded(b"".join(blocks[start] for start in starts))
    assert encoded[encoded.size : encoded.size + block_size] == b""


def test_line_ends_on_the_borders_of_pieces() -> None:
    """A line end that lies where the text is cut for encoding comes out once."""
    text = b"x" * 65535 + b"\n" + b"\n" * 65536 + b"\r"
    encoded = Netascii(memoryview(text))

    assert text == decoded(encoded[0 : encoded.size])
    assert encoded[65530:65545] == b"xxxxx\r\n\r\n\r\n\r\n\r\n"
