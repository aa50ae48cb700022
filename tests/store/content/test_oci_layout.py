"""Versions as an OCI layout: complete, shared, readable by other tools, whole after any stop."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netboot.errors import BlobMissing, ContentFault, DigestMismatch, DiskFault
from netboot.formats import cpio
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.store.content import blobs as blobs_module
from netboot.store.content.blobs import BlobStore
from netboot.store.content.oci_layout import OciLayout, tag_of
from tests.formats.wim.made_wims import make_wim

DICE = random.Random(1)
SIZES = [int(DICE.expovariate(1 / 9000)) + 1 for _ in range(120)]
LATER = time.time() + 9 * 3600.0


@pytest.fixture
def source(tmp_path):
    return BlobStore(tmp_path / "site")


@pytest.fixture
def layout(tmp_path):
    return OciLayout(tmp_path / "oci")


def version(source, number=1, wim=None, **files) -> ContentVersion:
    """With a WIM, alone and in an archive, and small files; one of them under two names."""
    wim = make_wim(SIZES) if wim is None else wim
    archive = cpio.prefix("boot.wim", len(wim)) + wim + cpio.suffix(len(wim))
    contents = {
        "boot.wim": wim,
        "boot.wim.cpio": archive,
        "boot.sdi": b"$SDI0001" + bytes(5000),
        "Boot/BCD": b"bcd",
        "bootmgfw.efi": b"loader",
        "Fonts/wgl4_boot.ttf": b"loader",
        "empty.txt": b"",
        **files,
    }
    blobs = {name: source.add_bytes(data) for name, data in contents.items()}
    return ContentVersion(
        image="Lab PE x64",
        number=number,
        architecture=Architecture.X64,
        recipe_digest="sha256:" + f"{number:064x}",
        built_at=1_000_000.5,
        files=tuple(ManifestFile(name, blob.digest, blob.size) for name, blob in blobs.items()),
        chains=("native",),
    )


def joined(layout, digest, name) -> str:
    """The digest of a file's layers in order, by sha256sum."""
    paths = [
        layout.blobs.path(one.descriptor.digest) for one in layout.read(digest).layers_of(name)
    ]
    cat = subprocess.run(["cat", *paths], capture_output=True, check=True)
    out = subprocess.run(["sha256sum"], input=cat.stdout, capture_output=True, check=True).stdout
    return "sha256:" + out.decode().split()[0]


def layers(layout, digest) -> dict[str, int]:
    return {one.descriptor.digest: one.descriptor.size for one in layout.read(digest).layers}


def test_layers_in_order_are_the_files_of_the_version(source, layout):
    """Every file is in the artifact, by its title; sha256sum agrees."""
    made = version(source)
    digest = layout.write(made, source)

    assert layout.read(digest).version == made
    assert {tag_of(made): digest} == layout.tags()
    assert len(layout.read(digest).layers_of("boot.wim")) > 8
    for file in made.files:
        assert file.digest == joined(layout, digest, file.name)


def test_a_wim_in_an_archive_takes_no_room_of_its_own(source, layout):
    """Its layers are those of the WIM; only the frame is new."""
    digest = layout.write(version(source), source)
    artifact = layout.read(digest)
    plain, wrapped = (
        [one.descriptor.digest for one in artifact.layers_of(name)]
        for name in ("boot.wim", "boot.wim.cpio")
    )

    assert plain == wrapped[1:-1]


def test_whole_files_are_hard_links(source, layout):
    """They are not stored twice; what is, are the parts of the WIM."""
    made = version(source)
    digest = layout.write(made, source)
    size = len(make_wim(SIZES))
    twice = sum(
        path.stat().st_size
        for path in (layout.blobs.path(one) for one in layers(layout, digest))
        if path.stat().st_nlink == 1
    )

    file = made.file("boot.sdi")
    assert file is not None
    assert source.path(file.digest).samefile(layout.blobs.path(file.digest))
    assert size <= twice <= size + 1000


def test_the_next_version_adds_what_is_new(source, layout):
    """A WIM without one resource: the layers around it, header and table."""
    first = layout.write(version(source), source)
    second = layout.write(version(source, 2, make_wim(SIZES, without=[60])), source)
    added = layers(layout, second).keys() - layers(layout, first).keys()

    assert {"lab-pe-x64-v1": first, "lab-pe-x64-v2": second} == layout.tags()
    assert sum(layers(layout, second)[one] for one in added) < 0.3 * sum(SIZES)


def test_writing_a_version_again_changes_nothing(source, layout):
    """The same digest, and the index is not even replaced."""
    made = version(source)
    first = layout.write(made, source)
    before = (layout.root / "index.json").stat().st_ino

    assert first == layout.write(made, source)
    assert before == (layout.root / "index.json").stat().st_ino
    assert first == OciLayout(layout.root).write(made, source)


