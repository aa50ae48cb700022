"""The TFTP server on real sockets: what clients get, and what strangers may not do."""

import os
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from netboot.boot.files.names import ContentRef
from netboot.boot.told.events import (
    TransferContinued,
    TransferFailed,
    TransferFinished,
    TransferRefused,
    TransferStarted,
)
from netboot.errors import PortTaken
from netboot.protocols.round_trip import Timing
from netboot.protocols.tftp import (
    Ack,
    Data,
    Error,
    OptionAck,
    ReadRequest,
    WriteRequest,
    from_bytes,
)
from netboot.serve.tftp.limits import TftpLimits
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop
from netboot.store.content.blobs import BlobStore
from netboot.store.content.open_content import ContentCache
from tests.support.serving import (
    ALL_FROM_ONE_ADDRESS,
    Files,
    Tftpd,
    fetch,
    running_tftpd,
    udp_client,
)
from tests.support.settling import at_rest, settled

pytestmark = pytest.mark.loopback

SIZES = [0, 1, 511, 512, 513, 1467, 1468, 1469, 65464, 1_000_000]


def random_files() -> Files:
    dice = random.Random(42)
    return Files({f"f{size}": dice.randbytes(size) for size in SIZES})


def exchange(
    udp: socket.socket, packet: bytes, to: tuple[str, int]
) -> tuple[object, tuple[str, int]]:
    """Send a packet; the answer and where it came from."""
    udp.sendto(packet, to)
    answer, peer = udp.recvfrom(65535)
    return from_bytes(answer), peer


def silent(udp: socket.socket, seconds: float = 0.2) -> bool:
    udp.settimeout(seconds)
    try:
        udp.recvfrom(65535)
    except TimeoutError:
        return True
    return False


# --- what clients get ------------------------------------------------------------------------


@pytest.mark.parametrize("segmentation", [True, False])
def test_every_size_by_every_block_size_and_window(*, segmentation: bool) -> None:
    """Each file arrives byte for byte, whatever the terms, in one call a window or in many."""
    files = random_files()
    with running_tftpd(files, segmentation=segmentation) as tftpd:
        for name, content in files.bytes_of.items():
            for block_size in (None, 512, 1468, 8192, 65464):
                for window in (None, 1, 4, 16, 64):
                    got = fetch(tftpd.address, name, block_size=block_size, window=window)
                    assert content == got, (name, block_size, window)


def test_the_journal_hears_of_a_transfer() -> None:
    """Its start with the terms, its end with the time it took."""
    files = random_files()
    with running_tftpd(files) as tftpd:
        fetch(tftpd.address, "f1000000", block_size=1468, window=16)
        started = tftpd.told.next(TransferStarted)
        finished = tftpd.told.next(TransferFinished)

    assert (started.name, started.size, started.block_size, started.window) == (
        "f1000000",
        1_000_000,
        1468,
        16,
    )
    assert started.ip == finished.ip == "127.0.0.1"
    assert (finished.image, finished.version) == ("Lab PE x64", 7)
    assert started.digest.startswith("sha256:")
    assert 0 < finished.seconds < 5
    assert abs(finished.at - time.time()) < 60


def test_netascii_is_translated() -> None:
    """A text in netascii arrives with CR LF; block sizes hold for what goes over the wire."""
    text = b"first\nsecond\r\n" * 500
    with running_tftpd(Files({"t": text})) as tftpd:
        wire = fetch(tftpd.address, "t", mode="netascii", block_size=700)
        plain = fetch(tftpd.address, "t", mode="NETASCII")

    assert text.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n") == wire == plain


def test_a_size_probe_is_no_failure() -> None:
    """PXE ROMs ask for the size and end with an ERROR: nobody is told of a failure."""
    with running_tftpd(random_files()) as tftpd, udp_client() as udp:
        request = bytes(ReadRequest(b"f1000000", "octet", {"tsize": b"0", "blksize": b"1468"}))
        answer, peer = exchange(udp, request, tftpd.address)
        assert answer == OptionAck({"tsize": b"1000000", "blksize": b"1468"})
        udp.sendto(bytes(Error(8, "User aborted the transfer")), peer)
        tftpd.until(lambda: tftpd.server.counters.probes == 1)
        tftpd.until(lambda: tftpd.server.sessions == 0)

        assert tftpd.told.all() == []


