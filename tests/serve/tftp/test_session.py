"""One transfer on a loop that the test turns by hand: sockets, alarms, and what is given back."""

import errno
import select
import socket
import time

import pytest

from netboot.boot.told.events import Event, TransferFailed, TransferFinished, TransferStarted
from netboot.protocols.round_trip import Timing
from netboot.protocols.tftp import Ack, Data, Error, OptionAck, from_bytes
from netboot.protocols.tftp_options import Terms
from netboot.protocols.transfer import ReadTransfer
from netboot.protocols.transfer_actions import Outcome
from netboot.serve.tftp.block_table import BlockTables
from netboot.serve.tftp.limits import Source, TftpLimits
from netboot.serve.tftp.segmentation import BlockSender, Segmentation
from netboot.serve.tftp.session import Asked, Session, Surroundings
from netboot.serve.tftp.tid_pool import Peer, TidPool
from netboot.serve.udp import Loop
from tests.support.serving import Files, udp_client

pytestmark = pytest.mark.loopback

CONTENT = bytes(range(256)) * 40


class Stage:
    """A session's surroundings, and its client's socket."""

    def __init__(self, *, files: Files, terms: Terms, timing: Timing | None = None) -> None:
        self.loop = Loop()
        self.files = files
        self.events: list[Event] = []
        self.outcomes: list[Outcome] = []
        self.client = udp_client(1.0)
        pool = TidPool(self.loop, address="127.0.0.1", interface="", ports=4, receive=self._receive)
        self.pool = pool
        self.source = Source(TftpLimits(), 0.0)
        shared = Surroundings(
            self.loop,
            pool,
            Segmentation(),
            BlockTables(files.open_content),
            self.events.append,
            self,
        )
        ref = files.resolve(b"f", "127.0.0.1")
        asked = Asked(self.client.getsockname(), "127.0.0.1", b"", ref, ref.size, netascii=False)
        transfer = ReadTransfer(size=ref.size, terms=terms, timing=timing)
        self.session = Session(asked, transfer, self.source, shared, 0.0)

    def _receive(self, packet: bytes, peer: Peer, tid: int, now: float) -> None:
        assert (peer, tid) == (self.client.getsockname(), self.session.tid)
        self.session.receive(packet, now)

    def welcomed(self, session: Session) -> None:
        assert session is self.session

    def ended(self, session: Session, outcome: Outcome, now: float) -> None:
        assert session is self.session
        self.outcomes.append(outcome)

    def hear(self) -> tuple[object, Peer]:
        packet, peer = self.client.recvfrom(2048)
        return from_bytes(packet), peer

    def close(self) -> None:
        self.client.close()
        self.pool.close()
        self.loop.close()


@pytest.fixture
def stage():
    stages = []

    def make(content: bytes = CONTENT, *, broken: bool = False, **options: object) -> Stage:
        files = Files({"f": content}, broken={"f"} if broken else set())
        options.setdefault("terms", Terms())
        stages.append(Stage(files=files, **options))
        return stages[-1]

    yield make
    for made in stages:
        made.close()


def turn(stage: Stage) -> None:
    """One round of the loop."""
    stage.loop.soon(lambda _: stage.loop.stop())
    stage.loop.run()


def until_delivered(stage: Stage) -> None:
    """Until what the client sent waits at the server: under load the kernel takes its time."""
    ours = [*stage.pool._sockets, *filter(None, [stage.session._socket])]
    assert select.select(ours, [], [], 5)[0]


def test_a_stranger_holds_no_socket_and_a_client_does(stage) -> None:
    """The first answer goes out from the pool; with the first ACK the client moves."""
    made = stage()
    made.session.start(0.0)
    answer, peer = made.hear()
    assert answer == Data(1, CONTENT[:512])
    assert made.session._socket is None
    assert not made.events

    made.session.receive(bytes(Ack(1)), 0.01)
    answer, again = made.hear()

    assert answer == Data(2, CONTENT[512:1024])
    assert peer == again
    assert made.session._socket is not None
    assert isinstance(made.events[0], TransferStarted)
    made.session.abandon("enough", 0.02)
    assert made.files.opened == 0


def test_an_oack_opens_nothing(stage) -> None:
    """Who only says that he wants a file costs no descriptor."""
    made = stage(terms=Terms(block_size=1468, accepted={"blksize": b"1468"}))
    made.session.start(0.0)

    assert made.hear()[0] == OptionAck({"blksize": b"1468"})
    assert made.files.opened == 0
    made.session.abandon("enough", 0.02)
    assert not made.events


def test_a_file_of_one_block_needs_no_socket_at_all(stage) -> None:
    """Its ACK is the end: begun and finished in one breath."""
    made = stage(b"short")
    made.session.start(0.0)
    made.session.receive(bytes(Ack(1)), 0.01)

    assert [type(event) for event in made.events] == [TransferStarted, TransferFinished]
    assert made.session._socket is None
    assert made.files.opened == 0


