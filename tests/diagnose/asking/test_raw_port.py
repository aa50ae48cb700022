"""A port that another program has can be heard and used beside it."""

import select

import pytest

from netboot.diagnose.asking.raw_port import RawPort
from netboot.serve.udp import open_udp
from tests.support.netlab import Lan, needs_netns

pytestmark = [pytest.mark.netns, needs_netns]


def hear(port: RawPort, tries: int = 20) -> tuple[bytes, tuple[str, int]]:
    """The next datagram for the port; those for others are passed over."""
    for _ in range(tries):
        assert select.select([port], [], [], 5.0)[0], "nothing came"
        try:
            return port.recvfrom(4096)
        except BlockingIOError:
            continue
    raise AssertionError("only others' datagrams came")


def test_both_hear_and_the_answer_comes_from_the_port() -> None:
    """The owner of port 68 loses nothing, and the other side sees port 68."""
    with Lan() as lan:
        here, there = lan.host("cli", "10.77.0.50/24"), lan.host("srv", "10.77.0.2/24")
        owner = here.inside(lambda: open_udp("", 68))
        server = there.inside(lambda: open_udp("", 67, broadcast=True))
        raw = here.inside(lambda: RawPort("eth0", "10.77.0.50", 68))
        server.settimeout(5)
        owner.settimeout(5)
        raw.sendto(b"asked", ("255.255.255.255", 67))

        assert server.recvfrom(100) == (b"asked", ("10.77.0.50", 68))
        server.sendto(b"another port", ("10.77.0.50", 1234))
        server.sendto(b"answer", ("10.77.0.50", 68))
        assert hear(raw) == (b"answer", ("10.77.0.2", 67))
        assert owner.recv(100) == b"answer"
        for one in (owner, server, raw):
            one.close()