def test_a_client_that_closes_its_port_after_the_last_block_is_done() -> None:
    """ICMP in place of the last ACK is a ROM's farewell."""
    with running_tftpd(Files({"f": bytes(600)})) as tftpd:
        with udp_client() as udp:
            _, peer = exchange(udp, bytes(ReadRequest(b"f")), tftpd.address)
            answer, _ = exchange(udp, bytes(Ack(1)), peer)
            assert answer == Data(2, bytes(88))

        assert tftpd.told.next(TransferFinished).name == "f"


def test_a_version_that_is_replaced_meanwhile_is_finished_as_it_began() -> None:
    """A client that began on one content ends on it; the next gets the new one."""
    old, new = random.Random(1).randbytes(3_000_000), random.Random(2).randbytes(2_000_000)
    files = Files({"boot.wim": old, "next": new})
    with running_tftpd(files) as tftpd, ThreadPoolExecutor(16) as pool:
        slow = [
            pool.submit(fetch, tftpd.address, "boot.wim", block_size=1468, window=1)
            for _ in range(8)
        ]
        for _ in slow:
            tftpd.told.next(TransferStarted)
        files.bytes_of = {"boot.wim": new, "old": old}
        fast = pool.submit(fetch, tftpd.address, "boot.wim", block_size=1468, window=16)

        assert new == fast.result()
        assert [old] * 8 == [transfer.result() for transfer in slow]


def test_two_hundred_clients_at_once() -> None:
    """None fails, every byte is right."""
    content = random.Random(3).randbytes(100_000)
    with running_tftpd(Files({"f": content})) as tftpd, ThreadPoolExecutor(200) as pool:
        got = list(
            pool.map(
                lambda n: fetch(
                    tftpd.address, "f", block_size=1468, window=4, per_block=bool(n % 2)
                ),
                range(200),
            )
        )

    assert [content] * 200 == got


# --- refusals --------------------------------------------------------------------------------


def test_a_name_that_is_not_served() -> None:
    """ERROR 1 in fixed words from another port; the journal gets the reason."""
    with running_tftpd(Files()) as tftpd, udp_client() as udp:
        answer, peer = exchange(udp, bytes(ReadRequest(b"no\x1b\xffpe")), tftpd.address)

        assert answer == Error(1, "file not found")
        assert peer[1] != tftpd.server.port
        refused = tftpd.told.next(TransferRefused)
    assert refused.name == r"no\x1b\xffpe"
    assert refused.reason == "no such file in this version"


def test_ten_thousand_requests_to_write_have_no_session() -> None:
    """Each is counted as refused; nothing is looked up and nothing kept."""
    with running_tftpd(random_files()) as tftpd, udp_client() as udp:
        for number in range(10_000):
            udp.sendto(bytes(WriteRequest(b"f%d" % number)), tftpd.address)
            if number % 100 == 99:  # no faster than it reads
                tftpd.until(lambda sent=number + 1: tftpd.server.counters.refused == sent)

        assert (tftpd.server.sessions, tftpd.server.counters.refused) == (0, 10_000)
        assert tftpd.files.asked == []


def test_writing_is_refused() -> None:
    """ERROR 2, no state, for a request to store a file."""
    with running_tftpd(random_files()) as tftpd, udp_client() as udp:
        answer, _ = exchange(udp, bytes(WriteRequest(b"f1")), tftpd.address)

        assert answer == Error(2, "access violation")
        assert tftpd.server.sessions == 0
        assert tftpd.files.asked == []


def test_mail_is_refused() -> None:
    """RFC 1350's third mode is long gone: ERROR 4."""
    with running_tftpd(random_files()) as tftpd, udp_client() as udp:
        answer, _ = exchange(udp, b"\0\1f1\0mail\0", tftpd.address)

    assert answer == Error(4, "illegal operation")


@pytest.mark.parametrize("options", [{}, {"tsize": b"0"}, {"blksize": b"1468"}])
def test_what_we_should_hold_but_cannot_open(options: dict[str, bytes]) -> None:
    """Refused before the OACK, after which Windows' boot manager hears no ERROR."""
    files = Files({"f": b"x"}, broken={"f"})
    with running_tftpd(files) as tftpd, udp_client() as udp:
        answer, _ = exchange(udp, bytes(ReadRequest(b"f", "octet", options)), tftpd.address)

        assert answer == Error(0, "refused, see the server's journal")
        refused = tftpd.told.next(TransferRefused)
        assert refused.reason == "our copy is damaged: the blob of f is gone"
        assert tftpd.server.sessions == 0


