"""Messages to a service manager, received by a socket as it has one."""

import os
import socket
import time

import pytest

from netboot.daemons.starting import service_manager as module
from netboot.daemons.starting.service_manager import ServiceManager, announce
from netboot.serve.udp import Loop


class Socket(socket.socket):
    """With the environment of the service that it belongs to."""


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket, and the environment that names it."""
    with Socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        name = str(tmp_path / "notify") if request.param == "path" else f"@nb-{tmp_path.name}"
        received.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        received.settimeout(5)
        received.environment = {"NOTIFY_SOCKET": name, "OTHER": "kept"}
        yield received


def test_it_is_told_when_the_service_is_ready_lives_and_stops(manager):
    manager.environment |= {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    service = ServiceManager(manager.environment)
    service.ready("serves\nthe network")
    assert manager.recv(999) == b"READY=1\nSTATUS=serves the network"
    assert (service.is_there, service.alive_seconds) == (True, 15.0)
    for call, message in (
        (service.alive, b"WATCHDOG=1"),
        (lambda: service.status("waits"), b"STATUS=waits"),
        (service.stopping, b"STOPPING=1"),
    ):
        call()
        assert manager.recv(999) == message


def test_children_do_not_inherit_the_socket(manager):
    """They would speak for the service."""
    ServiceManager(manager.environment)
    assert manager.environment == {"OTHER": "kept"}


@pytest.mark.parametrize("other", [{}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}])
def test_without_a_watchdog_for_this_process_it_says_no_sign_of_life(manager, other):
    manager.environment |= other
    service = ServiceManager(manager.environment)
    service.alive()
    service.ready()
    assert manager.recv(999) == b"READY=1"


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path):
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        service = ServiceManager(environment)
        service.ready("works")
        service.stopping()
    assert not ServiceManager({}).is_there


def test_an_event_loop_gives_signs_of_life(manager, monkeypatch):
    """As long as it runs: a loop that is stuck gives none."""
    manager.environment |= {"WATCHDOG_USEC": "20000"}
    service = ServiceManager(manager.environment)
    monkeypatch.setattr(module, "service_manager", lambda: service)
    loop = Loop()
    announce(loop, "serves")
    loop.at(time.monotonic() + 0.1, lambda _now: loop.stop())
    loop.run()
    loop.close()

    assert manager.recv(999) == b"READY=1\nSTATUS=serves"
    assert manager.recv(999) == b"WATCHDOG=1"
    assert manager.recv(999) == b"WATCHDOG=1"
