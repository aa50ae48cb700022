"""The whole site while something fails: a machine asks for a boot all the time, and is answered."""

import os
import signal
import threading

import pytest

from netboot.operations import jobs
from netboot.site import Site
from netboot.store.content import blobs
from netboot.store.media.boot_programs import prepare_programs
from tests.support.netlab import needs_netns
from tests.support.postgresql import PostgresServer, find_binaries
from tests.support.small_disk import fill, free, small_disk
from tests.support.stressed_site import ADDRESS, Asking, stock, stressed, write_lock

pytestmark = [pytest.mark.netns, needs_netns]
METRICS = "http://127.0.0.1:8080/metrics"
TOKEN = f"nb_{'0' * 12}_{'x' * 43}"
"""Looks like a token, so the database is asked for it."""


def wait_for(site, job, *, seconds=120):
    """The job, once it has ended."""
    look = threading.Event()
    for _ in range(seconds * 4):
        found = site.jobs.get(job.id)
        if found.finished:
            return found
        look.wait(0.25)
    raise AssertionError(found)


def value_of(text, metric, process=""):
    name = f'{metric}{{process="{process}"}} ' if process else f"{metric} "
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])


def restarts(run):
    """The processes that have ended so far."""
    return [line for line in run.said if "it starts again in" in line]


@pytest.mark.long
def test_a_write_lock_of_25_seconds_ends_no_process(site):
    """With a job queued, which is done when the lock is gone."""
    stock(site)
    (site.data / "netboot.toml").write_text('metrics = "open"\n')
    with stressed(site.data) as run, Asking(run) as asking:
        job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Clean")
        with write_lock(site.data / "site.db"):
            threading.Event().wait(25)
        assert wait_for(site, job).state == "succeeded"
        again = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Clean again")
        assert wait_for(site, again).state == "succeeded"
        metrics = run.curl(METRICS)

        assert not run.ended
        assert restarts(run) == []
        assert value_of(metrics, "netboot_process_up", "worker") == 1
        assert value_of(metrics, "netboot_database_up") == 1
    assert asking.answered > 10
    assert asking.silent == 0


def test_each_process_that_is_killed_comes_back_and_the_boot_services_do_not_notice(site):
    """Killed in turn; then a job raises, and a restart meets a setting that cannot be."""
    stock(site)
    settings = site.data / "netboot.toml"
    settings.write_text('metrics = "open"\n')
    with stressed(site.data) as run:
        with Asking(run) as asking:
            for name, word in [("worker", "worker"), ("projector", "projector"),
                               ("page", "web"), ("boot files over HTTP", "http")]:  # fmt: skip
                seen = len(run.said)
                os.kill(run.pid_of(word), signal.SIGKILL)
                run.until(f"{name} ended by SIGKILL; it starts again", after=seen)
            broken = jobs.submit(site, jobs.JobKind.CLEAN_UP, {"nonsense": 1}, title="Broken")
            assert "an error of netboot itself" in wait_for(site, broken).message
            settings.write_text('no_such_setting = "x"\n')
            seen = len(run.said)
            os.kill(run.pid_of("worker"), signal.SIGKILL)
            run.until("worker ended with code 2; it starts again", after=seen)
            settings.write_text('metrics = "open"\n')
            good = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Good")
            assert wait_for(site, good).state == "succeeded"
            metrics = run.curl("--retry", "20", "--retry-connrefused", METRICS)
        assert asking.silent == 0
        assert value_of(metrics, "netboot_process_restarts_total", "worker") >= 3
        assert value_of(metrics, "netboot_process_restarts_total", "page") >= 1
        assert run.curl(f"http://{ADDRESS}:8081/boot.ipxe?platform=efi").startswith("#!ipxe")

        os.kill(run.pid_of("boot"), signal.SIGKILL)
        run.until("boot services ended by SIGKILL")
        assert run.offer(30)
        assert not run.ended


@pytest.fixture
def own_postgres():
    """A server that this test may stop."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian's package postgresql)")
    pytest.importorskip("psycopg")
    with PostgresServer(binaries) as server:
        yield server


@pytest.mark.long
def test_a_postgresql_that_restarts_ends_no_process(site, own_postgres):
    """Idle and with a job; nor does one that is away while the site starts."""
    url = own_postgres.url(own_postgres.fresh())
    (site.data / "netboot.toml").write_text(f'metrics = "open"\ndatabase_url = "{url}"\n')
    site = Site.open(site.data)
    stock(site)
    with stressed(site.data) as run, Asking(run) as asking:
        for _ in range(2):
            own_postgres.stop()
            text = run.curl(METRICS)
            assert value_of(text, "netboot_database_up") == 0
            own_postgres.start()
        job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Clean")
        assert wait_for(site, job).state == "succeeded"
        assert restarts(run) == []
        assert not run.ended
    assert asking.silent == 0

    own_postgres.stop()
    with stressed(site.data) as run, Asking(run) as asking:
        assert any("Boot services run without it" in line for line in run.said), run.said
        answer = run.curl(
            "-H", f"Authorization: Bearer {TOKEN}", "http://127.0.0.1:8080/api/v1/images"
        )
        assert "The database cannot be" in answer
        own_postgres.start()
        job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Clean")
        assert wait_for(site, job).state == "succeeded"
        run.until("work.again")
        assert restarts(run) == []
    assert asking.silent == 0
    site.database.close()


@pytest.fixture
def disk(tmp_path):
    """A disk of 48 MiB."""
    with small_disk(tmp_path / "small", "48m") as folder:
        yield folder


def programs_of_the_last_start(site, monkeypatch):
    """As on a site that ran when the disk was emptier than the reserve."""
    monkeypatch.setattr(blobs, "SPARE_BYTES", 0)
    prepare_programs(site.point, site.settings.programs, ADDRESS)


@pytest.mark.long
@pytest.mark.parametrize("leave", [0, 100_000])
def test_a_full_disk_ends_nothing_and_all_works_again_when_there_is_space(disk, leave, monkeypatch):
    """Neither while it runs nor at a start; what cannot be written is refused, and told."""
    site = Site.open(disk / "data")
    (site.data / "netboot.toml").write_text('metrics = "open"\n')
    stock(site)
    programs_of_the_last_start(site, monkeypatch)
    with stressed(site.data) as run, Asking(run) as asking:
        fill(disk, leave)
        threading.Event().wait(5)
        text = run.curl(METRICS)
        assert value_of(text, "netboot_disk_free_bytes") <= leave + 8192
        free(disk)
        job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Clean")
        assert wait_for(site, job).state == "succeeded"
        assert restarts(run) == []
    assert asking.silent == 0

    site.database.close()
    site.journal.close()
    fill(disk, leave)
    with stressed(site.data) as run, Asking(run) as asking:
        assert int(run.curl("-o", "/dev/null", "-w", "%{size_download}",
                            f"tftp://{ADDRESS}/undionly.kpxe")) > 50_000  # fmt: skip
        free(disk)
        job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {}, title="Clean")
        assert wait_for(site, job).state == "succeeded"
    assert asking.silent == 0
    site.database.close()
