"""A read transfer, by conversation, by table, and joined to a client over a bad link."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netboot.protocols.round_trip import Timing
from netboot.protocols.tftp import Ack, Error
from netboot.protocols.tftp_options import OptionLimits, Terms, negotiate
from netboot.protocols.transfer import ReadTransfer
from netboot.protocols.transfer_actions import (
    Action,
    Failed,
    Finished,
    Probed,
    SendBlocks,
    SendOptionAck,
)
from tests.support.joined_machines import Link, Wire, play

CONVERSATIONS = sorted(Path(__file__).parent.with_name("conversations").glob("tftp-*.txt"))


def ack(block: int) -> bytes:
    return bytes(Ack(block))


def options(**asked: int) -> dict[str, bytes]:
    return {name: b"%d" % value for name, value in asked.items()}


def transfer(size: int, **asked: int) -> ReadTransfer:
    limits = OptionLimits(max_block_size=65464, microsoft_window=True)
    return ReadTransfer(size=size, terms=negotiate(options(**asked), size=size, limits=limits))


def told(action: Action | None) -> str:
    """An action as the conversations write it."""
    match action:
        case SendBlocks(first=first, count=1):
            said = f"DATA {first}"
        case SendBlocks(first=first, count=count):
            said = f"DATA {first}..{first + count - 1}"
        case Finished(resent):
            said = f"finished, {resent} resent" if resent else "finished"
        case Failed(reason):
            said = f"failed: {reason}"
        case _:
            said = {type(None): "nothing", SendOptionAck: "OACK", Probed: "probed"}[type(action)]
    return said


class Scene:
    """One conversation, played line by line; see tests/conversations/tftp-*.txt."""

    def __init__(self) -> None:
        self.now = 0.0
        self.machine: ReadTransfer | None = None
        self.action: Action | None = None

    def check(self, line: str) -> None:
        """Do, or check, what a line says."""
        sign, _, rest = line.partition(" ")
        if sign == "<":
            assert rest == told(self.action), line
        elif sign == ">" and rest.startswith("RRQ"):
            asked = dict(re.findall(r"(\w+)=(\d+)", rest))
            size = int(asked.pop("size"))
            self.machine = transfer(size, **{name: int(v) for name, v in asked.items()})
            self.action = self.machine.start(self.now)
        elif sign == ">":
            assert self.machine is not None
            self.action = self._heard(self.machine, rest)
        elif match := re.fullmatch(r"\((.+) ms\)", line):
            assert self.machine is not None
            self.now += float(match[1]) / 1000
            self.action = self.machine.tick(self.now)

    def _heard(self, machine: ReadTransfer, words: str) -> Action | None:
        match words.split():
            case ["ACK", block, "next", window]:
                return machine.receive(ack(int(block)) + bytes([int(window)]), self.now)
            case ["ACK", block]:
                return machine.receive(ack(int(block)), self.now)
            case ["ERROR", code, *text]:
                return machine.receive(bytes(Error(int(code), " ".join(text))), self.now)
            case ["again"]:
                return machine.repeat(self.now)
            case ["ICMP"]:
                return machine.gone(self.now)
            case ["bytes", digits]:
                return machine.receive(bytes.fromhex(digits), self.now)
        raise AssertionError(words)


@pytest.mark.parametrize("path", CONVERSATIONS, ids=lambda path: path.stem)
def test_conversation(path: Path) -> None:
    """The machine says what the transcript says, line by line."""
    for part in path.read_text().split("\n\n"):
        scene = Scene()
        for line in part.splitlines():
            scene.check(line)


def test_there_are_conversations() -> None:
    """The transcripts are where the test looks for them."""
    assert len(CONVERSATIONS) >= 6


@pytest.mark.parametrize("per_block", [False, True])
@pytest.mark.parametrize("window", [None, 1, 2, 4, 16, 64])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 8191, 8192, 8193, 65536])
def test_every_byte_arrives_in_order_on_a_good_link(
    *, size: int, window: int | None, per_block: bool
) -> None:
    """On a good link each block goes out once, and the file arrives as it is."""
    content = random.Random(size).randbytes(size)

    played = play(content, window=window, per_block=per_block)

    assert content == played.client.received
    assert Finished(0) == played.outcome
    assert played.blocks == played.data_packets


@pytest.mark.parametrize("block_size", [8, 512])
@pytest.mark.parametrize("window", [1, 16])
def test_block_numbers_roll_over(block_size: int, window: int) -> None:
    """A file of more than 65,535 blocks arrives whole (the wire counts modulo 2^16)."""
    content = random.Random(1).randbytes(block_size * 65536 + 3 * block_size + 1)

    played = play(content, block_size=block_size, window=window)

    assert content == played.client.received
    assert played.data_packets == 65540


@pytest.mark.parametrize("window", [1, 16])
def test_a_loss_at_the_rollover_is_mended(window: int) -> None:
    """Losses around block 65,536 cost resends, not bytes."""
    content = random.Random(2).randbytes(8 * 65800)

    played = play(content, block_size=8, window=window, to_client=Link(loss=0.01), seed=3)

    assert content == played.client.received


def test_no_sorcerers_apprentice_in_lockstep() -> None:
    """Every ACK comes twice, and still every block goes out once (RFC 1123 §4.2.3.1)."""
    content = bytes(512 * 300)

    played = play(content, to_server=Link(repeat=1.0))

    assert played.blocks == played.data_packets


@pytest.mark.parametrize("window", [4, 16])
@pytest.mark.parametrize("per_block", [False, True])
def test_repeated_acks_do_not_multiply_windows(*, window: int, per_block: bool) -> None:
    """Every ACK comes twice in the same moment: no block goes out twice for it."""
    content = bytes(512 * 1000)

    played = play(content, window=window, per_block=per_block, to_server=Link(repeat=1.0))

    assert played.blocks == played.data_packets


@pytest.mark.parametrize("window", [1, 4, 16, 64])
@pytest.mark.parametrize("per_block", [False, True])
def test_a_path_that_repeats_packets_costs_percents(*, window: int, per_block: bool) -> None:
    """A quarter of all packets comes twice, both ways: at most a tenth more DATA."""
    content = bytes(512 * 2000)
    bad = Link(repeat=0.25)

    played = play(content, window=window, per_block=per_block, to_client=bad, to_server=bad, seed=4)

    assert content == played.client.received
    assert played.data_packets <= 1.1 * played.blocks


@pytest.mark.parametrize("window", [1, 4, 16])
@pytest.mark.parametrize("per_block", [False, True])
def test_a_path_that_reorders_sets_off_no_avalanche(*, window: int, per_block: bool) -> None:
    """Packets that come five round trips late, and twice, cost what the client throws away."""
    content = bytes(512 * 2000)
    bad = Link(repeat=0.25, reorder=0.05, late=0.005)

    played = play(content, window=window, per_block=per_block, to_client=bad, to_server=bad, seed=4)

    assert content == played.client.received
    assert played.data_packets <= 2 * played.blocks


def test_one_percent_loss_costs_little_time_in_lockstep() -> None:
    """3 MB at 1 % loss each way take seconds, where fixed timers take minutes."""
    content = random.Random(5).randbytes(3_000_000)
    loss = Link(loss=0.01, delay=0.0001)

    times = [
        play(content, block_size=1468, to_client=loss, to_server=loss, seed=seed).seconds
        for seed in range(5)
    ]

    assert sorted(times)[2] <= 5.0
    assert max(times) <= 10.0


@pytest.mark.parametrize("per_block", [False, True])
def test_one_percent_loss_costs_little_time_in_windows(*, per_block: bool) -> None:
    """5 MB at 1 % loss arrive at more than 10 MB/s with either manner of client."""
    content = random.Random(6).randbytes(5_000_000)

    played = play(
        content,
        block_size=1456,
        window=16,
        per_block=per_block,
        to_client=Link(loss=0.01, delay=0.00005),
        to_server=Link(delay=0.00005),
    )

    assert content == played.client.received
    assert played.seconds <= 0.5
    assert played.data_packets <= 1.25 * played.blocks


@pytest.mark.parametrize("window", [1, 8])
def test_a_fifth_lost_each_way_still_arrives(window: int) -> None:
    """20 % loss each way is slow, not fatal."""
    content = random.Random(7).randbytes(300_000)
    loss = Link(loss=0.2)

    played = play(content, block_size=1456, window=window, to_client=loss, to_server=loss)

    assert content == played.client.received
    assert played.seconds <= 120


class Jitter(Link):
    """A link whose delay changes from packet to packet, as on busy machines."""

    def deliveries(self, dice: random.Random) -> list[float]:
        """The jitter is shorter than what would put packets out of order by much."""
        return [after + dice.expovariate(4000) for after in super().deliveries(dice)]


@pytest.mark.parametrize(
    ("percent", "window", "seconds"), [(1, 1, 5), (5, 1, 30), (20, 1, 180), (20, 16, 60)]
)
@pytest.mark.parametrize("link", [Link, Jitter])
def test_the_worst_of_many_lossy_transfers_is_not_far_from_the_others(
    percent: int, window: int, seconds: float, link: type[Link]
) -> None:
    """3 MB with losses each way: no transfer gets stuck with waits that the losses have taught."""
    content = random.Random(8).randbytes(3_000_000)
    loss = link(loss=percent / 100, delay=0.0001)

    for seed in range(12):
        played = play(
            *(content,),
            block_size=1456,
            window=window,
            to_client=loss,
            to_server=loss,
            seed=seed,
        )

        assert content == played.client.received
        assert played.seconds <= seconds


class Bottleneck(Link):
    """A switch that holds eight packets, and passes one on in 0.1 ms."""

    def __init__(self) -> None:
        super().__init__(delay=0.0002)
        self.clock = lambda: 0.0
        self.busy_until = 0.0

    def deliveries(self, dice: random.Random) -> list[float]:
        """What does not fit is lost: of a window of sixteen, always the end."""
        now = self.clock()
        if self.busy_until - now > 0.0008:
            return []
        self.busy_until = max(self.busy_until, now) + 0.0001
        return [self.busy_until - now + self.delay]


@pytest.mark.parametrize("per_block", [False, True])
@pytest.mark.parametrize("window", [16, 64])
def test_windows_that_overflow_a_switch_leave_in_bursts(*, window: int, per_block: bool) -> None:
    """Where each full window loses its end, smaller bursts lose little, and are found soon."""
    content = random.Random(9).randbytes(3_000_000)
    switch = Bottleneck()

    def watch(wire: Wire) -> None:
        switch.clock = lambda: wire.now

    played = play(
        *(content,),
        block_size=1456,
        window=window,
        per_block=per_block,
        to_client=switch,
        change=watch,
    )

    assert content == played.client.received
    assert played.data_packets <= 1.25 * played.blocks
    assert played.seconds <= 2.5


def test_the_clients_own_timer_gets_a_block_again_at_once() -> None:
    """A repeated ACK in lockstep, when we have been silent for longer than answers take."""
    machine = transfer(512 * 100, blksize=512)
    machine.start(0.0)
    machine.receive(ack(0), 0.001)
    for at in (0.05, 0.15, 0.35, 0.75):  # losses make our waits longer
        machine.tick(at)

    assert machine.receive(ack(0), 0.77) is None
    answered = machine.receive(ack(0), 1.0)

    assert isinstance(answered, SendBlocks)
    assert answered.first == answered.count == 1
    assert machine.deadline <= 1.1


def test_a_storm_of_repeated_acks_is_answered_seldom() -> None:
    """A thousand a second, until we end it, get 32 answers and what our own timers send."""
    machine = transfer(512 * 100, blksize=512)
    machine.start(0.0)
    machine.receive(ack(0), 0.001)
    sent = 0
    for step in range(1, 60_000):
        now = step / 1000
        actions = [machine.receive(ack(0), now), machine.tick(now)]
        sent += sum(isinstance(action, SendBlocks) for action in actions)
        if machine.outcome:
            break

    assert sent <= 60
    assert isinstance(machine.outcome, Failed)


def test_repeated_acks_from_a_stranger_are_not_answered() -> None:
    """Before the first true ACK the address may be forged."""
    machine = transfer(10_000)
    machine.start(0.0)

    assert machine.receive(ack(0), 5.0) is None


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(0, 20_000),
    block_size=st.sampled_from([8, 512, 1468]),
    window=st.sampled_from([None, 1, 2, 7, 16]),
    per_block=st.booleans(),
    loss=st.floats(0, 0.1),
    repeat=st.floats(0, 0.3),
    reorder=st.floats(0, 0.3),
    seed=st.integers(0, 2**32),
)
def test_any_bad_link_gives_the_file_or_a_reason(
    *,
    size: int,
    block_size: int,
    window: int | None,
    per_block: bool,
    loss: float,
    repeat: float,
    reorder: float,
    seed: int,
) -> None:
    """Whatever is lost, repeated or reordered: the client holds a true beginning of the file,
    and all of it if the server says that it finished.
    """
    content = random.Random(seed).randbytes(size)
    bad = Link(loss=loss, repeat=repeat, reorder=reorder)

    played = play(
        content,
        block_size=block_size,
        window=window,
        per_block=per_block,
        to_client=bad,
        to_server=bad,
        seed=seed,
    )

    assert content.startswith(played.client.received)
    assert played.outcome is not None
    if isinstance(played.outcome, Finished):
        assert content == played.client.received
        assert played.data_packets == played.blocks + played.outcome.resent


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=8),
            st.integers(0, 70000).map(lambda block: bytes(Ack(block & 0xFFFF))),
            st.floats(0.001, 20),
        ),
        max_size=60,
    ),
    st.integers(0, 40_000),
    st.sampled_from([{}, {"windowsize": 4}, {"blksize": 8, "windowsize": 16}, {"tsize": 0}]),
)
def test_any_bytes_at_any_time_are_borne(
    events: list[bytes | float], size: int, asked: dict[str, int]
) -> None:
    """Garbage never raises, never sends past the file's end, never revives what is over."""
    machine = transfer(size, **asked)
    now = 0.0
    machine.start(now)
    for event in events:
        over = machine.outcome
        if isinstance(event, float):
            now += event
            action = machine.tick(now)
        else:
            action = machine.receive(event, now)
        if isinstance(action, SendBlocks):
            assert 1 <= action.first <= action.first + action.count - 1 <= machine.last
            assert action.count <= machine.terms.window
        if over is not None:
            assert action is None
            assert over == machine.outcome
    assert machine.acknowledged <= machine.last


