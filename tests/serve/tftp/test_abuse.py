"""The TFTP service as it is installed, under abuse: its own process and limits, real addresses.

`netboot boot` on a LAN of its own; clients come from as many addresses as they like. Times are
compared with those of the same clients without the abuse.
"""

import json
import math
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from netboot.boot.told.events import TransferRefused, TransferStarted
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.protocols.tftp import Ack, Error, ReadRequest, from_bytes
from netboot.serve.tftp.limits import TftpLimits
from netboot.site import Site
from tests.boot.files.test_names import ODD_NAMES, traversals
from tests.support.dhcp_servers import wait_for
from tests.support.joined_machines import Client
from tests.support.netlab import Host, Lan, needs_netns
from tests.support.serving import Files, Tftpd, running_tftpd, udp_client
from tests.support.settling import at_rest, settled

pytestmark = [pytest.mark.netns, needs_netns]

SERVER = "10.77.0.2"
NAME = "v/pe-x64/1/boot.wim"
CANARY = b"the canary of the traversal test"
SIZE = 1_000_000
LONGEST = 1.5
"""Times as long as without them a good client may take beside rude ones."""


@dataclass
class Service:
    """`netboot boot`, its host, and a host of clients."""

    site: Site
    server: Host
    clients: Host
    process: int
    content: bytes

    def processes(self) -> list[int]:
        """The service's processes."""
        found, waiting = [], [self.process]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            waiting += map(int, children.split())
        return sorted(found)

    def descriptors(self) -> int:
        """Open files of all of them."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.processes())

    def memory(self) -> int:
        """Resident bytes of all of them."""
        pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self.processes())
        return 4096 * sum(map(int, pages))

    def client(self, ip: str) -> socket.socket:
        """A client's socket at one of its host's addresses."""

        def make() -> socket.socket:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            udp.bind((ip, 0))
            udp.settimeout(2.0)
            return udp

        return self.clients.inside(make)

    def fetch(self, udp: socket.socket) -> bytes:
        """The image, as loaders ask for it."""
        client = Client(block_size=512, window=1, per_block=False, timeout=1.0)
        client.request = bytes(
            ReadRequest(NAME.encode(), "octet", {"blksize": b"1456", "windowsize": b"16"})
        )
        peer = (SERVER, 69)
        udp.sendto(client.request, peer)
        while not client.done:
            try:
                packet, peer = udp.recvfrom(2048)
            except TimeoutError:
                answers = client.tick(0.0)
            else:
                answers = client.receive(packet, 0.0)
            assert not client.failed, client.failed
            for answer in answers:
                udp.sendto(answer, peer)
        return bytes(client.received)

    def seconds_to_serve(self, many: int, at_once: int) -> float:
        """How long so many good fetches take, each from an address of its own."""
        sockets = [self.client(f"10.98.200.{1 + number}") for number in range(many)]
        began = time.monotonic()
        with ThreadPoolExecutor(at_once) as pool:
            got = list(pool.map(self.fetch, sockets))
        took = time.monotonic() - began
        for udp in sockets:
            udp.close()
        assert got == [self.content] * many
        return took

    @contextmanager
    def rude(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """Rude clients in a process of their own."""
        command = ("ip", "netns", "exec", self.clients.namespace, sys.executable)
        with subprocess.Popen(
            [*command, "-m", "tests.support.rude_clients", *argv],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            yield process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with one image, on a LAN with a host that has 65,000 addresses."""
    data = tmp_path_factory.mktemp("abused") / "data"
    site, content = Site.open(data), random.Random(7).randbytes(SIZE)
    blob = site.blobs.add_bytes(content)
    file = ManifestFile("boot.wim", blob.digest, blob.size)
    version = ContentVersion("PE x64", 1, Architecture.X64, "sha256:0", 0.0, (file,), ("linux",))
    site.point.update(version, site.blobs, now=time.time())
    site.point.publish_policy(lambda: ({Architecture.X64: "PE x64"}, {}))
    (data / "netboot.toml").write_text("")
    with Lan() as lan:
        server, clients = lan.host("srv", f"{SERVER}/24"), lan.host("cli", "10.77.0.50/24")
        clients.run("ip", "route", "add", "local", "10.98.0.0/16", "dev", "lo")
        server.run("ip", "route", "add", "10.98.0.0/16", "via", "10.77.0.50")
        place = ("--interface", "eth0", "--address", SERVER)
        program = server.start(sys.executable, "-m", "netboot", "--data", str(data), "boot", *place)
        wait_for(program, "boot.ready")
        made = Service(site, server, clients, program.pid, content)
        made.seconds_to_serve(4, 2)  # everything is open and mapped once
        yield made
    site.journal.close()