def test_a_solid_or_damaged_wim_is_distributed_all_the_same(source, layout):
    """Cut at fixed places: it begins like a WIM, and its table leads nowhere."""
    for number, wim in enumerate(
        (
            b"MSWIM\0\0\0",
            b"MSWIM\0\0\0" + os.urandom(600_000),
            make_wim(SIZES)[:400_000],
            b"070701" + b"F" * 400,
        ),
        1,
    ):
        made = version(source, number, wim)
        digest = layout.write(made, source)
        assert made.files[0].digest == joined(layout, digest, "boot.wim")


# --- other tools ----------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_skopeo_reads_and_copies_what_was_written(source, layout, tmp_path):
    """It finds the version by its tag, agrees on each digest, and its copy is read here again."""
    made = version(source)
    digest = layout.write(made, source)
    layout.write(version(source, 2, make_wim(SIZES, without=[3])), source)
    there, copy = f"oci:{layout.root}:{tag_of(made)}", OciLayout(tmp_path / "copy")
    raw = subprocess.run(["skopeo", "inspect", "--raw", there], capture_output=True, check=True)
    skopeo = ["skopeo", "--insecure-policy", "copy", "--quiet", there, f"oci:{copy.root}:v1"]
    subprocess.run(skopeo, capture_output=True, check=True)

    assert raw.stdout == layout.blobs.path(digest).read_bytes()
    assert copy.tags() == {"v1": digest}
    assert copy.read(digest) == layout.read(digest)
    for file in made.files:
        assert file.digest == joined(copy, digest, file.name)


# --- damage ---------------------------------------------------------------------------------------


def alter(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_source_is_not_distributed(source, layout):
    """Whichever file it is: nothing is named that was not named before."""
    first = layout.write(version(source), source)
    made = version(source, 2, make_wim(SIZES, seed=5), **{"Boot/BCD": b"other"})
    for name in ("boot.wim", "Boot/BCD"):
        file = made.file(name)
        assert file is not None
        alter(source.path(file.digest))
        with pytest.raises(DigestMismatch, match=name):
            layout.write(made, source)
        source.remove(file.digest)
        with pytest.raises(BlobMissing):
            layout.write(made, source)
        version(source, 2, make_wim(SIZES, seed=5), **{"Boot/BCD": b"other"})

    assert layout.tags() == {"lab-pe-x64-v1": first}
    assert layout.write(made, source) == layout.tags()["lab-pe-x64-v2"]


def test_damaged_layers_are_replaced_when_the_version_is_written_again(source, layout):
    """Each is checked, not only looked for."""
    made = version(source)
    digest = layout.write(made, source)
    own = [one for one in layout.blobs.digests() if layout.blobs.path(one).stat().st_nlink == 1]
    for one in own:
        alter(layout.blobs.path(one))
    with pytest.raises(ContentFault):
        layout.read(digest)

    assert digest == layout.write(made, source)
    assert all(layout.blobs.verify(one) >= 0 for one in layout.blobs.digests())
    assert layout.read(digest).version == made


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"schemaVersion":2}', b"\xff", b'{"schemaVersion":2,"manifests":[{}]}'],
)
def test_a_damaged_index_is_not_an_empty_one(source, layout, damage):
    """Nothing is read, written or deleted then."""
    layout.write(version(source), source)
    held = list(layout.blobs.digests())
    (layout.root / "index.json").write_bytes(damage)
    reopened = OciLayout(layout.root)

    for act in (
        reopened.tags,
        lambda: reopened.write(version(source, 2), source),
        lambda: reopened.remove("lab-pe-x64-v1"),
        lambda: reopened.sweep(before=LATER),
    ):
        with pytest.raises(ContentFault, match="index.json is damaged or missing"):
            act()
    assert held == list(layout.blobs.digests())


def test_a_lost_index_is_damage_and_a_lost_mark_is_made_again(source, layout):
    """Neither lets a clean-up take the layers for unneeded."""
    digest = layout.write(version(source), source)
    (layout.root / "oci-layout").unlink()
    assert OciLayout(layout.root).tags() == {"lab-pe-x64-v1": digest}

    (layout.root / "index.json").unlink()
    with pytest.raises(ContentFault, match="damaged or missing"):
        OciLayout(layout.root).sweep(before=LATER)


def test_a_layout_of_another_kind_is_refused(tmp_path, layout):
    """A later version of the format may mean anything."""
    (layout.root / "oci-layout").write_text('{"imageLayoutVersion": "9.0.0"}')

    with pytest.raises(ContentFault, match="version '9.0.0'"):
        OciLayout(layout.root)


def test_what_is_in_the_layout_and_is_no_version_is_damage(source, layout):
    """A manifest of something else, and one that is none."""
    layout.write(version(source), source)
    for data in (b"no manifest", json.dumps({"schemaVersion": 2}).encode()):
        with pytest.raises(ContentFault, match="cannot be used"):
            layout.read(layout.blobs.add_bytes(data).digest)
    with pytest.raises(BlobMissing):
        layout.read("sha256:" + "0" * 64)


