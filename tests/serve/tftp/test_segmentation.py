"""Windows in one system call: the datagrams that arrive, and what happens where it can't be."""

import errno
import os
import random
import socket
from collections.abc import Iterator

import pytest

from netboot.boot.files.names import ContentRef
from netboot.protocols.tftp import Data, from_bytes
from netboot.serve.tftp.block_table import BlockTable, BlockTables
from netboot.serve.tftp.segmentation import MOST_SEGMENTS, BlockSender, Segmentation
from tests.support.serving import Files

pytestmark = pytest.mark.loopback

CONTENT = random.Random(9).randbytes(600_000)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected socket and its peer."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.bind(("127.0.0.1", 0))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        peer.settimeout(2)
        ours.connect(peer.getsockname())
        ours.settimeout(0)
        yield ours, peer


def table(block_size: int) -> BlockTable:
    files = Files({"f": CONTENT})
    ref = files.resolve(b"f", "")
    assert isinstance(ref, ContentRef)
    tables = BlockTables(files.open_content)
    return tables.open(ref, block_size=block_size, netascii=False)


def sender(udp: socket.socket, segmentation: Segmentation, block_size: int = 1468) -> BlockSender:
    return BlockSender(
        udp,
        table(block_size),
        segment=block_size + 4,
        window=64,
        ip="127.0.0.1",
        segmentation=segmentation,
    )


def expect(peer: socket.socket, first: int, count: int, block_size: int) -> None:
    """The next datagrams are these blocks, each whole and in order."""
    for block in range(first, first + count):
        payload = CONTENT[(block - 1) * block_size : block * block_size]
        assert from_bytes(peer.recv(65535)) == Data(block & 0xFFFF, payload)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("block_size", [8, 512, 1428, 1468])
@pytest.mark.parametrize("count", [1, 2, 3, 44, 64])
def test_a_window_arrives_as_datagrams(
    ends: tuple[socket.socket, socket.socket], *, count: int, block_size: int, enabled: bool
) -> None:
    """Cut by the kernel or sent one by one: the same datagrams."""
    ours, peer = ends

    sent = sender(ours, Segmentation(enabled=enabled), block_size).send(5, count)

    assert count == sent
    expect(peer, 5, count, block_size)


def test_the_last_block_is_short(ends: tuple[socket.socket, socket.socket]) -> None:
    """And empty where the file is an exact multiple."""
    ours, peer = ends
    last = len(CONTENT) // 1000 + 1

    sender(ours, Segmentation(), 1000).send(last - 3, 4)

    expect(peer, last - 3, 3, 1000)
    assert from_bytes(peer.recv(65535)) == Data(last, b"")


def test_block_numbers_roll_over_inside_a_window(ends: tuple[socket.socket, socket.socket]) -> None:
    """Block 65,535 is followed by 0."""
    ours, peer = ends

    sent = sender(ours, Segmentation(), 8).send(65530, 12)

    assert sent == 12
    got = [from_bytes(peer.recv(100)).block for _ in range(12)]
    assert got == [65530, 65531, 65532, 65533, 65534, 65535, 0, 1, 2, 3, 4, 5]


def test_more_than_a_call_can_carry_goes_in_several(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """200 blocks of 1,468 bytes are more than one write may hold."""
    ours, peer = ends

    assert sender(ours, Segmentation(), 1468).send(1, 200) == 200
    expect(peer, 1, 200, 1468)
    assert MOST_SEGMENTS < 200


def test_blocks_larger_than_the_path_go_one_by_one(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """The kernel refuses to cut into pieces that do not fit: then plainly, and at once."""
    ours, peer = ends
    ours.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: loopback's MTU is 65536
    segmentation = Segmentation()
    refusing = RefusingSocket(ours)

    blocks = BlockSender(
        refusing,  # type: ignore[arg-type]
        table(1468),
        segment=1472,
        window=64,
        ip="10.0.0.9",
        segmentation=segmentation,
    )
    blocks.send(1, 40)

    expect(peer, 1, 40, 1468)
    assert refusing.asked == [1472]


class RefusingSocket:
    """A socket of a kernel that does not know UDP_SEGMENT."""

    def __init__(self, udp: socket.socket) -> None:
        self.udp = udp
        self.asked: list[int] = []

    def fileno(self) -> int:
        return self.udp.fileno()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.asked.append(value)
        raise OSError(errno.ENOPROTOOPT, "no such option")


def test_a_write_that_is_refused_goes_again_block_by_block(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network cards and bridges do (EIO); the client is remembered."""

    ours, peer = ends
    segmentation = Segmentation()
    blocks = sender(ours, segmentation)
    real, refused = os.writev, []

    def writev(fd: int, parts: list[bytes]) -> int:
        if len(parts) > 2:
            refused.append(len(parts))
            raise OSError(errno.EIO, "no checksum offload")
        return real(fd, parts)

    monkeypatch.setattr("netboot.serve.tftp.segmentation.writev", writev)

    assert blocks.send(1, 40) == 40
    assert blocks.send(41, 40) == 40
    expect(peer, 1, 80, 1468)
    assert refused == [80]
    assert not segmentation.switch_on(ours, "127.0.0.1", 1472)
    assert segmentation.switch_on(ours, "127.0.0.2", 1472)


def test_a_full_socket_says_how_far_it_came() -> None:
    """What does not fit is the caller's to send later."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as ours,
    ):
        listener.bind("\0netboot-test-full")
        listener.listen()
        ours.connect("\0netboot-test-full")
        ours.settimeout(0)

        sent = sender(ours, Segmentation(enabled=False)).send(1, 400)

    assert 0 < sent < 400


def test_only_so_many_clients_are_remembered() -> None:
    """The memory of clients without segmentation has an end."""
    segmentation = Segmentation()
    for number in range(3000):
        segmentation.refused(f"10.0.{number >> 8}.{number & 255}")

    assert len(segmentation._refused) == 1024