def test_a_file_that_is_cut_off_while_it_is_sent_is_our_fault(tmp_path: Path) -> None:
    """The client is told, and the journal does not take it for a client that fell silent."""
    store = BlobStore(tmp_path)
    blob = store.add_bytes(bytes(3_000_000))
    cache = ContentCache(store.path)
    files = Files()
    files.resolve = lambda _name, _ip: ContentRef("boot.wim", blob.digest, blob.size)
    files.open_content = cache.open
    with running_tftpd(files) as tftpd, udp_client() as udp:
        options = {"blksize": b"1468", "windowsize": b"4"}
        _, peer = exchange(udp, bytes(ReadRequest(b"boot.wim", "octet", options)), tftpd.address)
        udp.sendto(bytes(Ack(0)), peer)
        got = [from_bytes(udp.recv(2048)) for _ in range(4)]
        assert [packet.block for packet in got if isinstance(packet, Data)] == [1, 2, 3, 4]
        path = store.path(blob.digest)
        path.chmod(0o644)
        os.truncate(path, 4096)
        udp.sendto(bytes(Ack(4)), peer)
        answers = iter(lambda: from_bytes(udp.recv(2048)), None)
        answer = next(packet for packet in answers if isinstance(packet, Error))

        assert answer == Error(0, "content not available, see the server's journal")
        failed = tftpd.told.next(TransferFailed)
        assert (failed.sent, failed.reason) == (
            4 * 1468,
            "our copy is damaged: boot.wim was cut off while it was sent",
        )
        again, _ = exchange(udp, bytes(ReadRequest(b"boot.wim", "octet", options)), tftpd.address)
        assert again == Error(0, "refused, see the server's journal")
        assert "4096 bytes found" in tftpd.told.next(TransferRefused).reason


def test_a_running_transfer_is_told_from_time_to_time() -> None:
    """With what the client has; a stranger who only asked is not told of."""
    with running_tftpd(random_files()) as tftpd, udp_client() as udp, udp_client() as stranger:
        request = bytes(ReadRequest(b"f1000000", "octet", {"blksize": b"1468"}))
        exchange(stranger, request, tftpd.address)
        _, peer = exchange(udp, request, tftpd.address)
        exchange(udp, bytes(Ack(0)), peer)
        exchange(udp, bytes(Ack(1)), peer)
        tftpd.told.next(TransferStarted)
        tftpd.loop.soon(tftpd.server.tell_running)
        continued = tftpd.told.next(TransferContinued)
        udp.sendto(bytes(Error(0, "enough")), peer)
        tftpd.told.next(TransferFailed)

    assert (continued.name, continued.size, continued.sent) == ("f1000000", 1_000_000, 1468)
    assert (continued.ip, continued.image, continued.version) == ("127.0.0.1", "Lab PE x64", 7)


def test_large_files_are_not_looked_through_for_netascii() -> None:
    """A boot image as text is refused, with a hint in the journal."""
    limits = replace(ALL_FROM_ONE_ADDRESS, netascii=1000)
    with running_tftpd(Files({"f": bytes(1001)}), limits=limits) as tftpd, udp_client() as udp:
        answer, _ = exchange(udp, bytes(ReadRequest(b"f", "netascii")), tftpd.address)

        assert isinstance(answer, Error)
        assert "octet" in tftpd.told.next(TransferRefused).reason


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0",
        b"\0\1",
        b"\0\1f1",
        b"\0\1f1\0octet",
        b"\0\3\0\1data",
        b"\0\4\0\0",
        b"\0\5\0\1error\0",
        b"\0\6blksize\x00512\0",
        b"\0\7f1\0octet\0",
        b"default send string",
        bytes(2196),
        b"\0\1" + b"A" * 2000 + b"\0octet\0",
        b"%n%s" * 100,
    ],
)
def test_what_is_no_request_is_not_answered(packet: bytes) -> None:
    """Silence, so that no two servers ever talk to each other; the next good request works."""
    files = Files({"f": b"good"})
    with running_tftpd(files) as tftpd, udp_client() as udp:
        udp.sendto(packet, tftpd.address)

        assert silent(udp)
        assert fetch(tftpd.address, "f") == b"good"
        assert tftpd.server.counters.malformed == 1


