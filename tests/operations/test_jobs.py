import pytest

from netboot.daemons import job_handlers
from netboot.errors import InvalidInput, NotFound
from netboot.operations import jobs
from netboot.operations import remembered as facts
from netboot.operations.jobs import DAY, queue_when_due
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import scrub as guarding


def test_a_job_that_no_worker_knows_is_refused(site):
    """It would wait for ever; the refusal lists what there is."""
    with pytest.raises(InvalidInput) as refusal:
        jobs.submit(site, "make_coffee", {}, title="Coffee")
    assert "build_version" in refusal.value.hint
    assert [] == jobs.list_jobs(site)


def test_every_kind_of_job_has_a_handler_and_a_lane():
    """Nothing can be queued that would never be taken."""
    assert set(jobs.KINDS) == set(job_handlers.HANDLERS)
    assert set(jobs.KINDS) == {kind for lane in job_handlers.LANES for kind in lane}


def test_a_job_is_found_by_its_number_and_cancelled(site):
    """Pages, API and CLI see the same job."""
    made = jobs.submit(site, "build_version", {"image": "x"}, title="Build x")

    assert made == jobs.get_job(site, made.id)
    assert "cancelled" == jobs.cancel(site, made.id).state
    with pytest.raises(NotFound):
        jobs.get_job(site, made.id + 1)


@pytest.mark.parametrize("daily", [housekeeping.DAILY, guarding.DAILY])
def test_a_daily_job_is_queued_once_a_day(site, daily):
    """A new site begins to count; only the lane that does it asks."""
    lane, now = (daily.kind, "build_version"), 1_000_000.0
    queue_when_due(site, daily, lane, now=now)
    queue_when_due(site, daily, lane, now=now + DAY - 1)
    queue_when_due(site, daily, ("boot_test_machine",), now=now + 2 * DAY)
    assert [] == site.jobs.latest()
    for moment in (now + DAY + 1, now + DAY + 60, now + 2 * DAY):
        queue_when_due(site, daily, lane, now=moment)

    assert [daily.kind] == [job.kind for job in site.jobs.latest()]
    queue_when_due(site, daily, lane, now=now + 2 * DAY + 2)
    assert 2 == len(site.jobs.latest())
    assert {"at": now + 2 * DAY + 2} == facts.recall(site, daily.mark)
