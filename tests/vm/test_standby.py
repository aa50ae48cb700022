"""The small process that starts a lab when a test machine is asked for."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from netboot.errors import MissingTool, NotPermitted
from netboot.operations import lab
from netboot.site import Site
from vm import standby
from vm.standby import Standby

LAB = """
import contextlib, json, os, socket, sys
door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen()
print("The lab is ready.", flush=True)
while True:
    client, _ = door.accept()
    with contextlib.suppress(OSError), client, client.makefile("rwb") as stream:
        request = json.loads(stream.readline())
        stream.write(json.dumps({"event": "started", "mac": str(os.getpid())}).encode() + b"\\n")
        stream.flush()
        if request.get("hang"):
            stream.read()
            open(sys.argv[1] + ".hung-up", "w").close()
        stream.write(b'{"event": "done"}\\n')
"""
"""A lab without machines: it says who it is, and that all is done."""


@pytest.fixture
def site():
    """A site in a short folder: the path of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        yield Site.open(Path(folder) / "d")


@pytest.fixture
def capable(monkeypatch):
    """A system on which a lab can run."""
    monkeypatch.setattr(standby, "require_lab", lambda: None)


class Lab(Standby):
    """Starts the lab above, or another program in its place."""

    program = LAB

    def _command(self):
        self._inner.unlink(missing_ok=True)
        return [sys.executable, "-c", self.program, str(self._inner)]


def meanwhile(made, ask):
    """What `ask`, called in a thread, returns while `made` serves."""

    async def run():
        ending, ready = asyncio.Event(), asyncio.Event()
        served = asyncio.ensure_future(made.serve(ending, ready.set))
        await ready.wait()
        try:
            return await asyncio.to_thread(ask)
        finally:
            ending.set()
            await served

    return asyncio.run(run())


def test_the_first_request_starts_the_lab_and_the_next_finds_it(site, capable):
    """Its answers come through unchanged; both were answered by one process."""
    told = meanwhile(Lab(site), lambda: [list(lab.boot_machine(site, {})) for _ in range(2)])

    assert [event["event"] for event in told[0]] == ["making a private network", "started", "done"]
    assert [event["event"] for event in told[1]] == ["started", "done"]
    assert told[0][1]["mac"] == told[1][0]["mac"]


def test_asking_whether_machines_can_boot_starts_nothing(site, capable):
    """A page may ask that as often as it likes. The lab is not the network that is served."""
    made = Lab(site)
    view = meanwhile(made, lambda: lab.lab_status(site))

    assert (view.available, view.reason, view.is_the_network) == (True, "", False)
    assert made._lab is None


@pytest.mark.parametrize(
    "fault",
    [
        MissingTool("test machines need qemu-system-x86", hint="Run `apt-get install …`."),
        NotPermitted("this user cannot create a private network", hint="Allow it."),
    ],
)
def test_what_is_missing_is_said_before_and_after_asking(site, monkeypatch, fault):
    """On the page, and to whoever asks all the same."""

    def refuse():
        raise fault

    monkeypatch.setattr(standby, "require_lab", refuse)
    ask = lambda: (lab.lab_status(site), list(lab.boot_machine(site, {})))  # noqa: E731
    view, events = meanwhile(Lab(site), ask)

    assert not view.available
    assert str(fault)[1:] in view.reason
    assert events[-1]["event"] == "failed"
    assert (events[-1]["reason"], events[-1]["hint"]) == (str(fault), fault.hint)


def test_a_lab_that_cannot_start_says_why_in_its_own_words(site, capable):
    """Its message and hint, as it printed them."""
    made = Lab(site)
    made.program = (
        "import sys; print('error: no room\\n  -> Free some.', file=sys.stderr); sys.exit(2)"
    )
    events = meanwhile(made, lambda: list(lab.boot_machine(site, {})))

    assert "no room" in events[-1]["reason"]
    assert events[-1]["hint"] == "Free some."


def test_a_client_that_hangs_up_is_gone_for_the_lab_too(site, capable):
    """That switches its machine off."""

    def ask():
        events = lab.boot_machine(site, {"hang": True})
        assert [next(events)["event"] for _ in range(2)][-1] == "started"
        events.close()
        return list(lab.boot_machine(site, {}))  # the one lab answers one client after another

    assert meanwhile(Lab(site), ask)[-1]["event"] == "done"
    assert (site.data / "lab" / "lab.sock.hung-up").exists()


def test_a_lab_that_nobody_needs_ends_and_starts_again_when_asked(site, capable):
    """Its network, its daemons and their memory are given back."""
    made = Lab(site, idle_seconds=0.0)

    def ask():
        first = list(lab.boot_machine(site, {}))[1]["mac"]
        ended = os.pidfd_open(int(first)) if Path(f"/proc/{first}").exists() else None
        if ended is not None:
            asyncio.run(_readable(ended))
        return first, list(lab.boot_machine(site, {}))[1]["mac"]

    first, second = meanwhile(made, ask)
    assert first != second


async def _readable(descriptor):
    """Wait until the process behind it has ended."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, ended.set)
    await asyncio.wait_for(ended.wait(), 20)


def test_a_lab_that_was_killed_is_started_again(site, capable):
    """The next test machine does not suffer."""

    def ask():
        first = list(lab.boot_machine(site, {}))[1]["mac"]
        process = os.pidfd_open(int(first))
        os.kill(int(first), signal.SIGKILL)
        asyncio.run(_readable(process))
        return list(lab.boot_machine(site, {}))

    assert meanwhile(Lab(site), ask)[-1]["event"] == "done"


def test_the_service_ends_with_its_socket_when_it_is_told_to(site):
    """The command itself: it answers, and a signal ends it with code 0."""
    process = subprocess.Popen([sys.executable, "-m", "netboot", "--data", str(site.data), "lab"])
    door = site.data / lab.SOCKET
    while not door.exists():
        assert process.poll() is None
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(door))
        asking.sendall(b'{"status": true}\n')
        assert json.loads(asking.makefile().readline())["beside"] is True
    process.terminate()

    assert process.wait(20) == 0
    assert not door.exists()
