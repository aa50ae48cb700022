import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from netboot.daemons import job_handlers, keep_at
from netboot.daemons import worker as module
from netboot.daemons.job_context import OUTCOME
from netboot.daemons.worker import Worker
from netboot.errors import DatabaseFault, DiskFault
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
from netboot.store.database.jobs import (
    CANCELLED,
    FAILED,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    JobFailed,
    LeaseLost,
)
from tests.captures.reader import FOLDER
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


def test_lanes_without_work_do_not_ask_the_database(site, handler, monkeypatch):
    """One look at the queue is for all of them, and wakes the one that has work."""
    handler(lambda context, **_: {})
    claimed, looks = [], []
    with at_work(site) as worker:
        claim, waiting = worker.site.jobs.claim, worker.site.jobs.waiting
        wait_for(lambda: not any(lane.has_work.is_set() for lane in worker._lanes))
        monkeypatch.setattr(
            worker.site.jobs, "claim", lambda *words: (claimed.append(words[1]), claim(*words))[1]
        )
        monkeypatch.setattr(worker.site.jobs, "waiting", lambda: (looks.append(1), waiting())[1])
        wait_for(lambda: len(looks) > 5)
        assert claimed == []
        job = submit(site)
        assert ended(site, job).state == SUCCEEDED

    assert {job.kind in kinds for kinds in claimed} == {True}


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
    with at_work(site):
        wait_for(lambda: len(tries) > 2)
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


@pytest.mark.parametrize(
    "fault", [DatabaseFault("the server is gone"), DiskFault("full"), ZeroDivisionError("bug"),
              SystemExit(2)],
)  # fmt: skip
def test_a_lane_that_fails_tries_again_and_the_others_go_on(site, monkeypatch, handler, fault):
    """Neither database nor disk nor a bug ends the worker."""
    monkeypatch.setattr(keep_at, "FIRST_PAUSE", 0.01)
    handler(lambda context, **_: {})
    tries = []

    with at_work(site) as worker:
        claim = worker.site.jobs.claim

        def fails_at_first(name, kinds):
            tries.append(kinds)
            if len(tries) < 6:
                raise fault
            return claim(name, kinds)

        monkeypatch.setattr(worker.site.jobs, "claim", fails_at_first)
        job = submit(site)
        assert ended(site, job).state == SUCCEEDED


@pytest.mark.parametrize(
    "bug", [SystemExit(2), KeyboardInterrupt(), MemoryError(), GeneratorExit()]
)
def test_no_job_ends_the_worker(site, handler, bug):
    """A library that calls sys.exit(2) would otherwise look like "cannot work here"."""

    def ends(context, **_):
        raise bug

    handler(ends)
    first = submit(site)
    with at_work(site):
        failed = ended(site, first)
        handler(lambda context, **_: {})
        assert ended(site, submit(site)).state == SUCCEEDED

    assert (failed.state, type(bug).__name__ in failed.message) == (FAILED, True)


def test_a_job_whose_database_goes_away_is_done_again(site, handler):
    """Once: then the fault is the job's message."""
    tries = []

    def fails_once(context, **_):
        tries.append(context.job.attempts)
        if len(tries) == 1 or context.job.title.startswith("verify"):
            raise DatabaseFault("terminating connection", hint="Look.")
        return {"done": True}

    handler(fails_once)
    handler(fails_once, "verify_content")
    first = submit(site)
    with at_work(site):
        done = ended(site, first)
        failed = ended(site, submit(site, "verify_content"))

    assert (done.state, done.result, tries[:2]) == (SUCCEEDED, {"done": True}, [1, 2])
    assert (failed.state, failed.message) == (FAILED, "Terminating connection. Look.")


def test_the_end_of_a_job_is_written_when_the_database_is_back(site, handler, monkeypatch):
    """Work that is done is not lost with the connection, and progress is only a number."""
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    tries = []

    with at_work(site) as worker:
        finish, queue = worker.site.jobs.finish, worker.site.jobs

        def gone(*_, **__):
            raise DatabaseFault("the database is gone")

        def works(context, **_):
            monkeypatch.setattr(queue, "report", gone)
            context.progress(0.5, "half")
            return {"worked": len(tries)}

        def fails_at_first(*words, **more):
            tries.append(1)
            gone() if len(tries) < 4 else finish(*words, **more)

        monkeypatch.setattr(queue, "finish", fails_at_first)
        handler(works)
        done = ended(site, submit(site))

    assert (done.state, done.result, len(tries)) == (SUCCEEDED, {"worked": 0}, 4)


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


@pytest.mark.wimlib
@pytest.mark.parametrize("cut", ["report", "finish"])
@pytest.mark.parametrize("kind", ["import_image", "import_drivers", "examine_source",
                                  "read_capture", "build_version", "clean_up"])  # fmt: skip
def test_a_job_that_was_killed_after_its_work_is_recognised_as_done(  # noqa: PLR0917
    site, lab, tmp_path, monkeypatch, kind, cut
):
    """Before its outcome was written, and before its end was: the next worker succeeds."""
    wim = SyntheticWinPe().capture(tmp_path)
    newer = SyntheticWinPe(build="26100").capture(tmp_path / "newer")
    if kind != "import_image":
        images.import_image(site, wim, name=NAME)
    arguments = {
        "import_image": {"name": NAME},
        "import_drivers": {},
        "examine_source": {"image": NAME},
        "read_capture": {},
        "build_version": {"image": NAME, "update": True},
        "clean_up": {},
    }[kind]
    if kind in {"import_image", "examine_source"}:
        arguments["path"] = uploaded(site, newer if kind == "examine_source" else wim)
    elif kind == "import_drivers":
        arguments["path"] = uploaded(site, lab.driver_folder("e1000", Architecture.X64))
    elif kind == "read_capture":
        arguments["path"] = uploaded(site, FOLDER / "uefi64-edk2-native-snponly.pcap")
    job = jobs.submit(site, kind, arguments, title=kind)

    dying = Site.open(site.data)
    report = dying.jobs.report

    def die(*words, **more):
        if cut == "report" and (more.get("result") or {}).get(OUTCOME):
            raise LeaseLost("as if killed")  # nothing more is written by this worker
        report(*words, **more)

    monkeypatch.setattr(dying.jobs, "report", die)
    monkeypatch.setattr(dying.jobs, "finish", die_at_the_end)
    lane = module._Lane("dying", (kind,))
    lane.looked = float("inf")
    Worker(dying)._lane(lane)
    dying.database.close()
    dying.journal.close()
    assert site.jobs.get(job.id).state == RUNNING
    with site.database.writing() as session:
        session.get(JobRow, job.id).lease_until = 0.0  # half a minute has gone by
    lane = module._Lane("next", (kind,))
    lane.looked = float("inf")
    Worker(site)._lane(lane)
    done = site.jobs.get(job.id)

    assert (done.state, done.attempts) == (SUCCEEDED, 2), done.message
    assert OUTCOME not in done.result
    assert kind != "examine_source" or images.get_image(site, NAME).candidate
    uploads = site.data / "uploads"
    assert not uploads.exists() or not [path for path in uploads.rglob("*") if path.is_file()]


def die_at_the_end(*_, **__):
    raise LeaseLost("as if killed")


def uploaded(site, source):
    """A copy among the uploads; its path."""
    target = site.data / "uploads" / "batch" / "files" / source.name
    target.parent.mkdir(parents=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return str(target)


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