def asking_from(port: int) -> socket.socket:
    """A client with this source port."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(5)
    try:
        udp.bind(("127.0.0.1", port))
    except OSError:
        udp.close()
        pytest.skip(f"may not use port {port} here")
    return udp


@pytest.mark.parametrize("port", [69, 1023])
def test_a_client_with_a_low_port_is_served(port: int) -> None:
    """U-Boot asks from port 69."""
    with running_tftpd(Files({"f": b"good"})) as tftpd, asking_from(port) as udp:
        udp.sendto(bytes(ReadRequest(b"f")), tftpd.address)

        assert udp.recv(1000) == bytes(Data(1, b"good"))


@pytest.mark.parametrize("port", [7, 53, 123])
def test_the_port_of_another_service_gets_no_answer_and_an_entry(port: int) -> None:
    """A request from port 53 may be another server's answer, turned on us."""
    with running_tftpd(Files({"f": b"good"})) as tftpd, asking_from(port) as udp:
        udp.sendto(bytes(ReadRequest(b"f")), tftpd.address)

        assert silent(udp)
        assert tftpd.server.counters.dropped == 1
        event = tftpd.told.next(TransferRefused)
    assert f"asked from port {port}" in event.reason


# --- strangers -------------------------------------------------------------------------------


def test_a_repeated_request_has_one_session() -> None:
    """PXE ROMs ask again from the same port: the same answer from the same port."""
    with running_tftpd(random_files()) as tftpd, udp_client() as udp:
        request = bytes(ReadRequest(b"f513", "octet", {"blksize": b"512"}))
        first = exchange(udp, request, tftpd.address)
        second = exchange(udp, request, tftpd.address)

        assert first == second
        assert tftpd.server.sessions == 1


def test_a_new_request_from_the_same_port_takes_over() -> None:
    """A ROM that starts again with another file gets that one."""
    files = random_files()
    with running_tftpd(files) as tftpd, udp_client() as udp:
        _, old = exchange(udp, bytes(ReadRequest(b"f1000000")), tftpd.address)
        exchange(udp, bytes(Ack(1)), old)
        answer, new = exchange(udp, bytes(ReadRequest(b"f1")), tftpd.address)

        assert answer == Data(1, files.bytes_of["f1"])
        udp.sendto(bytes(Ack(1)), new)
        assert "new request" in tftpd.told.next(TransferFailed).reason
        assert tftpd.told.next(TransferFinished).name == "f1"


def test_strangers_have_few_places_and_few_bytes() -> None:
    """One address: sixteen half-open transfers, 16 KiB a second, whatever it asks."""
    with running_tftpd(random_files(), limits=TftpLimits()) as tftpd:
        clients = [udp_client(0.3) for _ in range(60)]
        for udp in clients:
            udp.sendto(bytes(ReadRequest(b"f1000000")), tftpd.address)
        tftpd.until(lambda: tftpd.server.counters.requests == 60)
        got = 0
        for udp in clients:
            udp.settimeout(0)
            with suppress(BlockingIOError):
                got += len(udp.recv(2048))
            udp.close()

        assert tftpd.server.sessions == 16
        assert got <= 16 * 1024 + 516


def test_a_plain_request_that_is_never_answered_costs_three_packets() -> None:
    """14 bytes with a forged sender bring its owner at most 1,560 bytes."""
    timing = Timing(first_timeout=0.05, first_patience=0.5)
    limits = replace(TftpLimits(), timing=timing)
    with running_tftpd(random_files(), limits=limits) as tftpd, udp_client(0.7) as udp:
        udp.sendto(bytes(ReadRequest(b"f1000000")), tftpd.address)
        got = []
        while True:
            try:
                got.append(len(udp.recv(2048)))
            except TimeoutError:
                break

        assert got == [516, 516, 516]
        assert tftpd.server.counters.unanswered == 1
        assert "never answered" in tftpd.told.next(TransferFailed).reason


def test_errors_are_rationed() -> None:
    """Five hundred at once bring a second's ration of ERRORs, and fewer lines in the journal."""
    limits = TftpLimits()
    with running_tftpd(Files(), limits=limits) as tftpd, udp_client() as udp:
        began = time.monotonic()
        for _ in range(500):
            udp.sendto(bytes(ReadRequest(b"x")), tftpd.address)
        tftpd.until(lambda: tftpd.server.counters.refused == 500)
        rations = 1 + time.monotonic() - began
        got = 0
        while not silent(udp, 0.1):
            got += 1

        assert 100 == limits.errors_per_source <= got <= 100 * rations + 1
        assert 20 == limits.reports <= len(tftpd.told.all()) <= 20 * rations + 1


