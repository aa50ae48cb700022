"""TFTP to a client behind a router whose link passes smaller packets, in namespaces."""

import hashlib
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from netboot.serve.tftp.limits import TftpLimits
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop
from tests.support.netlab import Host, Lan, needs_netns
from tests.support.serving import Files, Told

pytestmark = [pytest.mark.netns, needs_netns]

CONTENT = random.Random(1).randbytes(300_000)
SERVER = "10.77.0.1"


@pytest.fixture(scope="module")
def path() -> Iterator[tuple[Host, Host, Host]]:
    """Server, router and client; the client's side of the router has an MTU of 1420."""
    with Lan() as lan:
        server = lan.host("srv", f"{SERVER}/24")
        router = lan.host("rtr", "10.77.0.254/24")
        lan.plug(router, "eth1", "10.78.0.254/24", lan="far")
        client = lan.host("cli", "10.78.0.2/24", lan="far")
        server.run("ip", "route", "add", "10.78.0.0/24", "via", "10.77.0.254")
        client.run("ip", "route", "add", "default", "via", "10.78.0.254")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.run("ip", "link", "set", "eth1", "mtu", "1420")
        rules = (
            "table ip t { chain o { type filter hook output priority 0;"
            " icmp type destination-unreachable drop; }; }"
        )
        router.run("nft", rules)
        yield server, router, client


@pytest.fixture(params=[True, False], ids=["offload", "no offload"])
def tftpd(path: tuple[Host, Host, Host], request) -> Iterator[TftpServer]:
    with serving(path[0], TftpLimits(), segmentation=request.param) as server:
        yield server


@contextmanager
def serving(host: Host, limits: TftpLimits, *, segmentation: bool = True) -> Iterator[TftpServer]:
    """The server in its namespace; so is its loop, which opens each client's socket."""
    loop, files = Loop(), Files({"f": CONTENT})
    server = host.inside(
        lambda: TftpServer(
            loop=loop,
            address=SERVER,
            resolve=files.resolve,
            open_content=files.open_content,
            emit=Told().queue.put,
            limits=limits,
            segmentation=segmentation,
        )
    )
    thread = threading.Thread(target=lambda: host.inside(loop.run))
    thread.start()
    yield server
    loop.stop()
    thread.join()
    server.close()
    loop.close()


CLIENT = """
import socket, struct, sys, hashlib
window, size, seconds = map(int, sys.argv[1:4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(seconds)
options = f"blksize\\0{size}\\0" + (f"windowsize\\0{window}\\0" if window > 1 else "")
s.sendto(b"\\0\\1f\\0octet\\0" + options.encode(), ("10.77.0.1", 69))
got, last, since = b"", 0, 0
try:
    packet, peer = s.recvfrom(70000)
    given = packet[2:].split(b"\\0")
    block = int(given[given.index(b"blksize") + 1])
    s.sendto(b"\\0\\4\\0\\0", peer)
    while True:
        packet, peer = s.recvfrom(70000)
        if packet[:2] != b"\\0\\3": continue
        number, = struct.unpack(">H", packet[2:4])
        if number == last + 1:
            got, last, since = got + packet[4:], number, since + 1
            if since < window and len(packet) == block + 4: continue
        s.sendto(struct.pack(">HH", 4, last), peer)
        since = 0
        if len(packet) < block + 4: break
    print(block, hashlib.sha256(got).hexdigest())
except TimeoutError:
    print(block, "nothing came")
"""


def fetch(client: Host, *, window: int = 1, size: int = 1468, seconds: int = 5) -> list[str]:
    """The block size that was granted, and the digest of what came."""
    argv = (sys.executable, "-c", CLIENT, str(window), str(size), str(seconds))
    return client.run(*argv).split(maxsplit=1)


def expected() -> str:
    return hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("window", [1, 4, 16, 64])
def test_blocks_arrive_through_a_smaller_link_whose_icmp_is_filtered(
    path, tftpd: TftpServer, window: int
) -> None:
    """The router may cut our packets into fragments."""
    size, got = fetch(path[2], window=window)

    assert (size, got.strip()) == ("1468", expected())


def test_curl_gets_the_file(path, tftpd: TftpServer, tmp_path) -> None:
    """A client as it is."""
    began = time.monotonic()
    path[2].run(
        "curl", "-s", "--tftp-blksize", "1468", "-o", str(tmp_path / "f"), f"tftp://{SERVER}/f"
    )

    assert (tmp_path / "f").read_bytes() == CONTENT
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("window", [1, 16])
def test_who_gets_no_fragments_gets_smaller_blocks_when_it_asks_again(
    path, tftpd: TftpServer, window: int
) -> None:
    """Some firewalls drop fragments, and some ROMs cannot join them."""
    path[2].run(
        "nft",
        "table ip f { chain p { type filter hook prerouting priority -450;"
        " ip frag-off & 0x3fff != 0 drop; }; }",
    )
    try:
        first = fetch(path[2], window=window, seconds=1)
        second = fetch(path[2], window=window)
    finally:
        path[2].run("nft", "delete table ip f")

    assert first == ["1468", "nothing came\n"]
    assert [second[0], second[1].strip()] == ["1248", expected()]


def test_a_networks_largest_block_is_granted_and_no_more(path) -> None:
    """The smallest network that holds the client decides; smaller wishes are granted."""
    sizes = ((IPv4Network("10.0.0.0/8"), 1400), (IPv4Network("10.78.0.0/24"), 1380))
    with serving(path[0], replace(TftpLimits(), block_sizes=sizes)):
        granted = [fetch(path[2], size=size)[0] for size in (1468, 1380, 1024)]

    assert granted == ["1380", "1380", "1024"]
