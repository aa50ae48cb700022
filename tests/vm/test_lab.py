import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netboot.images.architecture import Architecture
from netboot.site import Site
from netboot.store.media.boot_programs import prepare_programs
from vm.administrator import Administrator
from vm.door.server import SOCKET_NAME
from vm.lab import main
from vm.network.lab_network import SERVER_ADDRESS
from vm.summary import record

ROOT = Path(__file__).parents[2]
NOTES = ROOT / "tests" / "output" / "boots.json"
SECONDS = 240.0


def test_a_command_that_is_no_list_is_refused(tmp_path, capsys):
    """The daemons' commands are JSON lists of words."""
    with pytest.raises(SystemExit) as caught:
        main(["run", "--data", str(tmp_path), "--boot-command", "x", "--http-command", "[1]"])

    assert caught.value.code == 2
    assert "--boot-command" in capsys.readouterr().err


def start_lab(data, boot, http):
    """The lab as `netboot run` starts it; returns once its socket is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vm.lab", "run", "--data", str(data),
         "--boot-command", json.dumps(boot), "--http-command", json.dumps(http)],
        cwd=ROOT,
        env={**os.environ, "NETBOOT_PARENT": str(os.getpid())},
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (data / SOCKET_NAME).exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.netns
def test_a_daemon_that_cannot_work_ends_the_lab_with_its_code(network, tmp_path):
    """Code 2 means that the operator was told what is wrong; nothing is left behind."""
    data = tmp_path / "data"
    data.mkdir()
    refuse = [sys.executable, "-c", "import time; time.sleep(1); raise SystemExit(2)"]
    process = start_lab(data, refuse, [sys.executable, "-c", "import time; time.sleep(300)"])

    assert process.wait(30) == 2
    assert not (data / SOCKET_NAME).exists()


@pytest.mark.netns
def test_a_daemon_that_dies_is_started_again(network, tmp_path):
    """One crash costs a moment, not the lab."""
    data = tmp_path / "data"
    data.mkdir()
    diary = tmp_path / "diary"
    crash = [sys.executable, "-c", f"open({str(diary)!r}, 'a').write('x'); raise SystemExit(1)"]
    process = start_lab(data, crash, [sys.executable, "-c", "import time; time.sleep(300)"])

    deadline = time.monotonic() + 30
    while not diary.exists() or len(diary.read_text()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.vm
@pytest.mark.netns
@pytest.mark.timeout(600)
def test_the_page_gets_its_test_machine(lab_pe, network, tmp_path):
    """Through the socket: started, the console's lines, and how it ended."""
    data = tmp_path / "data"
    Administrator(data, lab_pe).provide_defaults()
    process = start_served_lab(data)

    events = ask(data, {"firmware": "bios-x86", "nic": "rtl8139", "id": "5"})
    process.send_signal(signal.SIGTERM)
    ended = process.wait(30)
    last = events[-1]
    record(
        NOTES,
        name="test machine by the page's door",
        passed=last.get("result") == "offline",
        seconds=last.get("seconds", 0.0),
    )

    assert [e["event"] for e in events if e["event"] not in {"serial", "screen"}] == [
        "started",
        "done",
    ], last
    assert {"serial", "screen"} <= {e["event"] for e in events}
    assert (
        last["result"],
        last["missing"],
        last["version"],
        last["id"],
    ) == ("offline", "net:10ec:8139", 1, "5")
    assert Path(last["screenshot"]).read_bytes()[:4] == b"\x89PNG"
    assert ended == 0


def start_served_lab(data):
    """The lab of a site that has images."""
    site = Site.open(data)
    prepare_programs(site.point, site.settings.programs, SERVER_ADDRESS)
    netboot = [sys.executable, "-m", "netboot", "--data", str(data)]
    boot = [*netboot, "boot", "--address", SERVER_ADDRESS, "--interface", "eth0"]
    return start_lab(data, boot, [*netboot, "http", "--address", SERVER_ADDRESS])


@pytest.mark.vm
@pytest.mark.netns
@pytest.mark.timeout(900)
def test_a_test_machine_boots_the_image_that_was_asked_for(lab_pe, network, tmp_path):
    """Although another image is the default and the machine is assigned a third one.

    Afterwards the same machine gets what it is assigned again.
    """
    data = tmp_path / "data"
    administrator = Administrator(data, lab_pe)
    administrator.provide_defaults()
    wim = str(lab_pe.wim[Architecture.X86])
    for name in ("Rescue", "Third"):
        administrator.netboot("image", "import", wim, "--name", name)
        administrator.netboot("image", "build", name)
        administrator.netboot("points", "update", name)
    site = Site.open(data)
    process = start_served_lab(data)
    wanted = {"firmware": "bios-x86", "nic": "rtl8139"}

    first = ask(data, {**wanted, "image": "Rescue"})
    mac = first[0]["mac"]
    administrator.netboot("deployment", "set", mac, "Third")
    second = ask(data, {**wanted, "image": "Rescue"})
    third = ask(data, wanted)
    process.send_signal(signal.SIGTERM)
    process.wait(30)

    assert [(events[-1]["result"], events[-1]["image"]) for events in (first, second, third)] == [
        ("offline", "Rescue"),
        ("offline", "Rescue"),
        ("offline", "Third"),
    ]
    assert {events[0]["mac"] for events in (second, third)} == {mac}
    assert dict(site.point.load().assignments) == {mac: "Third"}


def ask(data, request):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(SECONDS)
        link.connect(str(data / SOCKET_NAME))
        link.sendall(json.dumps(request).encode() + b"\n")
        with link.makefile("rb") as stream:
            return [json.loads(line) for line in stream]
