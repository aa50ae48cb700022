import socket
import threading

import pytest

from vm.door.places import Places

SECONDS = 5.0


@pytest.fixture
def clients():
    """Three clients, each as (the lab's end, the client's end)."""
    pairs = [socket.socketpair() for _ in range(3)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


class Visitor(threading.Thread):
    """Takes a place in a thread of its own and keeps it until `leave` is set."""

    def __init__(self, places, client):
        super().__init__(daemon=True)
        self.places, self.client = places, client
        self.waits, self.knows, self.leave = (threading.Event() for _ in range(3))
        self.got = None
        self.start()

    def run(self):
        with self.places.take(self.client, self.waits.set) as got:
            self.got = got
            self.knows.set()
            if got:
                self.leave.wait(SECONDS)


def test_the_third_waits_until_a_place_is_free(clients):
    """Two at once; the next in line gets the place that is given back."""
    places = Places(2)
    first, second = (Visitor(places, pair[0]) for pair in clients[:2])
    assert first.knows.wait(SECONDS)
    assert second.knows.wait(SECONDS)

    third = Visitor(places, clients[2][0])
    assert third.waits.wait(SECONDS)
    assert not third.knows.is_set()

    first.leave.set()
    assert third.knows.wait(SECONDS)
    assert third.got is True


def test_who_hangs_up_while_waiting_gets_nothing(clients):
    """The queue goes on without them."""
    places = Places(1)
    first = Visitor(places, clients[0][0])
    assert first.knows.wait(SECONDS)
    second, third = Visitor(places, clients[1][0]), None
    assert second.waits.wait(SECONDS)

    clients[1][1].close()
    assert second.knows.wait(SECONDS)
    assert second.got is False

    third = Visitor(places, clients[2][0])
    first.leave.set()
    assert third.knows.wait(SECONDS)
    assert third.got is True
