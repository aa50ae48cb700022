import json
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from netboot.errors import NotFound, OperatorFault
from netboot.operations import lab
from netboot.site import Site


@pytest.fixture
def site():
    """A site in a short folder: the path of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        yield Site.open(Path(folder) / "d")


@pytest.fixture
def door(site):
    """A listening lab socket; `answer(lines)` serves one client with these lines."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(site.data / lab.SOCKET))
    listener.listen()
    heard, threads = [], []

    def answer(*lines):
        def serve():
            client, _ = listener.accept()
            with client, client.makefile("rwb") as stream:
                heard.append(stream.readline())
                stream.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return heard

    yield answer
    for thread in threads:
        thread.join(10)
    listener.close()


def test_without_a_lab_the_page_says_why_and_how_to_get_one(site):
    """A site on a real network has none."""
    view = lab.lab_status(site)

    assert view.available is False
    assert "netboot-lab" in view.reason


def test_a_lab_next_to_the_network_that_a_site_serves_is_not_that_network(site, door):
    """`netboot check` goes on asking the real one."""
    door({"event": "done", "beside": True})
    view = lab.lab_status(site)

    assert (view.available, view.reason, view.is_the_network) == (True, "", False)


def test_the_lab_of_lab_mode_is_the_network_that_the_site_serves(site, door):
    """As is one that answers nothing to the question."""
    door({"event": "done"})

    assert lab.lab_status(site).is_the_network


def test_a_lab_that_cannot_work_here_says_why_in_sentences(site, door):
    """With what to do next."""
    door({"event": "done", "beside": True, "reason": "test machines need QEMU", "hint": "Get it."})
    view = lab.lab_status(site)

    assert (view.available, view.reason) == (False, "Test machines need QEMU. Get it.")


def test_a_request_is_told_event_by_event_until_it_is_done(site, door):
    """What the lab says comes through unchanged, and nothing after the end is waited for."""
    heard = door({"event": "started"}, {"event": "done", "result": "online"}, {"event": "more"})
    events = list(lab.boot_machine(site, {"firmware": "bios-x64", "nic": "e1000"}))

    assert [event["event"] for event in events] == ["started", "done"]
    assert json.loads(heard[0]) == {"firmware": "bios-x64", "nic": "e1000"}


def test_a_lab_that_ends_in_the_middle_is_told(site, door):
    """A machine without an end is no result."""
    door({"event": "started"})

    with pytest.raises(OperatorFault, match="ended before"):
        list(lab.boot_machine(site, {}))


def test_silence_is_told_too(site, monkeypatch):
    """Who waits for a machine that says nothing can still be asked to stop."""
    monkeypatch.setattr(lab, "SILENCE_SECONDS", 0.01)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.data / lab.SOCKET))
        listener.listen()
        events = lab.boot_machine(site, {})
        assert next(events) == {"event": "silent"}
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(b'{"event": "sta')
            assert next(events) == {"event": "silent"}
            client.sendall(b'rted"}\n{"event": "done"}\n')
            told = [event["event"] for event in events if event["event"] != "silent"]

    assert told == ["started", "done"]


def test_who_stops_asking_hangs_up(site, monkeypatch):
    """The lab switches a machine off when nobody holds its line any more."""
    monkeypatch.setattr(lab, "SILENCE_SECONDS", 0.01)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.data / lab.SOCKET))
        listener.listen()
        events = lab.boot_machine(site, {"nic": "e1000"})
        next(events)
        client, _ = listener.accept()
        with client:
            assert client.recv(4096) == b'{"nic": "e1000"}\n'
            events.close()
            assert client.recv(4096) == b""


def test_a_machine_cannot_be_booted_without_a_lab(site):
    """The refusal is the operator's, with a hint."""
    with pytest.raises(NotFound):
        list(lab.boot_machine(site, {}))


def test_what_the_page_offers_is_what_the_lab_knows():
    """Every firmware and card of the menus is one of the lab's own."""
    from vm.machine.firmware import find_firmware, find_nic

    assert [key for key, _ in lab.FIRMWARES] == [
        find_firmware(key).value for key, _ in lab.FIRMWARES
    ]
    assert [key for key, _ in lab.NICS] == [find_nic(key).name for key, _ in lab.NICS]


def test_how_a_test_machine_ended_is_told_in_words():
    """Who waits at the command line wants the verdict, not that the job has ended."""
    up = {
        "result": "online",
        "image": "Lab PE x64",
        "version": 2,
        "driver": "e1000",
        "seconds": 23.4,
    }
    lacking = {"result": "offline", "image": "Lab PE x64", "version": 1, "missing": "net:8086:100e"}

    assert lab.verdict(up) == "online with driver e1000 on Lab PE x64 v2 after 23 s"
    assert lab.verdict(lacking) == (
        "offline: Lab PE x64 v1 came up, but no driver fits its net:8086:100e"
    )
    assert lab.verdict({"result": "silent", "reason": "no word in 300 s"}) == (
        "silent: no word in 300 s"
    )
    assert lab.verdict({"result": "online", "driver": "e1000"}) == "online with driver e1000"
    assert lab.verdict({"digest": "sha256:00"}) == ""
