import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from netboot.daemons import job_handlers
from netboot.daemons import worker as module
from netboot.daemons.worker import Worker
from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations import remembered as facts
from netboot.operations.deployments import deployments as policy
from netboot.operations.images import images
from netboot.operations.jobs import DAY
from netboot.operations.machines import fleet_results
from netboot.operations.points import cleanup as housekeeping
from netboot.site import Site
from netboot.store.database.job_records import JobRow
from netboot.store.database.jobs import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, JobFailed
from tests.samples.synthetic_winpe import SyntheticWinPe

NAME = "Windows PE x64"
SECONDS = 60


@pytest.fixture(autouse=True)
def lively(monkeypatch):
    """Hearts beat quickly, so that tests need not wait for them."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.02)


@contextmanager
def at_work(site):
    """A worker on a thread of this process."""
    worker = Worker(Site.open(site.data))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join()
        worker.site.database.close()


def test_results_of_the_fleet_are_computed_beside_the_jobs(site, monkeypatch):
    """Without anybody asking; and again when something that they depend on was changed."""
    monkeypatch.setattr(module, "RESULTS_SECONDS", 0.01)
    with at_work(site):
        wait_for(lambda: (found := fleet_results.stored_lacking(site)) and found.is_current)
        policy.set_default(site, "not there", Architecture.X64)
        wait_for(lambda: fleet_results.stored_lacking(site).is_current)


def test_results_that_cannot_be_computed_leave_the_worker_at_work(site, monkeypatch):
    """A damaged distribution point is the operator's to mend; jobs go on meanwhile."""
    monkeypatch.setattr(module, "RESULTS_SECONDS", 0.01)
    site.point.pointer.parent.mkdir(parents=True, exist_ok=True)
    site.point.pointer.write_text("damaged")
    tries = []
    refresh = fleet_results.refresh

    def counted(there):
        tries.append(1)
        return refresh(there)

    monkeypatch.setattr(fleet_results, "refresh", counted)
    with at_work(site) as worker:
        wait_for(lambda: len(tries) > 2)
        assert worker._failure is None
        site.point.pointer.unlink()
        wait_for(lambda: fleet_results.stored_lacking(site))


def wait_for(condition):
    """Until it holds."""
    until, look = time.monotonic() + SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < until
        look.wait(0.02)


def reaches(site, job_id, *states, progress=0.0):
    """The job, once it is in one of the states (and so far)."""
    until = time.monotonic() + SECONDS
    look = threading.Event()
    while time.monotonic() < until:
        job = site.jobs.get(job_id)
        if job.state in states and job.progress >= progress:
            return job
        look.wait(0.05)
    raise AssertionError(f"the job stays {site.jobs.get(job_id)}")


def ended(site, job):
    return reaches(site, job.id, SUCCEEDED, FAILED, CANCELLED)


@pytest.fixture
def handler(monkeypatch):
    """Put a function in the place of the handler of one kind."""

    def put(function, kind="build_version"):
        monkeypatch.setitem(job_handlers.HANDLERS, kind, function)

    return put


@pytest.fixture
def imported(site, tmp_path):
    """A site with one image."""
    wim = SyntheticWinPe().capture(tmp_path)
    images.import_image(site, wim, name=NAME)
    return site


def submit(site, kind="build_version", **arguments):
    return jobs.submit(site, kind, {"image": NAME, **arguments}, title=f"{kind} {NAME}")


@pytest.mark.wimlib
def test_a_build_is_done_and_told(imported):
    """A queued build becomes a version; with `update` machines get it at once."""
    job = submit(imported, update=True)
    with at_work(imported):
        done = ended(imported, job)

    assert (
        done.state,
        done.progress,
        done.result,
    ) == (SUCCEEDED, 1.0, {"image": NAME, "version": 1, "built": True})
    assert images.get_image(imported, NAME).served_version == 1


def test_what_cannot_be_done_is_a_failed_job_with_message_and_hint(site):
    """The same words that the command line would say."""
    job = submit(site)
    with at_work(site):
        failed = ended(site, job)

    assert (FAILED, f'There is no boot image "{NAME}". Boot images: none yet.') == (
        failed.state,
        failed.message,
    )