@pytest.mark.parametrize("window", [1, 16])
def test_a_client_that_falls_silent_gets_few_windows(window: int) -> None:
    """A blackout after the first ACK is answered with at most nine windows, then patience."""
    machine = transfer(512 * 100, blksize=512, windowsize=window)
    machine.start(0.0)
    machine.receive(ack(0), 0.001)
    sent = window
    now = 0.001
    while machine.outcome is None:
        now = max(machine.deadline, now + 1e-6)
        action = machine.tick(now)
        if isinstance(action, SendBlocks):
            sent += action.count

    assert sent <= 9 * window
    assert "silent" in str(machine.outcome)
    assert 29 <= now <= 32


def test_a_stranger_gets_three_sends() -> None:
    """Who never answers is sent three packets in ten seconds, then no more."""
    for asked in ({}, {"blksize": 1468}):
        machine = transfer(10_000, **asked)
        actions = [machine.start(0.0)]
        while machine.outcome is None:
            now = machine.deadline
            action = machine.tick(now)
            if action is not None:
                actions.append(action)

        assert len(actions) - 1 == 3
        assert now == 10.0
        assert isinstance(machine.outcome, Failed)


def test_the_negotiated_timeout_is_the_longest_wait() -> None:
    """Timeouts grow until the one that the client asked for (RFC 2349)."""
    machine = transfer(5000, blksize=512, timeout=2)
    machine.start(0.0)
    machine.receive(ack(0), 0.5)
    waits, now = [], 0.5
    for _ in range(8):
        waits.append(machine.deadline - now)
        now = machine.deadline
        machine.tick(now)

    assert max(waits) == 2.0
    assert waits == sorted(waits)


