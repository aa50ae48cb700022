"""TFTP clients that harm others, as a process: `python -m tests.support.rude_clients …`.

They come from many addresses (their host must take 10.98.0.0/16 for its own) and speak of what
they do in JSON lines. Who tests measures normal clients meanwhile, and this process must not
take their interpreter away.
"""

import json
import selectors
import socket
import sys
import time

from netboot.protocols.tftp import Ack, Data, ReadRequest, WriteRequest, from_bytes

NETWORK = "10.98"
Address = tuple[str, int]


def say(**facts: object) -> None:
    """One line for whoever started us."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def from_address(number: int) -> socket.socket:
    """A socket of the client with this number."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((f"{NETWORK}.{number // 250}.{1 + number % 250}", 0))
    udp.settimeout(0)
    return udp


def flood(server: Address, packet: bytes, count: int, addresses: int, rate: float) -> None:
    """`count` requests from new ports of so many addresses, never answered; replies are counted."""
    answers: dict[str, int] = {}
    open_now: list[socket.socket] = []
    began = time.monotonic()
    for number in range(count):
        udp = from_address(number % addresses)
        udp.sendto(packet, server)
        open_now.append(udp)
        if len(open_now) > 400:
            _count_and_close(open_now.pop(0), answers)
        ahead = number / rate - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
    for udp in open_now:
        _count_and_close(udp, answers)
    say(sent=count, seconds=time.monotonic() - began, answers=answers)


def _count_and_close(udp: socket.socket, answers: dict[str, int]) -> None:
    while True:
        try:
            kind = udp.recv(2048)[:4].hex()
        except OSError:
            break
        answers[kind] = answers.get(kind, 0) + 1
    udp.close()


def read_slowly(server: Address, name: str, count: int, addresses: int, pause: float) -> None:
    """`count` readers that acknowledge a block every `pause` seconds.

    Says how far all of them have come whenever that is further, and ends when its input does.
    """
    selector = selectors.DefaultSelector()
    due: dict[socket.socket, tuple[float, int, Address]] = {}
    reached = dict.fromkeys(range(count), 0)
    for number in range(count):
        udp = from_address(number % addresses)
        udp.sendto(bytes(ReadRequest(name.encode())), server)
        selector.register(udp, selectors.EVENT_READ, number)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    all_reached = 1
    while True:
        now = time.monotonic()
        for udp, (at, block, peer) in list(due.items()):
            if at <= now:
                del due[udp]
                udp.sendto(bytes(Ack(block)), peer)
        for key, _ in selector.select(0.05):
            if key.data is None:
                return
            packet, peer = key.fileobj.recvfrom(2048)  # type: ignore[union-attr]
            heard = from_bytes(packet)
            if isinstance(heard, Data) and heard.block == reached[key.data] + 1:
                reached[key.data] = heard.block
                at = 0.0 if heard.block == 1 else time.monotonic() + pause
                due[key.fileobj] = (at, heard.block, peer)  # type: ignore[index]
        if min(reached.values()) > all_reached:
            all_reached = min(reached.values())
            say(readers=count, reached=all_reached)


def main(verb: str, host: str, name: str, *numbers: str) -> None:
    """`read|write` flood, or `slowly`."""
    server = (host, 69)
    count, addresses, pace = int(numbers[0]), int(numbers[1]), float(numbers[2])
    if verb == "slowly":
        read_slowly(server, name, count, addresses, pace)
        return
    options = {"blksize": b"1468"}
    request = ReadRequest(name.encode(), "octet", options) if verb == "read" else None
    flood(server, bytes(request or WriteRequest(name.encode())), count, addresses, pace)


if __name__ == "__main__":
    main(*sys.argv[1:])