def test_a_whole_transfer_over_the_clients_own_socket(stage) -> None:
    """Everything after the first ACK passes the loop and the own socket."""
    made = stage()
    made.session.start(0.0)
    got = b""
    while not made.outcomes:
        answer, peer = made.hear()
        assert isinstance(answer, Data)
        got += answer.payload
        made.client.sendto(bytes(Ack(answer.block)), peer)
        until_delivered(made)
        turn(made)

    assert got == CONTENT
    assert made.files.opened == 0
    assert isinstance(made.events[-1], TransferFinished)
    assert made.events[-1].resent == 0


def test_a_lost_packet_is_sent_again_by_the_alarm(stage) -> None:
    """The loop wakes the session at its deadline."""
    made = stage(timing=Timing(first_timeout=0.02))
    start = time.monotonic()
    made.session.start(start)

    first, _ = made.hear()
    made.loop.at(start + 0.03, lambda _: made.loop.stop())
    made.loop.run()
    second, _ = made.hear()

    assert first == second == Data(1, CONTENT[:512])
    made.session.abandon("enough", 1.0)


def test_content_that_is_gone_ends_the_transfer_with_words(stage) -> None:
    """The client gets an ERROR, the journal the cause."""
    made = stage(broken=True, terms=Terms(block_size=1468, accepted={"blksize": b"1468"}))
    made.session.start(0.0)
    made.hear()
    made.session.receive(bytes(Ack(0)), 0.01)

    assert isinstance(made.hear()[0], Error)
    assert isinstance(made.events[-1], TransferFailed)
    assert made.events[-1].reason == "our copy is damaged: the blob of f is gone"


def test_a_full_socket_is_waited_for(stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not fit goes out when there is room, and the ACKs still count."""
    made = stage(terms=Terms(window=4, accepted={"windowsize": b"4"}))
    made.session.start(0.0)
    made.hear()
    room = [1]

    def send(sender: object, first: int, count: int) -> int:
        del sender
        fits = min(room.pop() if room else count, count)
        return original(made.session._sender, first, fits)

    original = BlockSender.send
    monkeypatch.setattr(BlockSender, "send", send)
    made.session.receive(bytes(Ack(0)), 0.001)
    assert made.session._unsent == (2, 3)
    turn(made)

    assert made.session._unsent is None
    assert [made.hear()[0].block for _ in range(4)] == [1, 2, 3, 4]
    made.session.abandon("enough", 1.0)


def test_small_answers_wait_until_all_of_a_round_are_heard(stage) -> None:
    """A block that was asked for goes at the round's end."""
    made = stage(bytes(20_000))
    acknowledge(made, 1)
    assert not waits_for_client(made)
    turn(made)

    assert made.hear()[0].block == 3
    made.session.abandon("enough", 1.0)


def test_a_whole_window_goes_at_once(stage) -> None:
    """It would not get cheaper by waiting."""
    made = stage(bytes(20_000), terms=Terms(window=8, accepted={"windowsize": b"8"}))
    acknowledge(made, 8)

    assert [made.hear()[0].block for _ in range(8)] == list(range(9, 17))
    made.session.abandon("enough", 1.0)


def test_an_answer_that_waits_goes_with_its_transfer(stage) -> None:
    """Who is given up in the same round is sent nothing any more."""
    made = stage(bytes(20_000))
    acknowledge(made, 1)
    made.session.abandon("enough", 0.002)
    turn(made)

    assert not waits_for_client(made)
    assert len(made.outcomes) == 1


def acknowledge(made: Stage, window: int) -> None:
    """Take the transfer to its own socket, and have the ACK of the next window read there."""
    made.session.start(0.0)
    first = made.hear()[0]
    made.session.receive(bytes(Ack(first.block if isinstance(first, Data) else 0)), 0.001)
    for _ in range(window):
        answer, peer = made.hear()
    made.client.sendto(bytes(Ack(answer.block)), peer)
    until_delivered(made)
    made.session._readable(0.002)


def waits_for_client(made: Stage) -> bool:
    """Whether a packet waits in the client's socket."""
    return bool(select.select([made.client], [], [], 0.05)[0])


@pytest.mark.parametrize(
    ("number", "outcomes"), [(errno.ECONNREFUSED, 1), (errno.EHOSTUNREACH, 0), (errno.EPERM, 0)]
)
def test_only_a_closed_port_ends_a_transfer(stage, number: int, outcomes: int) -> None:
    """Unreachable may pass; a closed port means that the client is gone."""
    made = stage()
    made.session.start(0.0)
    made.hear()
    made.session.receive(bytes(Ack(1)), 0.01)

    made.session._socket_failed(OSError(number, "x"), 0.02)

    assert outcomes == len(made.outcomes)
    made.session.abandon("enough", 1.0)


def test_a_client_that_closes_its_socket_is_noticed(stage) -> None:
    """The kernel's ICMP error comes with the next read."""
    made = stage()
    made.session.start(0.0)
    made.hear()
    made.session.receive(bytes(Ack(1)), 0.01)
    made.client.close()
    made.session._send_blocks(2, 1, 0.02)
    turn(made)

    assert isinstance(made.events[-1], TransferFailed)
    assert made.events[-1].reason == "the client closed its port"
    made.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
