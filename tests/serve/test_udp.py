"""The daemons' loop and their sockets."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from netboot.errors import InvalidInput, NotPermitted, PortTaken
from netboot.serve.udp import Loop, open_udp

pytestmark = pytest.mark.loopback


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


def test_a_reader_is_called_while_there_is_something_to_read(loop: Loop) -> None:
    """Level-triggered: two datagrams, two calls, with the loop's time."""
    udp = open_udp("127.0.0.1", 0)
    heard: list[tuple[bytes, float]] = []

    def ready(now: float) -> None:
        heard.append((udp.recv(100), now))
        if len(heard) == 2:
            loop.stop()

    loop.add_reader(udp.fileno(), ready)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"one", udp.getsockname())
        client.sendto(b"two", udp.getsockname())
        loop.run()
    udp.close()

    assert [packet for packet, _ in heard] == [b"one", b"two"]
    assert abs(heard[1][1] - time.monotonic()) < 1


def test_a_round_hears_all_before_it_speaks(loop: Loop, capfd: pytest.CaptureFixture[str]) -> None:
    """What readers leave for afterwards comes behind all of them; a bug in it spares the rest."""
    pairs = [os.pipe() for _ in range(3)]
    said: list[str] = []

    def speak(index: int) -> None:
        said.append(f"said {index}")
        if index == 0:
            loop.after_round(lambda _: loop.stop())
            raise KeyError("a bug of ours")

    def hear(index: int) -> None:
        said.append("heard")
        loop.remove_reader(pairs[index][0])
        loop.after_round(lambda _: speak(index))

    for index, (read, write) in enumerate(pairs):
        os.write(write, b"x")
        loop.add_reader(read, lambda _, index=index: hear(index))
    loop.run()
    for ends in pairs:
        for end in ends:
            os.close(end)

    assert said[:3] == ["heard"] * 3
    assert sorted(said[3:]) == ["said 0", "said 1", "said 2"]
    assert "a bug of ours" in capfd.readouterr().err


def test_a_removed_reader_is_not_called_any_more(loop: Loop) -> None:
    """Not even in the round in which another reader removed it."""
    pairs = [os.pipe() for _ in range(2)]
    called = []

    def ready(index: int) -> None:
        called.append(index)
        for read, _ in pairs:
            loop.remove_reader(read)
        loop.at(time.monotonic() + 0.05, lambda _: loop.stop())

    for index, (read, write) in enumerate(pairs):
        loop.add_reader(read, lambda _, index=index: ready(index))
        os.write(write, b"x")
    loop.run()
    loop.remove_reader(pairs[0][0])
    for pair in pairs:
        for fd in pair:
            os.close(fd)

    assert len(called) == 1


def test_timers_come_in_their_order(loop: Loop) -> None:
    """One-shot timers by time, and those of the same time in the order in which they were set."""
    called: list[str] = []
    start = time.monotonic()
    for name, after in (("c", 0.03), ("a", 0.01), ("b", 0.01)):
        loop.at(start + after, lambda _, name=name: called.append(name))
    loop.at(start + 0.04, lambda _: loop.stop())
    loop.run()

    assert called == ["a", "b", "c"]
    assert time.monotonic() - start >= 0.04


def test_what_is_to_happen_every_so_often_does(loop: Loop) -> None:
    """`every` calls again and again."""
    times: list[float] = []

    def call(now: float) -> None:
        times.append(now)
        if len(times) == 3:
            loop.stop()

    loop.every(0.01, call)
    loop.run()

    assert times[2] - times[0] >= 0.02


def test_an_idle_loop_sleeps(loop: Loop) -> None:
    """Without work it uses no processor time worth the name."""
    loop.at(time.monotonic() + 0.2, lambda _: loop.stop())
    before = time.thread_time()
    loop.run()

    assert time.thread_time() - before < 0.02


def test_a_callback_that_fails_shows_its_traceback_and_the_loop_goes_on(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug in one callback does not end the others' boots, and is not hidden."""
    loop.at(0.0, lambda _: {}["no such key"])
    loop.at(0.0, lambda _: loop.stop())
    loop.run()

    assert "KeyError: 'no such key'" in capsys.readouterr().err


def test_a_loop_that_only_fails_gives_up(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    """After a hundred failures in a row its supervisor should see it end."""
    read, write = os.pipe()
    os.write(write, b"x")
    loop.add_reader(read, lambda _: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        loop.run()

    assert capsys.readouterr().err.count("ZeroDivisionError") == 99
    os.close(read)
    os.close(write)


def test_stop_works_from_another_thread(loop: Loop) -> None:
    """A sleeping loop wakes up to end."""
    threading.Timer(0.05, loop.stop).start()
    start = time.monotonic()
    loop.run()

    assert time.monotonic() - start < 2


def test_stop_works_from_a_signal_handler(loop: Loop) -> None:
    """SIGUSR1 while it sleeps ends it."""
    before = signal.signal(signal.SIGUSR1, lambda *_: loop.stop())
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        loop.run()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert not loop._stopping


def test_soon_hands_work_to_the_loop(loop: Loop) -> None:
    """Another thread's work is done on the loop's thread."""
    threads = []

    def work(_: float) -> None:
        threads.append(threading.get_ident())
        loop.stop()

    threading.Timer(0.02, loop.soon, (work,)).start()
    loop.run()

    assert threads == [threading.get_ident()]


def test_a_taken_port_names_who_has_it() -> None:
    """The error says which program, and what to do."""
    udp = open_udp("127.0.0.1", 0)
    port = udp.getsockname()[1]

    with pytest.raises(
        PortTaken, match=rf"UDP port {port} of 127.0.0.1 is taken by .*{os.getpid()}"
    ) as caught:
        open_udp("127.0.0.1", port)

    udp.close()
    assert caught.value.hint.startswith("Stop that program")


def test_an_address_that_is_not_ours() -> None:
    """The error says how to find those that are."""
    with pytest.raises(InvalidInput, match=r"no address 192\.0\.2\.1") as caught:
        open_udp("192.0.2.1", 0)

    assert "ip -4 address" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="binding to an interface needs root")
def test_an_interface_that_is_not_there() -> None:
    """The error names it."""
    with pytest.raises(InvalidInput, match="no network interface 'nosuch0'"):
        open_udp("", 0, interface="nosuch0")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving up root needs root")
def test_a_port_that_only_root_may_open(tmp_path: Path) -> None:
    """Without the right to low ports the error says which capability is missing."""
    pid = os.fork()
    if pid == 0:
        os.setgid(65534)
        os.setuid(65534)
        Path("/proc/self/oom_score_adj").exists()
        try:
            open_udp("127.0.0.1", 69).close()
        except NotPermitted as error:
            os._exit(0 if "CAP_NET_BIND_SERVICE" in error.hint else 1)
        except PortTaken:
            os._exit(3)
        os._exit(4)  # this system lets everybody
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status in {3, 4}:
        pytest.skip("port 69 is taken, or open to all")

    assert status == 0


def test_several_sockets_may_share_a_port() -> None:
    """With `reuse_port`, as worker processes do."""
    one = open_udp("127.0.0.1", 0, reuse_port=True)
    two = open_udp("127.0.0.1", one.getsockname()[1], reuse_port=True)

    assert one.getsockname() == two.getsockname()
    one.close()
    two.close()


def test_broadcast_is_allowed_only_where_asked() -> None:
    """`broadcast` sets the socket's permission."""
    udp = open_udp("", 0, broadcast=True)

    assert udp.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 1
    udp.close()