def test_what_there_is_to_show_is_shown_of_a_failure(site, handler):
    """A test machine that did not come up leaves its picture all the same."""

    def fails(context, **_):
        raise JobFailed("no report came", hint="Look at the screen.", result={"screenshot": "x"})

    handler(fails)
    job = submit(site)
    with at_work(site):
        failed = ended(site, job)

    assert (
        failed.state,
        failed.message,
        failed.result,
    ) == (FAILED, "No report came. Look at the screen.", {"screenshot": "x"})


def test_a_bug_is_a_failed_job_and_the_worker_goes_on(site, handler, capsys):
    """The page says that netboot is to blame, the console shows the traceback."""
    handler(lambda context, **_: 1 // 0)
    first, second = submit(site), submit(site, "update_distribution_points")
    with at_work(site):
        failed, other = ended(site, first), ended(site, second)

    assert (failed.state, "an error of netboot itself: Zero" in failed.message) == (FAILED, True)
    assert "no boot image" in other.message
    assert "ZeroDivisionError" in "".join(capsys.readouterr())


def test_a_running_job_is_cancelled(site, handler):
    """The heart brings the request, the next word about progress ends the job."""
    began = threading.Event()

    def works(context, **_):
        began.set()
        while True:
            context.progress(0.5, "working")
            context.stop.wait(0.01)

    handler(works)
    job = submit(site)
    with at_work(site):
        assert began.wait(SECONDS)
        jobs.cancel(site, job.id)
        stopped = ended(site, job)

    assert (stopped.state, stopped.message) == (CANCELLED, "cancelled by an administrator")


def test_a_worker_that_stops_gives_its_job_back(site, handler):
    """Nothing has failed: the job waits again, and its tries are not used up."""
    began = threading.Event()

    def works(context, **_):
        began.set()
        while True:
            context.check()
            context.lost.wait(0.01)

    handler(works)
    job = submit(site)
    with at_work(site):
        assert began.wait(SECONDS)

    assert (site.jobs.get(job.id).state, site.jobs.get(job.id).attempts) == (QUEUED, 0)


def test_a_worker_that_lost_its_job_leaves_it_alone(site, handler):
    """Somebody else has it now: neither its end nor its failure is ours to tell."""
    began, gone = threading.Event(), threading.Event()

    def works(context, **_):
        began.set()
        context.lost.wait(SECONDS)
        gone.set()
        context.check()

    handler(works)
    job = submit(site)
    with at_work(site):
        assert began.wait(SECONDS)
        with site.database.writing() as session:
            session.get(JobRow, job.id).worker = "another:1:0"
        assert gone.wait(SECONDS)

    assert site.jobs.get(job.id).state == RUNNING


def test_progress_is_not_written_more_often_than_anybody_reads(site, handler, monkeypatch):
    """A thousand words about one stage are a few writes; a new stage is told at once."""
    told = []
    real = type(site.jobs).report

    def report(queue, job_id, *, progress, stage, line=""):
        told.append((progress, stage))
        real(queue, job_id, progress=progress, stage=stage, line=line)

    monkeypatch.setattr(type(site.jobs), "report", report)

    def works(context, **_):
        for part in range(1000):
            context.progress(part / 1000, "copying")
        context.progress(1.0, "writing")
        return {}

    handler(works)
    job = submit(site)
    with at_work(site):
        ended(site, job)

    assert told[0] == (0.0, "copying")
    assert told[-1] == (1.0, "writing")
    assert len(told) < 50


def test_builds_do_not_wait_for_test_machines(site, handler):
    """Two machines may run for minutes; what is built meanwhile is built at once."""
    machines, go_on = threading.Semaphore(0), threading.Event()

    def boots(context, **_):
        machines.release()
        assert go_on.wait(SECONDS)
        return {}

    handler(boots, "boot_test_machine")
    handler(lambda context, **_: {"built": True})
    tests = [submit(site, "boot_test_machine") for _ in range(3)]
    build = submit(site)
    with at_work(site):
        assert machines.acquire(timeout=SECONDS)
        assert machines.acquire(timeout=SECONDS)
        assert ended(site, build).state == SUCCEEDED
        assert site.jobs.get(tests[2].id).state == QUEUED
        go_on.set()
        assert {SUCCEEDED} == {ended(site, job).state for job in tests}


def test_a_lane_that_fails_ends_the_worker(site, monkeypatch):
    """Half a worker would look alive: the process ends, and its supervisor starts another."""
    worker = Worker(site)

    def claim(name, kinds):
        if "boot_test_machine" in kinds:
            raise OperatorFault("the database is gone")

    monkeypatch.setattr(site.jobs, "claim", claim)
    with pytest.raises(OperatorFault, match="the database is gone"):
        worker.run()


def test_the_house_is_kept_once_a_day(site):
    """A worker that begins a day after the last clean-up queues one and does it."""
    facts.remember(site, housekeeping.DAILY.mark, {"at": time.time() - DAY - 1})
    with at_work(site):
        until = time.monotonic() + SECONDS
        while not site.jobs.latest() and time.monotonic() < until:
            threading.Event().wait(0.05)
        (job,) = site.jobs.latest()
        done = ended(site, job)

    assert (done.kind, done.state) == ("clean_up", SUCCEEDED)
    assert {"blobs", "size", "versions", "events", "jobs", "leftovers", "altered"} == set(
        done.result
    )


# --- the real process -----------------------------------------------------------------------


@contextmanager
def process(site):
    """`netboot worker` on the site."""
    running = subprocess.Popen(
        [sys.executable, "-m", "netboot", "--data", site.data, "worker"], start_new_session=True
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def large(site, tmp_path):
    """An image that takes a while to build."""
    wim = SyntheticWinPe(bulk_files=600, bulk_bytes=60 << 20, compression="XPRESS").capture(
        tmp_path
    )
    images.import_image(site, wim, name=NAME)
    return site


@pytest.mark.wimlib
def test_the_job_of_a_killed_worker_is_taken_up_again(large):
    """kill -9 in the middle of a build: the next worker builds it, once, and nothing is left."""
    job = submit(large)
    with process(large) as worker:
        reaches(large, job.id, RUNNING, progress=0.01)
        worker.kill()
        worker.wait()
    assert len(images.get_image(large, NAME).versions) == 0
    with large.database.writing() as session:
        session.get(JobRow, job.id).lease_until = 0.0  # half a minute has gone by
    with at_work(large):
        done = ended(large, job)

    assert (done.state, done.attempts) == (SUCCEEDED, 2)
    assert [version.number for version in images.get_image(large, NAME).versions] == [1]
    large.blobs.clear_staging()
    assert list(large.blobs.staging.iterdir()) == []
    assert housekeeping.verify(large)[1] == ()


@pytest.mark.wimlib
def test_a_worker_that_is_told_to_stop_ends_soon_and_cleanly(large):
    """SIGTERM in the middle of a build: exit code 0, the job waits, staging is empty."""
    job = submit(large)
    with process(large) as worker:
        reaches(large, job.id, RUNNING, progress=0.01)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0

    assert (large.jobs.get(job.id).state, large.jobs.get(job.id).attempts) == (QUEUED, 0)
    assert list(large.blobs.staging.iterdir()) == []
    assert tools_of(large) == []


def tools_of(site):
    """Processes that still work in the site's folder."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                if str(site.data).encode() in words.read() and int(pid) != os.getpid():
                    found.append(pid)
        except OSError:
            continue
    return found


def test_a_part_of_a_result_is_there_before_the_job_ends(site, handler):
    """Pages show verdicts as they come."""
    seen = []

    def works(context, **_):
        context.show({"verdicts": [1]}, part=0.5, stage="half")
        job = site.jobs.get(context.job.id)
        seen.append((job.state, job.result, job.progress, job.stage))
        return {"verdicts": [1, 2]}

    handler(works)
    job = submit(site)
    with at_work(site):
        ended(site, job)

    assert seen == [(RUNNING, {"verdicts": [1]}, 0.5, "half")]
    assert site.jobs.get(job.id).result == {"verdicts": [1, 2]}
