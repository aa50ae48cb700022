"""What a held WIM saves: a new one is put together from it, and little is moved."""

import hashlib
import random
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.formats.oci import Descriptor
from netboot.formats.wim.wim import HEADER_SIZE, parse_header
from netboot.images.versions import layers
from netboot.images.versions.artifact import Layer
from netboot.images.versions.layers import Content, FileToCut, contents_of, plan_layers
from netboot.images.versions.reuse import (
    SMALLEST_COPY,
    Held,
    Piece,
    held_in,
    layers_with,
    plan_reuse,
)
from tests.samples.synthetic_winpe import capture, imagex

CONTENTS = st.lists(
    st.builds(
        Content,
        offset=st.integers(0, 60_000),
        stored=st.integers(0, 9000),
        sha1=st.integers(0, 6).map(lambda n: bytes([n]) * 20),
    ),
    max_size=12,
)


def layer(offset: int, size: int) -> Layer:
    return Layer("boot.wim", offset, Descriptor("a/b", "sha256:" + "0" * 64, size))


def plan(one: Layer, contents: list[Content], held: Held) -> tuple[Piece, ...]:
    ((_, pieces),) = plan_reuse([one], contents, held)
    return pieces


@given(CONTENTS, CONTENTS, st.integers(0, 50_000), st.integers(0, 9000))
def test_pieces_are_the_layer_whatever_tables_say(new, old, offset, size):
    """Each byte comes from one place, and no copy is outside the resource that was held."""
    pieces = plan(layer(offset, size), new, held_in([("held", old)]))

    at = offset
    for piece in pieces:
        assert at == piece.offset
        assert piece.size > 0
        at += piece.size
    assert at == offset + size
    assert not any(not (a.source or b.source) for a, b in pairwise(pieces))
    ends = {content.offset + content.stored for content in old}
    assert all(0 <= one.source_offset < max(ends) for one in pieces if one.source)


def test_held_resources_are_copied_and_the_rest_is_fetched():
    """Copies that follow each other in the held file, too, are one."""
    one, two, three = (bytes([n]) * 20 for n in (1, 2, 3))
    new = [Content(0, 5000, one), Content(5000, 6000, two), Content(11_000, 8000, three)]
    held = held_in([("old", [Content(700, 5000, one), Content(5700, 6000, two)])])

    assert plan(layer(0, 20_000), new, held) == (
        Piece(0, 11_000, "old", 700),
        Piece(11_000, 9000),
    )


def test_a_resource_in_two_layers_is_copied_in_two_parts():
    """A large one is cut from its start; each layer gets its part."""
    new, held = [Content(0, 100_000, b"1")], held_in([("old", [Content(50, 100_000, b"1")])])

    assert plan(layer(0, 60_000), new, held) == (Piece(0, 60_000, "old", 50),)
    assert plan(layer(60_000, 40_000), new, held) == (Piece(60_000, 40_000, "old", 60_050),)


def test_small_copies_between_fetched_bytes_are_fetched_along():
    """One request costs more than the bytes of a small resource."""
    new = [Content(8000, SMALLEST_COPY - 1, b"1"), Content(20_000, SMALLEST_COPY, b"2")]
    held = held_in([("old", new)])

    assert plan(layer(0, 30_000), new, held) == (
        Piece(0, 20_000),
        Piece(20_000, SMALLEST_COPY, "old", 20_000),
        Piece(20_000 + SMALLEST_COPY, 30_000 - 20_000 - SMALLEST_COPY),
    )


def test_the_same_content_in_another_packing_is_not_held():
    """Of the SHA-1 with another stored size other bytes are stored."""
    pieces = plan(
        layer(0, 9000), [Content(0, 9000, b"1")], held_in([("old", [Content(0, 8, b"1")])])
    )

    assert pieces == (Piece(0, 9000),)


def test_layers_with_a_region_are_found():
    """Those that hold any byte of it, and no neighbours."""
    parts = [layer(at, 100) for at in range(0, 500, 100)]

    assert [one.offset for one in layers_with(parts, 100, 150)] == [100, 200]
    assert layers_with(parts, 500, 10) == ()


