"""The cut of a version into layers: always the whole file, few layers, and stable borders."""

import hashlib
import random
import struct
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import InvalidInput
from netboot.formats import cpio
from netboot.formats.wim.wim import HEADER_SIZE, parse_header
from netboot.images.versions.layers import (
    FILE_TYPE,
    LAYERS_LIMIT,
    WIM_PART_TYPE,
    Content,
    FileToCut,
    Wim,
    contents_of,
    plan_layers,
    wim_place,
)
from tests.formats.wim.headers import header, resource

CONTENTS = st.builds(
    Content,
    offset=st.integers(0, 1 << 22),
    stored=st.integers(0, 1 << 20),
    sha1=st.binary(min_size=20, max_size=20),
)
TABLES = st.lists(CONTENTS, max_size=40).map(tuple)


@st.composite
def files_to_cut(draw) -> FileToCut:
    """With a WIM inside or without; what the table says need not be so."""
    before, inside, after = (draw(st.integers(0, most)) for most in (300, 1 << 23, 300))
    name = draw(st.sampled_from(["boot.wim", "boot.sdi", "Fonts/a.ttf"]))
    wim = Wim(before, inside, draw(TABLES)) if draw(st.booleans()) else None
    return FileToCut(name, before + inside + after, wim)


def wim(sizes: list[int], *, seed: int = 0, tail: int = 5000, start: int = HEADER_SIZE):
    """A file whose resources follow each other without a gap; each has the SHA-1 of its number."""
    placed, at = [], start
    for number, size in enumerate(sizes):
        sha1 = hashlib.sha1(f"{seed} {number}".encode()).digest()
        placed.append(Content(at, size, sha1))
        at += size
    return whole(placed, at + tail)


def whole(contents: Iterable[Content], size: int) -> FileToCut:
    return FileToCut("boot.wim", size, Wim(0, size, tuple(contents)))


def contents(file: FileToCut) -> tuple[Content, ...]:
    assert file.wim is not None
    return file.wim.contents


def sizes(count: int, mean: int, seed: int = 1) -> list[int]:
    dice = random.Random(seed)
    return [int(dice.expovariate(1 / mean)) + 1 for _ in range(count)]


def spans(file: FileToCut) -> list[tuple[int, int]]:
    return [(layer.offset, layer.size) for layer in plan_layers([file])]


def identities(file: FileToCut) -> dict[tuple, int]:
    """What each layer holds, apart from its place, and its size."""
    found = {}
    for offset, size in spans(file):
        inside = [
            (content.sha1, content.offset - offset)
            for content in contents(file)
            if offset <= content.offset < offset + size
        ]
        found[size, tuple(inside)] = size
    return found


@given(st.lists(files_to_cut(), max_size=5, unique_by=lambda file: file.name))
def test_layers_in_order_are_the_files(files):
    """Whatever a table says: each file is covered from its first byte to its last, once."""
    layers = plan_layers(files)

    for file in files:
        at = 0
        for layer in (one for one in layers if one.name == file.name):
            assert at == layer.offset
            assert layer.size > 0 or file.size == 0
            at += layer.size
        assert at == file.size
    assert [file.name for file in files] == list(dict.fromkeys(one.name for one in layers))
    assert len(layers) <= LAYERS_LIMIT


@given(TABLES, st.randoms())
def test_the_order_of_the_table_does_not_matter(table, dice):
    """The cut follows the places in the file."""
    shuffled = list(table)
    dice.shuffle(shuffled)
    first, second = (whole(one, 1 << 23) for one in (table, shuffled))

    assert plan_layers([first]) == plan_layers([second])


def test_the_header_is_a_layer_of_its_own():
    """It changes with every version; so does the end, where the tables are."""
    file = wim(sizes(3000, 7000), tail=90_000)
    layers = plan_layers([file])

    assert (layers[0].offset, layers[0].size) == (0, HEADER_SIZE)
    assert layers[-1].size == 90_000
    assert {layer.media_type for layer in layers} == {WIM_PART_TYPE}


def test_layers_begin_and_end_with_resources():
    """No resource that is small enough is cut."""
    file = wim(sizes(3000, 7000))
    borders = {content.offset for content in contents(file)} | {0, file.size - 5000}

    assert {offset for offset, _ in spans(file)} <= borders


@pytest.mark.parametrize(
    ("megabytes", "average"), [(20, 1 << 16), (300, 1 << 20), (500, 2 << 20), (4000, 16 << 20)]
)
def test_the_size_of_layers_grows_with_the_file(megabytes, average):
    """Any image has a few hundred layers, and none is larger than four times the average."""
    layers = spans(wim(sizes(megabytes * 20, 50_000)))

    assert 120 < len(layers) <= LAYERS_LIMIT
    assert max(size for _, size in layers) <= 4 * average


def test_tiny_pieces_do_not_make_more_layers_than_allowed():
    """Resources with gaps between them, one large and one small in turn, at the worst sizes."""
    placed, at = [], HEADER_SIZE
    for number in range(3000):
        placed.append(Content(at, 260_000, struct.pack(">Q12x", number)))
        at += 269_000
    layers = plan_layers([whole(placed, at)])

    assert len(layers) <= LAYERS_LIMIT


