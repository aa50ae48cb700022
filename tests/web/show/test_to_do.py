"""What waits for somebody."""

import time

import pytest

from netboot.boot.told.events import Discovered
from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.points import points as points_operations
from netboot.operations.processes import ProcessState
from netboot.store.boots import journal_mark
from netboot.store.boots.journal import Entry
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


def test_a_process_that_ends_or_cannot_work_is_told_first(site, monkeypatch):
    """With the page of what it does; and boot events that it could not write."""
    states = (
        ProcessState("boot services", running=True, trouble="the disk is full", lost=7),
        ProcessState("projector", running=True),
        ProcessState("worker", running=False, ended=3, reason="by SIGKILL", next_start=0.0),
    )
    monkeypatch.setattr(attention.processes, "list_states", lambda: states)
    counts = attention.driver_counts(site)
    found = attention.decisions(site, [], counts, ())

    assert [(one.severity, one.what, one.endpoint) for one in found] == [
        (SEVERE, "The process boot services", "network.index"),
        (SEVERE, "The process worker", "jobs.index"),
        (NEEDED, "7 boot events", "boots.index"),
    ]
    assert found[0].text.endswith("tries again: the disk is full")
    assert found[1].text == "ended by SIGKILL; it starts again in 0 s"


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (0, [(SEVERE, "has 0 MiB left")]),
        (attention.RESERVE - 1, [(SEVERE, "has 255 MiB left")]),
        (attention.RESERVE, [(NEEDED, "is almost full (256 MiB free)")]),
        (attention.WARN_BYTES, []),
    ],
)
def test_a_disk_that_fills_up_is_told_before_it_is_full(site, monkeypatch, free, expected):
    """First as a warning, and when imports are refused as what it is."""
    monkeypatch.setattr(attention.counts, "free_bytes", lambda _: free)
    counted = attention.driver_counts(site)
    found = attention.decisions(site, [], counted, ())

    assert [(severity, found[0].text.startswith(text)) for severity, text in expected] == [
        (one.severity, True) for one in found
    ]


def test_boot_events_that_were_set_aside_are_told(site):
    """They are in no boot, and stay in the journal."""
    entry = Entry(
        5,
        Discovered(
            at=1.0, mac="52:54:00:00:00:01", architecture="x64", firmware="uefi", stage="firmware"
        ),
    )
    with site.database.writing() as session:
        journal_mark.set_aside(session, entry, reason="KeyError")
    assert decisions(site) == [(NEEDED, "1 boot event")]
