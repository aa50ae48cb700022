"""A disk that fills up while something is made: builds, media, updates, packages; a real one.

The free space is not asked for beforehand here, as if others took it in the middle of the work.
"""

import errno
import random
import time

import pytest

from netboot.errors import DatabaseFault, DiskFault, OperatorFault
from netboot.images.media.disk_package import System
from netboot.images.media.request import DiskFormat, MediaKind, MediaOrder
from netboot.operations.images import images
from netboot.operations.media import disk_packages, media
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.store.content.blobs import BlobStore
from netboot.store.media import tools
from netboot.store.wim import builder
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.support.media_versions import add_lab_version
from tests.support.small_disk import fill, free, left_over, needs_small_disk

pytestmark = [needs_small_disk, pytest.mark.wimlib]
LAB = "Lab PE x64"
PE = "Windows PE x64"
REFUSED = (DiskFault, DatabaseFault)


@pytest.fixture
def filling(small, monkeypatch):
    """A site whose disk fills up although there was enough space at first."""
    monkeypatch.setattr(BlobStore, "check_space", lambda _store, _size: None)
    return small


def stored(site):
    return {path.name for path in site.data.glob("**/blobs/??/*")}


@pytest.mark.parametrize("beyond", [None, -1 << 20, -5000, 4 << 10, 24 << 10, 60 << 10])
def test_a_build_is_refused_and_works_when_there_is_space(filling, tmp_path, beyond):
    """Wherever it meets the end of the disk: at once, in the copy, the additions, wimlib."""
    bulky = {"/Windows/Fonts/large.ttf": random.Random(3).randbytes(3 << 20)}
    wim = SyntheticWinPe(files=bulky).capture(tmp_path)
    images.import_image(filling, wim, name=PE)
    before = stored(filling)
    fill(filling.data, 0 if beyond is None else wim.stat().st_size + beyond)
    with pytest.raises(REFUSED, match="full") as told:
        versions.build_version(filling, PE)
    assert told.value.hint
    assert left_over(filling) == []
    free(filling.data)
    assert images.get_image(filling, PE).versions == ()
    assert before == stored(filling)
    assert versions.build_version(filling, PE).built


ORDERS = {
    "iso": MediaOrder(kind=MediaKind.ISO),
    "usb": MediaOrder(kind=MediaKind.USB),
    "disk": MediaOrder(kind=MediaKind.DISK, format=DiskFormat.QCOW2),
}


@pytest.mark.parametrize("leave", [0, 40 << 10, 500 << 10, 1500 << 10])
@pytest.mark.parametrize("kind", ORDERS)
def test_a_medium_is_refused_and_works_when_there_is_space(filling, kind, leave):
    """The tools of the system that make it say so in words of their own."""
    add_lab_version(filling)
    before = stored(filling)
    fill(filling.data, leave)
    with pytest.raises(REFUSED, match="full") as told:
        media.build_media(filling, ORDERS[kind], [(LAB, 1)])
    assert "Free some disk space" in told.value.hint
    assert left_over(filling) == []
    free(filling.data)
    assert media.list_media(filling) == []
    assert before == stored(filling)
    assert media.build_media(filling, ORDERS[kind], [(LAB, 1)]).size


def test_an_update_of_the_points_is_refused_and_the_old_version_stays_served(filling):
    add_lab_version(filling)
    points.update_distribution_points(filling, LAB)
    files = {"boot.wim": b"another " * 100_000, "vmlinuz": b"another kernel"}
    filling.blobs.add_bytes(files["boot.wim"])
    add_lab_version(filling, number=2, files=files)
    fill(filling.data, 0)
    with pytest.raises(REFUSED, match="full"):
        points.update_distribution_points(filling, LAB)
    assert left_over(filling) == []
    assert filling.point.served(LAB) == 1
    free(filling.data)
    assert points.update_distribution_points(filling, LAB).number == 2
    assert filling.point.load().current[LAB].number == 2


def test_a_package_for_disks_is_refused_and_no_half_link_stays(filling):
    filling.point.update(add_lab_version(filling), filling.blobs, now=time.time())
    fill(filling.data, 0)
    wishes = {"system": System.LINUX, "home": "http://10.0.0.2:8081"}
    with pytest.raises(DiskFault, match="full"):
        disk_packages.make_link(filling, LAB, 1, **wishes)
    assert list(filling.point.root.glob("tickets/*")) == []
    free(filling.data)
    assert disk_packages.make_link(filling, LAB, 1, **wishes).url


def test_a_copy_of_a_medium_onto_a_full_disk_leaves_nothing(filling):
    """`netboot media save` names the disk, not only the file."""
    add_lab_version(filling)
    view = media.build_media(filling, ORDERS["iso"], [(LAB, 1)])
    fill(filling.data, 100 << 10)
    target = filling.data.parent / "copy.iso"
    with pytest.raises(DiskFault, match=rf"the disk of {target.parent} is full"):
        media.save_medium(filling, view.id, target)
    assert not target.exists()


def test_a_disk_that_fails_ends_a_build_with_its_name(filling, tmp_path, monkeypatch):
    images.import_image(filling, SyntheticWinPe().capture(tmp_path), name=PE)

    def failing(*_arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(builder, "copy", failing)
    with pytest.raises(DiskFault, match="Input/output error"):
        versions.build_version(filling, PE)
    assert left_over(filling) == []


def test_a_tool_that_meets_a_failing_disk_says_so_in_its_own_words(filling, monkeypatch):
    add_lab_version(filling)

    def failing(*_arguments, **_settings):
        raise OperatorFault("xorriso failed: write: Input/output error")

    monkeypatch.setattr(tools.Tools, "run", failing)
    with pytest.raises(DiskFault, match="Input/output error"):
        media.build_media(filling, ORDERS["iso"], [(LAB, 1)])
    assert left_over(filling) == []
