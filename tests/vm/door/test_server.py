import contextlib
import json
import socket
import time

import pytest

from netboot.errors import InvalidInput, SiteAlreadyRunning
from vm.door.server import LabServer, Request, _Folders, _Slots
from vm.machine.firmware import FirmwareKind
from vm.network.lab_network import Slot

SECONDS = 30.0
NO_PIN = contextlib.nullcontext


def test_a_request_is_one_json_line():
    """Everything but firmware and card has a default."""
    request = Request.parse(b'{"firmware": "uefi-x64", "nic": "e1000", "id": 17}')

    assert (
        request.firmware,
        request.nic,
        request.memory,
        request.id,
        request.plain_pxe,
    ) == (FirmwareKind.UEFI_X64, "e1000", 512, "17", False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"boot!", "not a JSON line"),
        (b"[]", "not a JSON object"),
        (b'{"firmware": "amiga"}', "amiga"),
        (b'{"nic": "rtl9000"}', "rtl9000"),
        (b'{"memory": "much"}', "memory"),
        (b'{"memory": 1}', "memory"),
        (b'{"memory": 1000000}', "memory"),
    ],
)
def test_a_bad_request_says_what_is_wrong(line, words):
    """Each is the asker's fault, in plain words."""
    with pytest.raises(InvalidInput, match=words):
        Request.parse(line)


def test_the_same_kind_of_machine_is_the_same_machine():
    """Firmware and card give the address; a second one at the same time gets another."""
    slots = _Slots()
    request = Request.parse(b'{"firmware": "bios-x86", "nic": "e1000"}')

    with slots.take(request) as first, slots.take(request) as second:
        assert first != second
    with slots.take(request) as again:
        assert first == again
        assert isinstance(again, Slot)


def test_old_folders_go(tmp_path):
    """The newest twenty machines' logs are kept, over a restart too."""
    (tmp_path / "7").mkdir()
    folders = _Folders(tmp_path)
    made = [folders.fresh() for _ in range(25)]

    assert made[0].name == "8"
    assert len(list(tmp_path.iterdir())) == 20
    assert made[-1].is_dir()


class Nothing:
    """A server to which no report ever came."""

    def arrived(self, macs, *, expected):
        return ()


@pytest.fixture
def server(network, tmp_path):
    """A lab in which nobody answers boot requests."""
    path = tmp_path / "lab.sock"
    pins = []

    @contextlib.contextmanager
    def pin(macs, image):
        pins.append((set(macs), image))
        yield
        pins.append((set(macs), ""))

    with LabServer(
        network, path, reports=Nothing, accelerator=lambda _kind: "tcg", pin=pin
    ) as made:
        made.pins = pins
        made.path = path
        yield made


class Client:
    """One conversation with the lab."""

    def __init__(self, server, request=None):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(SECONDS)
        self.link.connect(str(server.path))
        self.stream = self.link.makefile("rb")
        if request is not None:
            self.link.sendall(request + b"\n")

    def event(self):
        line = self.stream.readline()
        return json.loads(line) if line else None

    def close(self):
        self.stream.close()
        self.link.close()


@pytest.mark.netns
def test_a_bad_request_fails_with_a_hint(server):
    """The conversation ends with the reason."""
    client = Client(server, b'{"nic": "rtl9000"}')

    event = client.event()
    assert (event["event"], "e1000" in event["hint"]) == ("failed", True)
    assert client.event() is None
    client.close()


@pytest.mark.netns
def test_a_look_costs_nothing(server):
    """Connecting and hanging up starts no machine."""
    for _ in range(3):
        Client(server).close()
    client = Client(server, b"{}x")

    assert client.event()["event"] == "failed"
    client.close()


@pytest.mark.netns
def test_a_dead_network_is_told(server, network):
    """A lab whose DHCP server ended says so rather than let machines stall."""
    network._dhcp.kill()
    network._dhcp.wait(10)
    client = Client(server, b"{}")

    assert "DHCP server ended" in client.event()["reason"]
    client.close()


@pytest.mark.netns
def test_a_second_lab_is_refused(server, network):
    """The first one keeps its socket."""
    with (
        pytest.raises(SiteAlreadyRunning),
        LabServer(
            network, server.path, reports=Nothing, accelerator=lambda _kind: "tcg", pin=NO_PIN
        ),
    ):
        pass

    client = Client(server, b"{}x")
    assert client.event()["event"] == "failed"
    client.close()


@pytest.mark.netns
def test_a_path_too_long_for_a_socket_is_told(network, tmp_path):
    """The hint says what to change."""
    folder = tmp_path / ("d" * 100)
    folder.mkdir()

    with (
        pytest.raises(InvalidInput) as caught,
        LabServer(
            network,
            folder / "lab.sock",
            reports=Nothing,
            accelerator=lambda _kind: "tcg",
            pin=NO_PIN,
        ),
    ):
        pass

    assert "choose a data folder with a shorter path" in caught.value.hint


@pytest.mark.vm
@pytest.mark.netns
def test_machines_start_wait_and_end_with_their_client(server):
    """Two run, the third waits; who hangs up frees a place."""
    first, second = (Client(server, b'{"nic": "e1000"}') for _ in range(2))
    started = [first.event(), second.event()]
    assert [event["event"] for event in started] == ["started", "started"]
    assert started[0]["mac"] != started[1]["mac"]

    third = Client(server, b'{"nic": "e1000"}')
    assert third.event() == {"event": "queued"}

    first.close()
    assert third.event()["event"] == "started"
    second.close()
    third.close()


@pytest.mark.vm
@pytest.mark.netns
def test_a_machine_that_is_to_boot_an_image_is_pinned_to_it_while_it_runs(server):
    """Both of its addresses are; a machine without a wish is not, and the end ends it."""
    plain = Client(server, b'{"nic": "rtl8139"}')
    assert plain.event()["event"] == "started"
    assert server.pins == []
    plain.close()

    client = Client(server, b'{"nic": "e1000", "firmware": "uefi-ia32", "image": "Rescue"}')
    mac = client.event()["mac"]
    (macs, image) = server.pins[0]
    assert (mac in macs, len(macs), image) == (True, 2, "Rescue")
    client.close()
    deadline = time.monotonic() + SECONDS
    while len(server.pins) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.pins[1] == (macs, "")
