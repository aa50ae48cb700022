"""Files cut into packets: the same bytes however they are asked for, and nothing kept too long."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.files.names import ContentRef
from netboot.errors import BlobMissing
from netboot.serve.tftp import block_table
from netboot.serve.tftp.block_table import HEADERS, BlockTable, BlockTables, Parts
from tests.support.serving import Files

CONTENT = random.Random(3).randbytes(100_003)


def ref(files: Files, name: str) -> ContentRef:
    found = files.resolve(name.encode(), "")
    assert isinstance(found, ContentRef)
    return found


@pytest.fixture
def files() -> Iterator[Files]:
    made = Files({"f": CONTENT, "g": CONTENT[:5000], "t": b"a\nb\n"})
    yield made
    assert made.opened == 0, "a content was not closed"


def expected(first: int, count: int, size: int) -> list[bytes]:
    parts = []
    for block in range(first, first + count):
        parts += [HEADERS[block & 0xFFFF], CONTENT[(block - 1) * size : block * size]]
    return parts


def expected_bytes(first: int, count: int, size: int) -> bytes:
    """What goes over the wire, blocks beyond the file's last left out."""
    last = len(CONTENT) // size + 1
    return b"".join(expected(first, min(count, last - first + 1), size))


def as_bytes(parts: Parts) -> list[bytes]:
    return [bytes(part) for part in parts]


@given(
    first=st.integers(1, 12_600),
    count=st.integers(1, 64),
    users=st.integers(1, 3),
    size=st.sampled_from([8, 512, 1468]),
)
def test_packets_are_the_same_for_one_and_for_many(
    first: int, count: int, users: int, size: int
) -> None:
    """Cut for one client or taken from what is cut for several."""
    files = Files({"f": CONTENT})
    tables = BlockTables(files.open_content)
    held = [tables.open(ref(files, "f"), block_size=size, netascii=False) for _ in range(users)]

    first = min(first, len(CONTENT) // size + 1)
    count = min(count, len(CONTENT) // size + 2 - first)
    for _ in range(3):  # cut, marked, framed
        assert expected_bytes(first, count, size) == b"".join(held[0].packets(first, count))
    for table in held:
        tables.close(table)
    assert files.opened == 0


@pytest.mark.parametrize("size", [8, 512, 1468, 100_003])
def test_a_block_in_one_piece_is_the_same_packet(size: int) -> None:
    """Where its stretch is framed: for several clients, once somebody has passed. The last, too."""
    files = Files({"f": CONTENT})
    tables = BlockTables(files.open_content)
    alone = tables.open(ref(files, "f"), block_size=size, netascii=False)
    assert alone.piece(1) is None
    shared = tables.open(ref(files, "f"), block_size=size, netascii=False)
    assert shared.piece(1) is None
    last = len(CONTENT) // size + 1

    for block in {1, min(2, last), min(64, last), max(last - 1, 1), last}:
        shared.piece(block)
        piece = shared.piece(block)
        assert piece is not None
        assert bytes(piece) == b"".join(as_bytes(list(shared.packet(block))))
        del piece
    tables.close(alone)
    tables.close(shared)


def test_block_numbers_roll_over_inside_a_stretch() -> None:
    """The header after 65,535 is 0, cut or framed."""
    files = Files({"f": bytes(8 * 66_000)})
    tables = BlockTables(files.open_content)
    table = tables.open(ref(files, "f"), block_size=8, netascii=False)
    alone = b"".join(table.packets(65534, 4))
    tables.open(ref(files, "f"), block_size=8, netascii=False)
    together = [b"".join(table.packets(65534, 4)) for _ in range(3)]

    numbers = [alone[at + 2 : at + 4] for at in range(0, 48, 12)]
    assert numbers == [b"\xff\xfe", b"\xff\xff", b"\0\0", b"\0\1"]
    assert together == [alone] * 3
    tables.close(table)
    tables.close(table)


def test_clients_of_one_file_share_what_is_framed(files: Files) -> None:
    """The first to pass leaves a mark, the second frames, the third takes one piece."""
    tables = BlockTables(files.open_content)
    opened = [
        tables.open(ref(files, "f"), block_size=size, netascii=netascii)
        for size, netascii in ((512, False), (512, False), (1468, False), (512, True))
    ]

    assert opened[0] is opened[1]
    assert len({id(table) for table in opened}) == 3
    pieces = [opened[0].packets(1, 16) for _ in range(3)]
    assert [len(each) for each in pieces] == [32, 1, 1]
    assert pieces[1][0].obj is pieces[2][0].obj
    assert len(opened[0].packets(60, 10)) == 1 + 10  # the next stretch was not passed yet
    for table in opened:
        tables.close(table)


def test_netascii_is_cut_from_its_own_form(files: Files) -> None:
    """Blocks of what goes over the wire."""
    tables = BlockTables(files.open_content)
    table = tables.open(ref(files, "t"), block_size=8, netascii=True)

    assert as_bytes(table.packets(1, 1)) == [HEADERS[1], b"a\r\nb\r\n"]
    tables.close(table)


def test_the_last_client_lets_go_of_the_file(files: Files) -> None:
    """The file is open while somebody is on it, and its slices go before it is closed."""
    tables = BlockTables(files.open_content)
    first = tables.open(ref(files, "f"), block_size=512, netascii=False)
    second = tables.open(ref(files, "f"), block_size=512, netascii=False)
    for _ in range(3):
        first.packets(1, 64)
    assert files.opened == 1
    tables.close(first)
    assert files.opened == 1
    tables.close(second)

    assert files.opened == 0
    assert tables.shelf.bytes == 0
    assert not tables._tables


def test_what_is_kept_has_an_end(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest stretch goes, whichever file it is of, and who comes again may have it framed."""
    monkeypatch.setattr(block_table, "_KEPT", 10 * 64 * 12)
    tables = BlockTables(files.open_content)
    held = [
        tables.open(ref(files, name), block_size=8, netascii=False) for name in ("g", "g", "f", "f")
    ]
    for _ in range(2):
        held[0].packets(1, 64)
    for first in range(1, 64 * 30, 64):
        for _ in range(2):
            held[2].packets(first, 64)

    assert tables.shelf.bytes == 10 * 64 * 12
    assert [is_framed(held[0], 1), is_framed(held[2], 1)] == [False, False]
    assert is_framed(held[2], 64 * 29 + 1)
    for table in held:
        tables.close(table)
    assert tables.shelf.bytes == 0


def is_framed(table: BlockTable, first: int) -> bool:
    return len(table.packets(first, 64)) == 1


def test_a_file_that_cannot_be_opened_leaves_nothing_behind() -> None:
    """The fault goes to whoever asked; the next try starts afresh."""
    files = Files({"f": CONTENT}, broken={"f"})
    tables = BlockTables(files.open_content)
    with pytest.raises(BlobMissing):
        tables.open(ref(files, "f"), block_size=512, netascii=False)

    assert not tables._tables
