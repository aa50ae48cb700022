import socket

import pytest

from tests.vm.frames import BROADCAST, frame, read_pcap
from vm.network.switch import Switch

SECONDS = 5.0


@pytest.fixture
def switch(tmp_path):
    """A running switch that records."""
    made = Switch(capture=tmp_path / "all.pcap")
    made.start()
    yield made
    made.close()


def plug(switch, name, **options):
    port, wire = switch.plug_pair(name, **options)
    wire.settimeout(SECONDS)
    return port, wire


def nothing_more(wire):
    wire.settimeout(0.05)
    with pytest.raises((TimeoutError, BlockingIOError)):
        wire.recv(2000)


def test_an_unknown_address_is_flooded_a_known_one_is_not(switch):
    """After a machine has spoken, frames for it go to its port only."""
    (_, one), (_, two), (_, three) = (plug(switch, name) for name in "123")

    one.send(frame(2, 1))
    assert [frame(2, 1)] * 2 == [two.recv(2000), three.recv(2000)]

    two.send(frame(1, 2, b"answer"))
    assert frame(1, 2, b"answer") == one.recv(2000)
    nothing_more(three)


def test_a_broadcast_reaches_everybody_but_its_sender(switch):
    """The group bit floods, whatever was learned."""
    (_, one), (_, two), (_, three) = (plug(switch, name) for name in "123")
    hello = BROADCAST + frame(1, 1)[6:]

    one.send(hello)

    assert [hello] * 2 == [two.recv(2000), three.recv(2000)]
    nothing_more(one)


def test_a_hook_may_drop_and_rewrite(switch):
    """None drops the frame; other bytes take its place."""

    def hook(data):
        return None if b"drop" in data else data.replace(b"cat", b"dog")

    (port, one), (_, two) = plug(switch, "1", hook=hook), plug(switch, "2")

    one.send(frame(2, 1, b"drop"))
    one.send(frame(2, 1, b"cat"))

    assert frame(2, 1, b"dog") == two.recv(2000)
    assert (port.received, port.dropped) == (2, 1)


def test_an_unplugged_machine_is_forgotten(switch):
    """Frames for it are flooded again, and a dead wire harms nobody."""
    (_, one), (second, two), (_, three) = (plug(switch, name) for name in "123")
    two.send(frame(1, 2))
    assert [frame(1, 2)] * 2 == [one.recv(2000), three.recv(2000)]

    switch.unplug(second)
    switch.unplug(second)
    two.close()
    one.send(frame(2, 1))

    assert frame(2, 1) == three.recv(2000)


def test_a_closed_wire_does_not_stop_the_switch(switch):
    """A machine that is killed leaves a port whose far end is gone."""
    (_, one), (_, two), (_, three) = (plug(switch, name) for name in "123")
    two.close()

    one.send(frame(9, 1))

    assert frame(9, 1) == three.recv(2000)


def test_the_capture_holds_what_passed(switch, tmp_path):
    """Every forwarded frame is in the pcap file, in order."""
    (_, one), (_, two) = plug(switch, "1"), plug(switch, "2")
    for number in range(3):
        one.send(frame(2, 1, bytes([number])))
        two.recv(2000)

    switch.close()

    sent = [frame(2, 1, bytes([number])) for number in range(3)]
    assert sent == read_pcap((tmp_path / "all.pcap").read_bytes())


def test_closing_closes_every_port(tmp_path):
    """No descriptor is left open, started or not."""
    switch = Switch()
    port, wire = switch.plug_pair("1")
    switch.close()
    wire.close()

    assert port.socket.fileno() == -1
    assert isinstance(wire, socket.socket)
