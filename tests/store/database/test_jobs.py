import threading
from dataclasses import fields

import pytest

from netboot.errors import NotFound, OperatorFault
from netboot.store.database import jobs as module
from netboot.store.database.jobs import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, LeaseLost

KINDS = ("build_version",)


def submit(site, image="Lab PE x64"):
    return site.jobs.submit("build_version", {"image": image}, title=f"Build {image}")


def test_jobs_are_claimed_in_the_order_in_which_they_came(site):
    """The oldest waiting job is taken first, and only once."""
    first, second = submit(site), submit(site)

    assert first.id == site.jobs.claim("w1", KINDS).id
    assert second.id == site.jobs.claim("w2", KINDS).id
    assert site.jobs.claim("w3", KINDS) is None


def test_a_worker_takes_only_what_it_knows(site):
    """A lane that boots machines leaves builds alone."""
    submit(site)

    assert site.jobs.claim("w", ("boot_test_machine",)) is None


def test_many_workers_never_share_a_job(site):
    """Eight threads that claim at once get eight different jobs."""
    for _ in range(8):
        submit(site)
    got = []

    def claim():
        got.append(site.jobs.claim(threading.current_thread().name, KINDS).id)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(got)) == 8


def test_the_job_of_a_dead_worker_is_taken_up_again_and_given_up_in_the_end(site, monkeypatch):
    """A lease that runs out frees the job; after two tries it fails and says why."""
    job = submit(site)
    monkeypatch.setattr(module, "LEASE_SECONDS", -1.0)

    assert job.id == site.jobs.claim("dies", KINDS).id
    assert job.id == site.jobs.claim("dies too", KINDS).id
    assert site.jobs.claim("third", KINDS) is None
    ended = site.jobs.get(job.id)
    assert (ended.state, "interrupted 2 times" in ended.message) == (FAILED, True)


def test_a_worker_that_lost_its_lease_is_told(site, monkeypatch):
    """The heart beat of a worker whose job was given away fails."""
    job = submit(site)
    monkeypatch.setattr(module, "LEASE_SECONDS", -1.0)
    site.jobs.claim("slow", KINDS)
    site.jobs.claim("quick", KINDS)

    with pytest.raises(LeaseLost):
        site.jobs.beat(job.id, "slow")


def test_progress_and_log_are_shown(site):
    """What a job reports is what a page reads."""
    job = submit(site)
    site.jobs.claim("w", KINDS)
    site.jobs.report(job.id, progress=0.5, stage="writing", line="half way")

    shown = site.jobs.get(job.id)
    assert (
        shown.state,
        shown.progress,
        shown.stage,
        shown.log,
    ) == (RUNNING, 0.5, "writing", ("half way",))


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked(site):
    """Cancelling a running job is a request that its heart beat carries."""
    waiting, running = submit(site), submit(site)
    assert site.jobs.cancel(waiting.id).state == CANCELLED
    site.jobs.claim("w", KINDS)

    assert site.jobs.beat(running.id, "w") is False
    site.jobs.cancel(running.id)
    assert site.jobs.beat(running.id, "w") is True


def test_a_finished_job_stays_finished(site):
    """It cannot be cancelled any more, and its result is kept."""
    job = submit(site)
    site.jobs.claim("w", KINDS)
    site.jobs.finish(job.id, SUCCEEDED, result={"version": 2})

    with pytest.raises(OperatorFault, match="already succeeded"):
        site.jobs.cancel(job.id)
    assert site.jobs.get(job.id).result == {"version": 2}


def test_a_job_that_never_was_is_not_found(site):
    """The number is named."""
    with pytest.raises(NotFound, match="no job 99"):
        site.jobs.get(99)


def test_the_newest_jobs_come_first(site):
    """A page shows what was asked for last."""
    first, second = submit(site), submit(site)

    assert [second.id, first.id] == [job.id for job in site.jobs.latest(5)]
    assert {QUEUED} == {job.state for job in site.jobs.latest(5)}


def test_a_job_that_is_given_back_was_never_tried(site, monkeypatch):
    """A worker that is stopped costs the job none of its tries; another begins it anew."""
    job = submit(site)
    for _ in range(5):
        assert site.jobs.claim("stops", KINDS).attempts == 1
        site.jobs.give_back(job.id, "stops")

    assert (site.jobs.get(job.id).state, site.jobs.get(job.id).attempts) == (QUEUED, 0)


def test_what_somebody_else_has_is_not_given_back(site, monkeypatch):
    """Nor is it finished by a worker that lost it."""
    job = submit(site)
    monkeypatch.setattr(module, "LEASE_SECONDS", -1.0)
    site.jobs.claim("slow", KINDS)
    site.jobs.claim("quick", KINDS)
    site.jobs.give_back(job.id, "slow")

    with pytest.raises(LeaseLost):
        site.jobs.finish(job.id, SUCCEEDED, worker="slow")
    assert site.jobs.get(job.id).state == RUNNING
    site.jobs.finish(job.id, SUCCEEDED, worker="quick")
    assert site.jobs.get(job.id).state == SUCCEEDED


def test_old_jobs_are_forgotten_and_those_that_go_on_are_not(site):
    """What ended before the day that is named goes with its log; what waits or runs stays."""
    ended, waiting = submit(site), submit(site)
    site.jobs.claim("w", KINDS)
    site.jobs.finish(ended.id, FAILED, message="no room")

    assert site.jobs.forget(before=site.jobs.get(ended.id).finished_at) == 0
    assert site.jobs.forget(before=site.jobs.get(ended.id).finished_at + 1) == 1
    assert [waiting.id] == [job.id for job in site.jobs.latest()]


def test_a_log_and_a_title_have_an_end(site, monkeypatch):
    """A machine that talks for hours keeps its last lines; progress stays between 0 and 1."""
    monkeypatch.setattr(module, "LOG_LINES", 4)
    job = site.jobs.submit("boot_test_machine", {}, title="T" * 1000)
    for number in range(module.LOG_LINES + 5):
        site.jobs.report(job.id, progress=number - 1.0, stage="s" * 1000, line=f"line {number}")

    shown = site.jobs.get(job.id)
    assert (module.LOG_LINES, f"line {module.LOG_LINES + 4}") == (len(shown.log), shown.log[-1])
    assert (shown.progress, len(shown.stage), len(shown.title)) == (1.0, 255, 255)


def test_lines_are_jobs_without_what_is_long(site):
    """The same jobs in the same order; their logs are not read."""
    first, second = submit(site), submit(site, "Other")
    site.jobs.report(first.id, progress=0.5, stage="half", line="a line", result={"a": 1})
    jobs = site.jobs.latest(5)
    lines = site.jobs.lines(5)

    assert [second.id, first.id] == [line.id for line in lines]
    for job, line in zip(jobs, lines, strict=True):
        shown = {field.name: getattr(line, field.name) for field in fields(line)}
        assert shown == {name: getattr(job, name) for name in shown}
        assert line.finished is job.finished
    assert [second.id] == [line.id for line in site.jobs.lines(1)]


def test_unfinished_lines_are_found_however_much_was_done_since(site):
    """What waits or runs."""
    waiting, done, running = submit(site), submit(site), submit(site)
    site.jobs.finish(done.id, SUCCEEDED)
    assert waiting.id == site.jobs.claim("w", KINDS).id
    for _ in range(20):
        site.jobs.finish(submit(site).id, FAILED)

    assert [running.id, waiting.id] == [job.id for job in site.jobs.lines(5, unfinished=True)]