# --- clean-up -------------------------------------------------------------------------------------


def test_a_sweep_deletes_what_no_version_needs(source, layout):
    """Shared layers stay; what was only in the removed version goes."""
    first = layout.write(version(source), source)
    second = layout.write(version(source, 2, make_wim(SIZES, without=[60])), source)
    shared = layers(layout, first).keys() & layers(layout, second).keys()
    assert layout.remove("lab-pe-x64-v1")
    assert not layout.remove("lab-pe-x64-v1")
    swept = layout.sweep(before=LATER)

    assert swept.blobs >= 3
    assert swept.size > 0
    assert shared < set(layout.blobs.digests())
    assert joined(layout, second, "boot.wim") == layout.read(second).version.files[0].digest
    assert layout.sweep(before=LATER).blobs == 0
    # The site's own blobs are untouched: what went were links to them.
    assert all(source.verify(one) >= 0 for one in source.digests())


def test_a_sweep_leaves_what_is_young(source, layout):
    """A layer that another process has just brought may be about to be named."""
    layout.write(version(source), source)
    layout.remove("lab-pe-x64-v1")
    layout.blobs.add_bytes(b"new")
    held = list(layout.blobs.digests())

    assert layout.sweep(before=time.time() - 3600).blobs == 0
    assert held == list(layout.blobs.digests())


def test_a_damaged_manifest_stops_the_sweep(source, layout):
    """What it needs is unknown, so nothing is deleted."""
    digest = layout.write(version(source), source)
    layout.blobs.add_bytes(b"unneeded")
    held = list(layout.blobs.digests())
    alter(layout.blobs.path(digest))

    with pytest.raises(DigestMismatch):
        layout.sweep(before=LATER)
    assert held == list(layout.blobs.digests())


# --- stops and full disks -------------------------------------------------------------------------

CALLS = ("fsync", "link", "mkdir", "replace", "chmod", "open")


def in_a_process(work: Callable[[], object]) -> int:
    """Begin work in a process of its own; its id. It ends with 0 if all went well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def write_and_die(layout, made, source, call: int) -> bool:
    """Write a version in a process that is killed at its `call`-th change of the disk.

    Returns whether it came to its end before that.
    """
    left = call

    def dying(plain):
        def act(*args, **options):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*args, **options)

        return act

    def work():
        for name in CALLS:
            setattr(os, name, dying(getattr(os, name)))
        layout.write(made, source)

    _, status = os.waitpid(in_a_process(work), 0)
    assert status in {0, signal.SIGKILL}
    return status == 0


def test_a_stop_at_any_moment_leaves_the_old_state_or_the_new_one(source, tmp_path):
    """Killed at each change of the disk, one after another: what is named is there, whole."""
    few = SIZES[:12]
    old, new = (
        replace(made, files=made.files[:1] + made.files[2:3])
        for made in (
            version(source, 1, make_wim(few)),
            version(source, 2, make_wim(few, without=[3]), **{"boot.sdi": b"new"}),
        )
    )
    begun = OciLayout(tmp_path / "begun")
    begun.write(old, source)
    call, stops = 1, 0
    while True:
        root = tmp_path / "try"
        shutil.copytree(begun.root, root)
        layout = OciLayout(root)
        ended = write_and_die(layout, new, source, call)
        for digest in OciLayout(root).tags().values():
            for layer in layout.read(digest).layers:
                assert layout.blobs.verify(layer.descriptor.digest) == layer.descriptor.size
        assert "lab-pe-x64-v1" in layout.tags()
        layout.blobs.clear_staging()
        assert layout.read(layout.write(new, source)).version == new
        assert list(layout.blobs.staging.iterdir()) == []
        shutil.rmtree(root)
        if ended:
            break
        call, stops = call + 1, stops + 1

    assert stops > 20


def test_a_full_disk_is_told_before_a_byte_is_written(source, layout, monkeypatch):
    """And what was there is there."""
    first = layout.write(version(source), source)
    usage = shutil.disk_usage(layout.root)._replace(free=blobs_module.SPARE_BYTES + 1000)
    made = version(source, 2, make_wim(SIZES, seed=9))
    held = set(layout.blobs.digests())
    monkeypatch.setattr(blobs_module.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(DiskFault, match="not enough space"):
        layout.write(made, source)
    assert held == set(layout.blobs.digests())
    assert layout.tags() == {"lab-pe-x64-v1": first}


def test_two_writers_lose_no_version(source, tmp_path):
    """Two processes that write different versions at once: both are named."""
    root = tmp_path / "oci"
    OciLayout(root)
    made = [replace(version(source), number=number) for number in (1, 2, 3)]
    children = [in_a_process(lambda one=one: OciLayout(root).write(one, source)) for one in made]

    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert set(OciLayout(root).tags()) == {tag_of(one) for one in made}
