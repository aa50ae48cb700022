import pytest

from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.images.versions.distribution import DistributionStatus, plan_update, status

VERSION = ContentVersion(
    image="Lab PE x64",
    number=2,
    architecture=Architecture.X64,
    recipe_digest="sha256:0",
    built_at=0.0,
    files=(
        ManifestFile("boot.wim", "wim", 1000),
        ManifestFile("vmlinuz", "kernel", 100),
        ManifestFile("kernel", "kernel", 100),
        ManifestFile("boot.sdi", "sdi", 10),
    ),
    chains=("linux",),
)


@pytest.mark.parametrize(
    ("served", "newest", "altered", "reachable", "expected"),
    [
        (2, 2, False, True, DistributionStatus.CURRENT),
        (1, 2, False, True, DistributionStatus.OUT_OF_DATE),
        (3, 2, False, True, DistributionStatus.OUT_OF_DATE),
        (2, None, False, True, DistributionStatus.OUT_OF_DATE),
        (None, 2, False, True, DistributionStatus.MISSING),
        (None, None, False, True, DistributionStatus.MISSING),
        (2, 2, True, True, DistributionStatus.ALTERED),
        (1, 2, True, True, DistributionStatus.ALTERED),
        (2, 2, False, False, DistributionStatus.UNREACHABLE),
        (2, 2, True, False, DistributionStatus.UNREACHABLE),
    ],
)
def test_the_status_is_a_comparison(served, newest, altered, reachable, expected):
    """Nothing of it is stored: what is served against what was built says it all."""
    found = status(served=served, newest=newest, altered=altered, reachable=reachable)

    assert expected is found


def test_only_what_is_missing_is_copied_and_everything_is_checked():
    """A blob that two names share is copied once."""
    plan = plan_update(VERSION, held={"sdi"}, served=1)

    assert (plan.copy, plan.check) == (("wim", "kernel"), ("wim", "kernel", "sdi"))
    assert plan.switch


def test_a_version_that_is_served_already_is_only_checked():
    """Nothing to copy, nothing to switch."""
    plan = plan_update(VERSION, held={"wim", "kernel", "sdi"}, served=2)

    assert (plan.copy, plan.switch) == ((), False)
    assert {"wim", "kernel", "sdi"} == set(plan.check)


def test_blobs_of_others_are_nobodys_business():
    """What a point holds beside is neither copied nor checked."""
    assert plan_update(VERSION, held={"other"}, served=None).copy == ("wim", "kernel", "sdi")