def test_ten_thousand_half_open_requests_do_not_keep_a_client_out() -> None:
    """By our own limits: the flood is evicted, oldest first; a hundred are served meanwhile."""
    content = random.Random(4).randbytes(50_000)
    limits = TftpLimits()
    files = Files({"f": content})
    with running_tftpd(files, limits=limits) as tftpd:
        before = at_rest(open_files)
        flood = threading.Thread(target=_flood, args=(tftpd, 10_000))
        flood.start()
        with ThreadPoolExecutor(10) as pool:
            got = list(pool.map(lambda _: fetch(tftpd.address, "f", block_size=1468), range(100)))
        flood.join()

        assert [content] * 100 == got
        counters, left = tftpd.server.counters, tftpd.server.sessions
        assert left <= limits.unvalidated
        assert counters.evicted + counters.unanswered + left >= 9_900  # where they all went
        assert settled(open_files, before + 2) <= before + 2


def open_files() -> int:
    """Those of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _flood(tftpd: Tftpd, requests: int) -> None:
    """Requests from many addresses of 127/8, none of them ever answered."""
    request = bytes(ReadRequest(b"f", "octet", {"blksize": b"1468"}))
    for number in range(requests):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((f"127.1.{number % 250}.1", 0))
            udp.sendto(request, tftpd.address)
        if number % 100 == 99:  # no faster than it reads
            tftpd.until(lambda sent=number + 1: tftpd.server.counters.requests >= sent)


def test_a_stray_packet_gets_error_five_and_disturbs_nobody() -> None:
    """A packet from a wrong port is answered as RFC 1350 §4 has it; the transfer goes on."""
    files = random_files()
    with running_tftpd(files) as tftpd, udp_client() as udp, udp_client() as stranger:
        _, peer = exchange(udp, bytes(ReadRequest(b"f1000000")), tftpd.address)
        answer, _ = exchange(udp, bytes(Ack(1)), peer)
        assert isinstance(answer, Data)
        assert answer.block == 2

        stray, _ = exchange(stranger, bytes(Ack(500)), peer)
        stranger.sendto(bytes(Error(0, "die")), peer)
        assert stray == Error(5, "no such transfer")
        assert silent(stranger)
        answer, _ = exchange(udp, bytes(Ack(2)), peer)
        while isinstance(answer, Data) and answer.block == 2:  # sent again while we listened
            answer = from_bytes(udp.recv(2048))

        assert isinstance(answer, Data)
        assert answer.block == 3


def test_one_address_has_so_many_transfers_and_no_more() -> None:
    """The 33rd transfer of one address is refused; others are not."""
    limits = replace(TftpLimits(), sessions_per_source=4)
    with running_tftpd(random_files(), limits=limits) as tftpd:
        clients = [udp_client() for _ in range(5)]
        for udp in clients[:4]:
            _, peer = exchange(udp, bytes(ReadRequest(b"f1000000")), tftpd.address)
            exchange(udp, bytes(Ack(1)), peer)
        answer, _ = exchange(clients[4], bytes(ReadRequest(b"f1000000")), tftpd.address)
        for udp in clients:
            udp.close()

        assert isinstance(answer, Error)
        assert "too many" in tftpd.told.next(TransferRefused).reason


@pytest.mark.parametrize("block_size", [512, 1468])
def test_block_sizes_beyond_the_path_are_cut(block_size: int) -> None:
    """By default no block becomes an IP fragment."""
    with running_tftpd(random_files(), limits=TftpLimits()) as tftpd, udp_client() as udp:
        asked = {"blksize": b"%d" % (65464 if block_size == 1468 else 512)}
        answer, _ = exchange(udp, bytes(ReadRequest(b"f1", "octet", asked)), tftpd.address)

    assert answer == OptionAck({"blksize": b"%d" % block_size})


def test_the_program_that_holds_the_port_is_named() -> None:
    """A second server on a port says who has it."""
    loop = Loop()
    taken = r"UDP port \d+ of 127.0.0.1 is taken by .*process \d+"
    with running_tftpd(Files()) as tftpd, pytest.raises(PortTaken, match=taken):
        TftpServer(
            loop=loop,
            address="127.0.0.1",
            port=tftpd.server.port,
            resolve=tftpd.files.resolve,
            open_content=tftpd.files.open_content,
            emit=tftpd.told.queue.put,
        )
    loop.close()
