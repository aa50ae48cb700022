import os

from netboot.daemons.pin_relay import PinRelay, Promise

PROMISE = Promise("52:54:00:00:00:01", "10.0.0.5", "Lab PE x64", 3, "uefi", fresh=True)


def test_every_process_hears_every_promise_in_order():
    """Whichever process a request reaches, it knows what was promised."""
    relay = PinRelay(2)
    later = Promise(PROMISE.mac, "10.0.0.6")
    relay.send(PROMISE)
    relay.send(later)

    for process in (0, 1):
        heard = []
        relay.receive(process, heard.append)
        assert [PROMISE, later] == heard
    relay.close()


def test_a_process_that_listens_no_more_stops_nobody():
    """Promises beyond what fits are lost to it alone."""
    relay = PinRelay(2)
    for _ in range(20_000):
        relay.send(PROMISE)
        relay.receive(1, lambda promise: None)
    relay.send(PROMISE)
    heard = []
    relay.receive(1, heard.append)

    assert heard == [PROMISE]
    relay.close()


def test_promises_cross_a_fork():
    """A child that was forked after the relay was made hears its parent."""
    relay = PinRelay(1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        import select

        select.select([relay.fileno(0)], [], [], 10)
        relay.receive(0, lambda promise: os.write(writing, promise.mac.encode()))
        os._exit(0)
    relay.send(PROMISE)

    assert PROMISE.mac.encode() == os.read(reading, 100)
    assert (child, 0) == os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    relay.close()
