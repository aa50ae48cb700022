import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.operations import job_handlers, jobs


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