def test_a_slow_client_is_not_sent_everything_many_times() -> None:
    """Karn's rule: a client that takes 0.3 s for each block is soon waited for."""
    played = play(bytes(512 * 60), to_client=Link(delay=0.15), to_server=Link(delay=0.15))

    assert isinstance(played.outcome, Finished)
    assert played.data_packets <= played.blocks + 5


def test_a_client_that_slows_down_is_waited_for() -> None:
    """After a quick start, 0.4 s for each window cost a few repeats, not one for each."""
    machine = transfer(512 * 4000, blksize=512, windowsize=4)
    machine.start(0.0)
    now, resent_before = 0.001, 0
    machine.receive(ack(0), now)
    block = 0
    for step in range(400):
        answer_at = now + (0.001 if step < 20 else 0.4)
        while machine.deadline < answer_at:
            machine.tick(machine.deadline)
        now = answer_at
        block += 4
        machine.receive(ack(block & 0xFFFF), now)
        if step == 40:
            resent_before = machine.resent

    assert machine.resent - resent_before <= 400


def test_a_transfer_that_takes_for_ever_is_ended() -> None:
    """Acknowledging a block every five seconds does not hold a place for hours."""
    machine = ReadTransfer(
        size=5_000_000, terms=Terms(), timing=Timing(lifetime=600, slowest=16 * 1024)
    )
    machine.start(0.0)
    now, block = 0.0, 0
    while machine.outcome is None and now < 5000:
        now += 5
        while machine.outcome is None and machine.deadline <= now:
            machine.tick(max(machine.deadline, now - 4))
        block += 1
        machine.receive(ack(block & 0xFFFF), now)

    assert isinstance(machine.outcome, Failed)
    assert 600 <= now <= 660
