"""What waits for somebody."""

import time

from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.points import points as points_operations
from tests.web.support import seeding
from web.show import to_do as attention
from web.show.to_do import NEEDED, SEVERE, USEFUL


def out_of_date(site):
    return [(one.what, one.text) for one in attention.out_of_date(images.list_images(site))]


def decisions(site, foreign=()):
    counts = attention.driver_counts(site)
    found = attention.decisions(site, images.list_images(site), counts, foreign)
    return [(one.severity, one.what) for one in found]


def test_an_image_is_out_of_date_until_machines_get_what_was_asked_for(site, tmp_path):
    """Never built, built, distributed, changed, built again."""
    seeding.add_image(site)
    assert out_of_date(site) == [("Lab PE x64", "is not yet built")]
    version = seeding.add_version(site)
    assert out_of_date(site) == [("Lab PE x64 v1", "is built but not yet distributed")]
    site.point.update(version, site.blobs, now=time.time())
    assert out_of_date(site) == []
    driver = seeding.add_driver(site, tmp_path, enabled=True)
    images.add_driver(site, "Lab PE x64", driver.digest)
    assert out_of_date(site) == [("Lab PE x64", "has changes that are not yet built")]
    seeding.add_version(site)
    assert out_of_date(site) == [("Lab PE x64 v2", "is built but v1 is still served")]
    points_operations.update_distribution_points(site, "Lab PE x64")
    assert out_of_date(site) == []


def test_what_only_a_person_can_decide_is_listed_worst_first(site, tmp_path):
    """Failed jobs, foreign servers, disabled drivers in an image, drivers that wait."""
    assert decisions(site) == []
    seeding.add_image(site)
    driver = seeding.add_driver(site, tmp_path, enabled=True)
    images.add_driver(site, "Lab PE x64", driver.digest)
    drivers.disable_driver(site, driver.digest)
    job = jobs.submit(site, "build_version", {"image": "Lab PE x64"}, title="Build it")
    site.jobs.finish(job.id, "failed", message="no room")

    expected = [(SEVERE, "Build it"), (SEVERE, "10.0.0.9"), (NEEDED, "Lab PE x64")]
    assert [*expected, (USEFUL, "1 driver")] == decisions(site, ["10.0.0.9", "10.0.0.9"])


def test_a_failed_job_is_settled_when_the_same_was_done_since(site):
    """Nobody needs to look at it any more."""
    for state in ("failed", "succeeded"):
        job = jobs.submit(site, "build_version", {}, title="Build it")
        site.jobs.finish(job.id, state)

    assert decisions(site) == []


def test_an_architecture_without_a_default_image_needs_one(site):
    """Its machines get nothing."""
    from netboot.operations.deployments import deployments as policy

    seeding.add_image(site, "PE 32", Architecture.X86)
    policy.drop(site, "PE 32")

    assert decisions(site) == [(NEEDED, "x86 machines")]


def test_what_a_failed_job_says_is_whole_and_it_can_be_dismissed(site):
    """A dismissed failure stays in the list of jobs and needs no decision."""
    words = "the WIM cannot be used because " + "of one thing and of another " * 20
    job = jobs.submit(site, "import_image", {"path": "/nowhere/boot.wim"}, title="Import PE")
    site.jobs.finish(job.id, "failed", message=f"{words}\nTake another file.")
    counts = attention.driver_counts(site)

    (matter,) = attention.decisions(site, [], counts, ())
    assert (matter.text, matter.job) == (f"failed: {words}", job.id)
    assert not matter.can_retry, "its upload is gone"
    jobs.dismiss(site, job.id)
    assert attention.decisions(site, [], counts, ()) == ()


def test_a_job_that_is_retried_needs_a_decision_only_if_it_fails_again(site):
    job = jobs.submit(site, "build_version", {}, title="Build it")
    site.jobs.finish(job.id, "failed", message="no room")
    jobs.retry(site, job.id)
    assert decisions(site) == []
    site.jobs.finish(job.id, "failed", message="no room")

    assert decisions(site) == [(SEVERE, "Build it")]