def said(process: subprocess.Popen[str], seconds: float = 60.0) -> dict[str, object]:
    """The next line of a rude client."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], seconds)[0], "it says nothing"
    return dict(json.loads(process.stdout.readline()))


def count(site: Site, kind: type[TransferRefused]) -> int:
    """How many such events the journal has."""
    return len(site.journal.latest_of(kind, limit=100_000, within=100_000))


def transfers(site: Site) -> list[TransferStarted]:
    """All transfers that were begun."""
    found = site.journal.latest_of(TransferStarted, limit=100_000, within=100_000)
    return [entry.event for entry in found if isinstance(entry.event, TransferStarted)]


def quickest_of(rounds: int, measure: Callable[[], float]) -> float:
    """The least of some measurements: others on this machine can only add to what it takes."""
    return min(measure() for _ in range(rounds))


def least_slowing(experiment: Callable[[], tuple[float, float]]) -> float:
    """How many times as long it takes beside rude clients as without, by up to three tries.

    `experiment` gives the seconds without, and beside. What else this machine does comes and
    goes; what we do wrong is there in every try.
    """
    without = beside = math.inf
    for _ in range(3):
        once = experiment()
        without, beside = min(without, once[0]), min(beside, once[1])
        if beside <= LONGEST * without:
            break
    return beside / without


@pytest.mark.long
def test_ten_thousand_half_open_requests_cost_good_clients_nothing(service: Service) -> None:
    """From 250 addresses: a hundred of a hundred are served, in at most 1.5 times the time."""
    service.seconds_to_serve(100, 10)  # each worker has opened what it keeps open
    processes, memory = service.processes(), service.memory()
    files = at_rest(service.descriptors)

    def flooded() -> tuple[float, float]:
        normal = quickest_of(5, lambda: service.seconds_to_serve(100, 10))
        with service.rude("read", SERVER, NAME, "10000", "250", "8000") as flood:
            service.seconds_to_serve(100, 10)  # while it goes on
            assert said(flood)["sent"] == 10_000
            return normal, quickest_of(5, lambda: service.seconds_to_serve(100, 10))

    assert least_slowing(flooded) <= LONGEST
    assert service.processes() == processes
    assert settled(service.descriptors, files + 2) <= files + 2
    assert settled(service.memory, memory + (64 << 20)) - memory <= 64 << 20


def test_ten_thousand_requests_to_write_leave_nothing(service: Service) -> None:
    """No file and no transfer; ERROR 2 in rations, and the journal has a few words of it."""
    before = {path: path.stat().st_size for path in service.site.data.rglob("*") if _lasting(path)}
    refused = count(service.site, TransferRefused)
    files = at_rest(service.descriptors)
    with service.rude("write", SERVER, "evil.bin", "10000", "250", "5000") as flood:
        told = said(flood)
    service.seconds_to_serve(10, 10)

    assert set(told["answers"]) == {bytes(Error(2, "access violation"))[:4].hex()}
    assert sum(told["answers"].values()) <= 10_000
    assert "evil.bin" not in {transfer.name for transfer in transfers(service.site)}
    rations = 1 + float(str(told["seconds"]))
    told_of = count(service.site, TransferRefused) - refused
    assert 0 < told_of <= (rations + 1) * TftpLimits().reports
    assert settled(service.descriptors, files + 2) <= files + 2
    assert before == {
        path: path.stat().st_size for path in service.site.data.rglob("*") if _lasting(path)
    }


def _lasting(path: Path) -> bool:
    return path.is_file() and not path.name.startswith("journal")


@pytest.mark.long
def test_five_hundred_slow_readers_do_not_slow_others(service: Service) -> None:
    """One block in five seconds each; twenty normal clients take at most 1.5 times as long."""

    def slowed() -> tuple[float, float]:
        normal = quickest_of(7, lambda: service.seconds_to_serve(20, 20))
        with service.rude("slowly", SERVER, NAME, "500", "50", "5") as slow:
            assert said(slow) == {"readers": 500, "reached": 2}
            beside = quickest_of(7, lambda: service.seconds_to_serve(20, 20))
            assert said(slow) == {"readers": 500, "reached": 3}  # five seconds on, all are there
            beside = max(beside, quickest_of(7, lambda: service.seconds_to_serve(20, 20)))
            assert slow.stdin is not None
            slow.stdin.close()
        return normal, beside

    assert least_slowing(slowed) <= LONGEST


def test_no_name_leads_out_of_what_is_published(service: Service, tmp_path: Path) -> None:
    """A thousand climbing names, with links planted in our own folders: no byte of the canary."""
    (tmp_path / "canary").write_bytes(CANARY)
    for folder in (service.site.data, service.site.data / "points" / "site"):
        (folder / "etc").symlink_to(tmp_path)
        (folder / "canary").write_bytes(CANARY)
    names = [*traversals(), *ODD_NAMES]
    names += [b"etc/canary", b"canary", str(tmp_path / "canary").encode(), b"points/site/canary"]
    got = b""
    for number in range(0, len(names), 50):
        udp = service.client(f"10.98.210.{1 + number // 50 % 250}")
        for name in names[number : number + 50]:
            udp.sendto(b"\0\1" + name + b"\0octet\0", (SERVER, 69))
        udp.settimeout(0.1)
        try:
            while True:
                answer = udp.recv(2048)
                assert isinstance(from_bytes(answer), Error), answer
                got += answer
        except TimeoutError:
            udp.close()
    for folder in (service.site.data, service.site.data / "points" / "site"):
        (folder / "etc").unlink()
        (folder / "canary").unlink()

    assert len(names) >= 1000
    assert got
    assert CANARY not in got
    assert service.seconds_to_serve(1, 1) < 10


@pytest.mark.parametrize(
    "packet", [bytes(Error(0, "x")), bytes(Ack(1)), b"\0\3\0\1data", b"\0\6blksize\x00512\0"]
)
def test_two_servers_never_talk_to_each_other(packet: bytes) -> None:
    """What seems to come from one server's port to the other's is answered by neither."""
    with running_tftpd(Files()) as one, running_tftpd(Files()) as two:
        forge(packet, one.address, two.address)
        two.until(lambda: two.server.counters.malformed == 1)

        assert quiet(one)
        assert (one.server.counters.malformed, one.server.counters.requests) == (0, 1)


def test_an_error_for_a_stray_packet_is_the_end_of_it() -> None:
    """Between the transfer ports of two servers a forged ACK costs one packet each way."""
    with running_tftpd(Files()) as one, running_tftpd(Files()) as two:
        ours, theirs = (each.server._shared.pool._sockets[0].getsockname() for each in (one, two))
        forge(bytes(Ack(9)), ours, theirs)
        one.until(lambda: one.server.counters.strays == 1)

        assert quiet(one)
        assert (one.server.counters.strays, two.server.counters.strays) == (1, 1)


def forge(packet: bytes, sender: tuple[str, int], to: tuple[str, int]) -> None:
    """Send a datagram as if it came from `sender`."""
    forged = IP(src=sender[0], dst=to[0]) / UDP(sport=sender[1], dport=to[1]) / Raw(packet)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(bytes(forged), (to[0], 0))


def quiet(tftpd: Tftpd) -> bool:
    """Whether a good request still gets its answer, and so whatever came before has been read."""
    with udp_client() as udp:
        udp.sendto(bytes(ReadRequest(b"none")), tftpd.address)
        return isinstance(from_bytes(udp.recv(2048)), Error)