def test_what_is_added_at_the_end_changes_nothing_before_it():
    """A version that was extended in place has new layers for what is new and for its header."""
    old = wim(sizes(3000, 7000), tail=60_000)
    added = wim(sizes(300, 7000, seed=2), seed=9, start=old.size)
    new = whole((*contents(old), *contents(added)), added.size)

    before, after = set(spans(old)), set(spans(new))

    assert before <= after


def test_a_removed_resource_changes_only_layers_around_it():
    """All that follows moves, and keeps its layers."""
    lengths = sizes(3000, 7000)
    old = wim(lengths)
    gone = 1500
    placed, at = [], HEADER_SIZE
    for number, content in enumerate(contents(old)):
        if number != gone:
            placed.append(Content(at, content.stored, content.sha1))
            at += content.stored
    new = whole(placed, at + 5000)

    before, after = identities(old), identities(new)
    moved = sum(size for what, size in after.items() if what not in before)

    assert moved < 4 * (64 << 10)


def test_a_large_resource_is_cut_from_its_own_start():
    """A driver of 3 MiB among small files has the same parts wherever it is."""
    small = sizes(400, 4000)
    layers = [
        [size for offset, size in spans(file) if offset >= big and offset + size <= big + (3 << 20)]
        for file, big in (
            (wim([*small[:at], 3 << 20, *small[at:]]), HEADER_SIZE + sum(small[:at]))
            for at in (100, 300)
        )
    ]

    assert layers[0] == layers[1]
    assert sum(layers[0]) == 3 << 20


@pytest.mark.parametrize(
    ("size", "expected"), [(0, [0]), (1, [1]), (262_144, [262_144]), (262_145, [262_144, 1])]
)
def test_other_files_are_cut_at_fixed_places(size, expected):
    """Most are one layer; an empty one has its layer, too."""
    layers = plan_layers([FileToCut("boot.sdi", size)])

    assert expected == [layer.size for layer in layers]
    assert {FILE_TYPE} == {layer.media_type for layer in layers}


def test_more_files_than_layers_are_refused():
    """The limit is said before anything is cut; up to it even files in many parts fit."""
    inside = wim(sizes(30, 8000)).wim
    assert inside is not None
    inside = replace(inside, offset=120)
    files = [FileToCut(f"{number}.cpio", inside.size + 240, inside) for number in range(101)]

    assert len(plan_layers(files[:100])) <= LAYERS_LIMIT
    with pytest.raises(InvalidInput, match="a version of 101 files") as told:
        plan_layers(files)
    assert "100 files" in told.value.hint


def test_a_wim_in_an_archive_has_the_layers_of_the_wim():
    """What Linux boots is not stored and moved twice: only the frame around it is new."""
    plain = wim(sizes(3000, 7000), tail=60_000)
    assert plain.wim is not None
    before, after = cpio.prefix("boot.wim", plain.size), cpio.suffix(plain.size)
    head = before + header()
    size = len(before) + plain.size + len(after)
    place = wim_place(head, size)
    assert place == (len(before), plain.size)
    wrapped = FileToCut("boot.wim.cpio", size, replace(plain.wim, offset=place[0]))

    layers = plan_layers([plain, wrapped])
    inner = [one.size for one in layers if one.name == "boot.wim.cpio"]

    assert inner == [
        len(before),
        *(one.size for one in layers if one.name == "boot.wim"),
        len(after),
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (header(), (0, 9000)),
        (b"", None),
        (b"$SDI0001", None),
        (cpio.prefix("boot.wim", 8000), None),
        (cpio.prefix("boot.wim", 8000) + header(), (120, 8000)),
        (cpio.prefix("boot.wim", 8900) + header(), None),
        (cpio.prefix("vmlinuz", 8000) + b"MZ", None),
    ],
)
def test_a_wim_is_found_by_its_first_bytes(head, expected):
    """Not by the file's name; what is no WIM, or does not fit in the file, is none."""
    assert expected == wim_place(head, 9000)


def entry(raw: bytes, sha1: bytes = b"s" * 20) -> bytes:
    return raw + struct.pack("<HI20s", 1, 1, sha1)


def test_contents_are_the_files_of_a_wim():
    """Not its metadata, nothing that is free or empty."""
    table = b"".join(
        entry(resource(offset, stored, 10, flags))
        for offset, stored, flags in (
            (208, 100, 4), (308, 50, 2 | 4), (358, 20, 1), (400, 0, 0), (410, 7, 0)
        )
    )  # fmt: skip
    head = parse_header(header(blob_table=resource(600, len(table), len(table))))

    assert contents_of(head, table, 10_000) == (
        Content(208, 100, b"s" * 20),
        Content(410, 7, b"s" * 20),
    )


@pytest.mark.parametrize(
    ("head", "table"),
    [
        pytest.param(header(version=0xE00), entry(resource()), id="a solid file"),
        pytest.param(header(flags=0x80002), entry(resource()), id="LZMS"),
        pytest.param(header(), entry(resource(flags=0x10)), id="a solid resource"),
        pytest.param(header(), entry(resource(20_000)), id="a resource outside the file"),
        pytest.param(header(), b"x" * 49, id="half an entry"),
        pytest.param(header(magic=b"WLPWM\0\0\0"), entry(resource()), id="pipable"),
    ],
)
def test_a_wim_that_says_nothing_helpful_is_cut_blindly(head, table):
    """Its table is not used; it is a file like others."""
    assert contents_of(parse_header(head), table, 10_000) is None
