import pytest

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.versions.distribution import DistributionStatus
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from vm import labpe

NAME = "Lab PE x64"

pytestmark = pytest.mark.wimlib


@pytest.fixture
def imported(site):
    images.import_image(site, labpe.ensure().wim[Architecture.X64], name=NAME)
    return site


def test_what_was_never_built_cannot_be_distributed(imported):
    """The hint says what to do first."""
    with pytest.raises(OperatorFault, match="no version yet") as refusal:
        points.update_distribution_points(imported, NAME)
    assert "Build one first" in refusal.value.hint


def test_the_status_follows_the_versions(imported):
    """Missing until the first update, current after it; a second update changes nothing."""
    (view,) = points.point_status(imported)
    assert [(row.image, row.held, row.status) for row in view.images] == [
        (NAME, None, DistributionStatus.MISSING)
    ]
    versions.build_version(imported, NAME)
    assert points.update_distribution_points(imported, NAME).changed is True
    assert points.update_distribution_points(imported, NAME).changed is False
    ((row,),) = [view.images for view in points.point_status(imported)]
    assert (row.held, row.current, row.status) == (1, 1, DistributionStatus.CURRENT)


def test_an_altered_file_is_found_where_it_is_served(imported):
    """Verification reads every byte and names the file."""
    versions.build_version(imported, NAME)
    points.update_distribution_points(imported, NAME)
    assert points.verify(imported, NAME)[1] == ()
    served = imported.point.load().current[NAME]
    path = imported.point.blobs.path(served.file("initrd.gz").digest)
    path.chmod(0o644)
    with path.open("r+b") as blob:
        blob.seek(1000)
        blob.write(b"altered")

    row, wrong = points.verify(imported, NAME)
    assert (row.status, wrong) == (DistributionStatus.ALTERED, ("initrd.gz",))
