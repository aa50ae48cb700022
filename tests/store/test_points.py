import json

import pytest

from netboot.errors import ContentFault, DigestMismatch, NotFound
from netboot.images.architecture import Architecture
from netboot.images.content_version import ContentVersion, ManifestFile
from netboot.store import points as module
from netboot.store.blobs import BlobStore
from netboot.store.points import PointFolder, PublishedReader

NOW = 1_000_000.0


@pytest.fixture
def source(tmp_path):
    return BlobStore(tmp_path / "site")


@pytest.fixture
def point(tmp_path):
    return PointFolder(tmp_path / "point")


def version(source, number, content=None):
    blob = source.add_bytes(content or b"content of %d" % number)
    return ContentVersion(
        image="Lab PE x64",
        number=number,
        architecture=Architecture.X64,
        recipe_digest="sha256:" + f"{number:064x}",
        built_at=NOW,
        files=(ManifestFile("boot.wim", blob.digest, blob.size),),
        chains=("linux",),
    )


def test_a_point_serves_what_it_was_updated_to_and_nothing_before(source, point):
    """A version that was only built is not served; after the update it is."""
    built = version(source, 1)

    assert point.load().current == {}
    assert point.update(built, source, now=NOW) is True
    assert built == point.load().current["Lab PE x64"]
    assert point.update(built, source, now=NOW) is False


def test_the_version_before_is_kept_for_running_boots_and_for_roll_back(source, point):
    """Boots that began on version 1 find its files after the point moved to version 2."""
    one, two = version(source, 1), version(source, 2)
    point.update(one, source, now=NOW)
    point.update(two, source, now=NOW + 1)

    published = point.load()
    assert 2 == published.current["Lab PE x64"].number
    assert one == published.kept[("Lab PE x64", 1)]
    point.roll_back("Lab PE x64", 1, now=NOW + 2)
    assert 1 == point.served("Lab PE x64")


def test_versions_of_yesterday_are_let_go_but_never_the_last_one(source, point):
    """After the day of grace only the served version and the one before it remain."""
    for number in (1, 2, 3):
        point.update(version(source, number), source, now=NOW)
    point.update(version(source, 4), source, now=NOW + module.GRACE_SECONDS + 1)

    assert {3, 4} == {number for _, number in point.load().kept}


def test_an_update_with_altered_bytes_changes_nothing(source, point):
    """A version whose bytes are not what it promises never becomes current."""
    good, bad = version(source, 1), version(source, 2)
    point.update(good, source, now=NOW)
    path = source.path(bad.files[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"CONTENT of 2")

    with pytest.raises(DigestMismatch):
        point.update(bad, source, now=NOW)
    assert 1 == point.served("Lab PE x64")


def test_altered_bytes_are_named(source, point):
    """Verification tells which of the served files is not what was published."""
    built = version(source, 1)
    point.update(built, source, now=NOW)
    path = point.blobs.path(built.files[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"something else")

    assert ("boot.wim",) == point.altered(built)


def test_a_version_that_is_gone_cannot_be_rolled_back_to(source, point):
    """The refusal says what is kept."""
    point.update(version(source, 1), source, now=NOW)

    with pytest.raises(NotFound, match="does not lie on this distribution point"):
        point.roll_back("Lab PE x64", 7, now=NOW)


def test_a_daemon_sees_a_change_by_one_stat(source, point):
    """A reader gives the same snapshot until the pointer is replaced, then the new one."""
    reader = PublishedReader(point, pytest.fail)
    assert 0 == reader().generation
    point.update(version(source, 1), source, now=NOW)
    first = reader()

    assert reader() is first
    policy = ({Architecture.X64: "Lab PE x64"}, {"52:54:00:00:00:01": "Lab PE x64"})
    point.publish_policy(lambda: policy)
    assert "Lab PE x64" == reader().defaults[Architecture.X64]


def test_a_damaged_pointer_is_our_fault_and_not_an_empty_point(point):
    """A daemon must not take damage for 'nothing to serve'."""
    point.pointer.write_text("{half")

    with pytest.raises(ContentFault, match="damaged"):
        point.load()


def test_a_missing_manifest_is_damage(source, point):
    """A pointer that names a manifest which is gone cannot be read."""
    point.update(version(source, 1), source, now=NOW)
    for manifest in point.versions.iterdir():
        manifest.unlink()

    with pytest.raises(ContentFault):
        point.load()


def test_manifests_are_plain_json(source, point):
    """What lies on the disk can be read by any tool, and read back equal."""
    built = version(source, 1)
    point.update(built, source, now=NOW)
    (manifest,) = point.versions.iterdir()

    assert built == ContentVersion.from_json(json.loads(manifest.read_text()))