# --- real WIMs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wim:
    """A WIM as it is distributed: its bytes, layers and resources."""

    path: Path

    @cached_property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @cached_property
    def table(self) -> tuple[int, int]:
        found = parse_header(self.data[:HEADER_SIZE]).blob_table
        return found.offset, found.stored

    @cached_property
    def contents(self) -> tuple[Content, ...]:
        offset, size = self.table
        head = parse_header(self.data[:HEADER_SIZE])
        found = contents_of(head, self.data[offset : offset + size], len(self.data))
        assert found is not None
        return found

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        size = len(self.data)
        planned = plan_layers([FileToCut("boot.wim", size, layers.Wim(0, size, self.contents))])
        return tuple(
            Layer(one.name, one.offset, Descriptor(one.media_type, digest(part), one.size))
            for one in planned
            for part in [self.data[one.offset : one.offset + one.size]]
        )


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def update(old: Wim, new: Wim) -> tuple[bytes, int]:
    """The new file as a point makes it that holds the old one, and the bytes that it fetches."""
    own = {one.descriptor.digest: one for one in old.layers}
    held = held_in([("old", old.contents)])
    missing = [one for one in new.layers if one.descriptor.digest not in own]
    # First the header, which says where the table is, and the table.
    first = {*missing[:1], *layers_with(missing, *new.table)}
    plans = dict(plan_reuse([one for one in missing if one not in first], new.contents, held))
    made, fetched = bytearray(), 0
    for one in new.layers:
        if kept := own.get(one.descriptor.digest):
            made += old.data[kept.offset : kept.offset + kept.descriptor.size]
            continue
        for piece in plans.get(one, (Piece(one.offset, one.descriptor.size),)):
            source, at = (
                (old.data, piece.source_offset) if piece.source else (new.data, piece.offset)
            )
            made += source[at : at + piece.size]
            fetched += 0 if piece.source else piece.size
    return bytes(made), fetched


def write_files(folder: Path, *, count: int, total: int, seed: int) -> None:
    """Files of many sizes, half noise and half text; some cannot be compressed at all."""
    dice = random.Random(seed)
    nibbles = bytes(range(16)) * 16
    for number in range(count):
        file = folder / f"{number % 13}" / f"{seed}-{number}.sys"
        file.parent.mkdir(parents=True, exist_ok=True)
        size = int(dice.expovariate(count / total)) + 10
        noise = dice.randbytes(size)
        file.write_bytes(noise[: size // 2] + noise[size // 2 :].translate(nibbles))


@pytest.fixture(scope="module")
def wims(tmp_path_factory) -> dict[str, Wim]:
    """20 MB; 2 MB of drivers added; then rebuilt without one of them; the same captured again."""
    folder = tmp_path_factory.mktemp("wims")
    base, drivers = folder / "base", folder / "drivers"
    write_files(base, count=1100, total=27 << 20, seed=1)
    for number in range(4):
        write_files(drivers / f"{number}", count=10, total=700 << 10, seed=10 + number)
    paths = {name: folder / f"{name}.wim" for name in ("old", "appended", "rebuilt", "recaptured")}
    capture(base, paths["old"], "PE", "--compress=LZX")
    shutil.copy(paths["old"], paths["appended"])
    imagex("update", paths["appended"], "1", "--command", f"add {drivers} /drivers")
    shutil.copy(paths["appended"], paths["rebuilt"])
    delete = "delete --recursive /drivers/1"
    imagex("update", paths["rebuilt"], "1", "--rebuild", "--command", delete)
    shutil.copytree(drivers, base / "drivers")
    shutil.rmtree(base / "drivers" / "1")
    capture(base, paths["recaptured"], "PE", "--compress=LZX")
    return {name: Wim(path) for name, path in paths.items()}


@pytest.mark.wimlib
@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs zstd")
@pytest.mark.parametrize("name", ["appended", "rebuilt", "recaptured"])
def test_an_update_moves_hardly_more_than_the_best_patch(wims, name):
    """At most 1.15 times what `zstd --patch-from` needs, which has to have both files."""
    old, new = wims["old"], wims[name]
    made, fetched = update(old, new)
    patch = subprocess.run(
        ["zstd", "-3", "--long=27", "-q", "-c", f"--patch-from={old.path}", new.path],
        capture_output=True,
        check=True,
    ).stdout

    assert digest(made) == digest(new.data)
    assert fetched <= 1.15 * len(patch)


@pytest.mark.wimlib
@pytest.mark.parametrize(("old", "new"), [("appended", "rebuilt"), ("rebuilt", "recaptured")])
def test_what_only_moves_inside_a_wim_is_not_fetched(wims, old, new):
    """When nothing is new, the header and the end with metadata and table are fetched."""
    made, fetched = update(wims[old], wims[new])
    offset, _ = wims[new].table
    end = next(iter(layers_with(wims[new].layers, offset, 1))).offset

    assert made == wims[new].data
    assert fetched <= HEADER_SIZE + len(made) - end
    assert fetched < 0.01 * len(made)
