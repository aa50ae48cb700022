"""Each service of a site: the only one of its kind, and known to pages, whoever started it."""

import os
import signal
import subprocess
import sys

import pytest

from netboot.daemons.starting import own_service as module
from netboot.daemons.starting.own_service import SHOWN, own_service
from netboot.daemons.supervisor import PARENT
from netboot.errors import SiteAlreadyRunning
from netboot.operations.processes import BOARD, Board, problems
from netboot.site import SERVICES

SERVICE = """
import os, signal, sys
from pathlib import Path
from netboot.daemons.starting.own_service import own_service
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with own_service(Path(sys.argv[1]), sys.argv[2]):
    print("up", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def own_logs(monkeypatch):
    """The tests' own logs stay as they are."""
    monkeypatch.setattr(module, "configure_logs", lambda _form, *, process: None)


@pytest.fixture
def start(data, tmp_path):
    """`start(kind)`: a service of the site, in a process of its own, on the services' board."""
    running = []

    def started(kind):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, data, kind],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {BOARD: str(tmp_path / "processes")},
        )  # fmt: skip
        running.append(process)
        assert process.stdout.readline() == "up\n", process.stderr.read()
        return process

    yield started
    for process in running:
        process.kill()
        process.communicate()


def states(tmp_path, monkeypatch):
    monkeypatch.setenv(BOARD, str(tmp_path / "processes"))
    return {state.name: state for state in Board.inherited().states()}


def test_every_kind_of_service_has_a_name_on_the_page():
    assert tuple(SHOWN) == SERVICES


def test_a_second_service_of_a_kind_names_the_first(start, data):
    first = start("worker")
    with (
        pytest.raises(SiteAlreadyRunning, match=f"`netboot worker`.*process {first.pid}"),
        own_service(data, "worker"),
    ):
        pass
    start("projector")


def test_a_site_is_not_run_next_to_its_services(start, site):
    """It would clear the staging folders of a running worker; all that run are named."""
    worker, page = start("worker"), start("web")
    with pytest.raises(SiteAlreadyRunning) as fault:
        site.claim()

    assert f"`netboot worker`, process {worker.pid}" in str(fault.value)
    assert f"`netboot web`, process {page.pid}" in str(fault.value)
    assert "`netboot boot`" not in str(fault.value)


def test_a_service_is_not_started_next_to_a_site_that_runs(site):
    lock = site.claim()
    with (
        pytest.raises(SiteAlreadyRunning, match=f"process {os.getpid()}"),
        own_service(site.data, "boot"),
    ):
        pass
    lock.release()


def test_a_part_of_a_running_site_relies_on_the_lock_of_that(site, monkeypatch):
    """Of two parts of one kind only one works."""
    monkeypatch.setenv(PARENT, str(os.getppid()))
    monkeypatch.setattr(module, "die_with_parent", lambda: None)
    lock = site.claim()
    with (
        own_service(site.data, "worker"),
        pytest.raises(SiteAlreadyRunning),
        own_service(site.data, "worker"),
    ):
        pass
    lock.release()


def test_what_was_killed_leaves_no_lock(start, site):
    service = start("worker")
    service.kill()
    service.wait()
    lock = site.claim()
    lock.release()

    assert not service.stderr.read()


def test_pages_know_a_service_that_runs_stops_was_killed_and_came_back(
    start, tmp_path, monkeypatch
):
    """The board is in a folder that all services share; no supervisor writes it."""
    service = start("worker")
    assert states(tmp_path, monkeypatch)["worker"].running
    service.kill()
    service.wait()
    killed = states(tmp_path, monkeypatch)["worker"]
    assert (killed.running, killed.reason) == (False, "unexpectedly")
    again = start("worker")
    back = states(tmp_path, monkeypatch)["worker"]
    assert (back.running, back.ended) == (True, 1)
    assert "was started again" in problems((back,))["worker"]
    again.send_signal(signal.SIGTERM)
    assert again.wait(20) == 0
    assert problems((states(tmp_path, monkeypatch)["worker"],)) == {"worker": "is stopped"}
