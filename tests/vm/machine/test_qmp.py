import json
import shutil
import socket
import subprocess

import pytest

from vm.machine.qmp import QmpClient, QmpError

QEMU = shutil.which("qemu-system-x86_64")


@pytest.fixture
def qemu():
    """A real QEMU without a machine, and its control channel."""
    if QEMU is None:
        pytest.skip("QEMU is not installed")
    near, far = socket.socketpair()
    process = subprocess.Popen(
        [QEMU, "-machine", "none", "-nodefaults", "-display", "none",
         "-chardev", f"socket,id=c,fd={far.fileno()}", "-mon", "chardev=c,mode=control"],
        pass_fds=(far.fileno(),),
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    far.close()
    client = QmpClient(near)
    yield client
    client.close()
    process.kill()
    process.wait(10)


def test_a_command_gets_its_answer(qemu):
    """Greeting and capabilities are dealt with on the way."""
    assert {"running", "singlestep", "status"} <= set(qemu.execute("query-status"))


def test_a_refusal_carries_qemus_words(qemu):
    """An unknown command is QEMU's error, and the channel goes on."""
    with pytest.raises(QmpError, match="nonsense"):
        qemu.execute("nonsense")

    assert "running" in qemu.execute("query-status")


def test_when_qemu_is_gone_the_client_says_so(qemu):
    """After `quit` the next command raises and does not wait."""
    assert qemu.execute("quit") == {}

    with pytest.raises(QmpError):
        qemu.execute("query-status")
    assert {"SHUTDOWN"} >= {event["event"] for event in qemu.events}


def test_events_between_are_kept():
    """What comes before the answer is not lost."""
    near, far = socket.socketpair()
    for message in (
        {"QMP": {}},
        {"return": {}},
        {"event": "STOP", "timestamp": {}},
        {"return": 7},
    ):
        far.sendall(json.dumps(message).encode() + b"\r\n")
    client = QmpClient(near)

    assert client.execute("x") == 7
    assert [event["event"] for event in client.events] == ["STOP"]
    client.close()
    far.close()


def test_silence_ends_by_the_limit():
    """A QEMU that answers nothing is given up."""
    near, far = socket.socketpair()
    client = QmpClient(near, timeout=0.1)

    with pytest.raises(QmpError, match="no answer"):
        client.execute("x")
    client.close()
    far.close()
