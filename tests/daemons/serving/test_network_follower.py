"""The host's networks as they are now, told when they change; the real ones are tried elsewhere."""

import time
from ipaddress import IPv4Network

import pytest

from netboot.boot.network_settings import NetworkSetting
from netboot.boot.networks import Host, HostAddress
from netboot.daemons.serving import network_follower as module
from netboot.daemons.serving.network_follower import NetworkFollower, drain, open_changes
from netboot.errors import NotPermitted
from netboot.serve.udp import Loop

WANTED = [NetworkSetting(interface="eth1")]
NOTHING = Host(("lo",), ())
THERE = Host(("lo", "eth1"), (HostAddress("eth1", "10.2.0.2", IPv4Network("10.2.0.0/24")),))


class Changing:
    """A host that is another one at each look; `told` are the networks that were told."""

    def __init__(self, monkeypatch, *hosts, done=True):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
        self.loop, self.hosts, self.done = Loop(), list(hosts), done
        self.told = []
        self.follower = NetworkFollower(self.loop, WANTED, self.changed, read=self.read)

    def read(self):
        host = self.hosts.pop(0) if len(self.hosts) > 1 else self.hosts[0]
        if isinstance(host, Exception):
            raise host
        return host

    def changed(self, networks):
        self.told.append([one.state for one in networks])
        return self.done

    def run(self, seconds=0.2):
        self.loop.at(time.monotonic() + seconds, lambda _: self.loop.stop())
        self.loop.run()
        self.loop.close()
        return self.told


def test_a_change_is_told_once_and_what_is_the_same_is_not(monkeypatch):
    changing = Changing(monkeypatch, NOTHING, NOTHING, THERE)

    assert [one.state for one in changing.follower.networks] == ["waits"]
    assert changing.run() == [["serves"]]


def test_what_could_not_be_served_is_tried_again(monkeypatch):
    """A port that is taken may be free a moment later."""
    told = Changing(monkeypatch, NOTHING, THERE, done=False).run()

    assert len(told) > 2
    assert told[-1] == ["serves"]


def test_a_look_that_is_not_permitted_changes_nothing(monkeypatch):
    assert Changing(monkeypatch, THERE, NotPermitted("no netlink"), NOTHING).run() == [["waits"]]


@pytest.mark.loopback
def test_the_kernels_messages_are_read_to_their_end():
    heard = open_changes()
    assert heard is not None
    drain(heard)
    with heard, pytest.raises(BlockingIOError):
        heard.recv(1)
