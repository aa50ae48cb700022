import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.operations.images import images
from netboot.operations.points import scrub as guarding
from netboot.operations.points.quarantine import delete_altered, list_altered
from tests.operations.points.test_scrub import NAME, served, spoil  # noqa: F401


def test_a_sound_site_has_no_damaged_bytes(served):  # noqa: F811
    """Nothing to list, and nothing to delete is said."""
    assert list_altered(served) == []
    assert delete_altered(served).files == 0
    with pytest.raises(NotFound, match="no damaged bytes"):
        delete_altered(served, "0" * 64)


def test_damaged_bytes_are_listed_with_what_they_were_for(served):  # noqa: F811
    """Where they lay, and that version 2 needs them, though it is out of service."""
    version = images.get_image(served, NAME).current
    wim = version.file("boot.wim")
    spoil(served.blobs, wim.digest)
    guarding.scrub(served, bytes_per_second=0)

    found = list_altered(served)
    assert {"site", "point"} == {one.where for one in found}
    assert {(wim.digest, wim.size, version.label)} == {(o.digest, o.size, o.what) for o in found}


def test_they_are_deleted_by_digest_or_all_at_once(served):  # noqa: F811
    """The version stays out of service: only the evidence goes."""
    view = images.get_image(served, NAME)
    digests = [version.file("boot.wim").digest for version in view.versions]
    for digest in digests:
        spoil(served.blobs, digest)
    guarding.scrub(served, bytes_per_second=0)

    assert delete_altered(served, digests[0].removeprefix("sha256:").upper()).files == 2
    assert {digests[1]} == {one.digest for one in list_altered(served)}
    assert delete_altered(served).files == 2
    assert list_altered(served) == []
    assert {1, 2} == set(images.get_image(served, NAME).altered)


@pytest.mark.parametrize("digest", ["../../etc/passwd", "sha256:xyz", "0" * 63, "*"])
def test_only_a_digest_names_them(served, digest):  # noqa: F811
    """What a form sends never becomes a path."""
    with pytest.raises(InvalidInput, match="is not a digest"):
        delete_altered(served, digest)
