"""A whole site in a LAN of the test's own, and a machine that asks it for a boot all the time."""

import os
import signal
import socket
import sqlite3
import struct
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from netboot.images.architecture import Architecture
from netboot.operations import remembered as facts
from netboot.operations.deployments import deployments as policy
from netboot.protocols.dhcp import Packet
from tests.support.boot_requests import request
from tests.support.content import serve, version_of
from tests.support.netlab import Lan
from tests.web.support.seeding import add_accounts, add_image

ADDRESS = "10.77.0.2"
PATIENCE = 90.0
MAC = bytes.fromhex("525400770001")


def stock(site):
    """An image that machines get, and a quick start."""
    facts.remember(site, facts.DEFAULTS_PROVIDED, {"at": 1.0})
    add_image(site, "Lab PE x64")
    add_accounts(site)
    serve(site, version_of(site, 1))
    policy.set_default(site, "Lab PE x64", Architecture.X64)
    return site


class StressedSite:
    """`netboot run` for the network behind eth0; what it says is kept."""

    def __init__(self, lan, data):
        self.data = data
        self.host = lan.host("srv", f"{ADDRESS}/24")
        self.machine = lan.host("cli", "10.77.0.50/24")
        self.said = []
        self._said = threading.Condition()
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "netboot", "--data", str(self.data)]
        self.process = self.host.start(*command, "run", "--interface", "eth0")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def _read(self):
        for line in self.process.stdout:
            with self._said:
                self.said.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self.said.append("(the site has ended)")
            self._said.notify_all()

    def until(self, text, seconds=PATIENCE, *, after=0):
        """Wait for a line with `text` after the first `after` lines; the number of lines so far."""

        def there():
            return any(text in line for line in self.said[after:]) or self.ended

        with self._said:
            self._said.wait_for(there, seconds)
            assert any(text in line for line in self.said[after:]), "\n".join(self.said[-60:])
            return len(self.said)

    @property
    def ended(self):
        return bool(self.said) and self.said[-1] == "(the site has ended)"

    def offer(self, seconds=4.0):
        """Whether a DISCOVER is answered: it is sent again each second, as firmware does."""
        return self.machine.inside(lambda: _offered(seconds))

    def curl(self, *words, check=True):
        return self.host.run("curl", "-s", "-m", "40", *words, check=check, timeout=60)

    def pid_of(self, *words):
        """The child of the site whose command has these words."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in children.split():
            line = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if set(words) <= set(line):
                return int(pid)
        raise AssertionError(f"no child {words}: {children}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(40)
        self._reader.join(20)
        return code


def _offered(seconds):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        udp.bind(("0.0.0.0", 68))
        udp.settimeout(1.0)
        until = time.monotonic() + seconds
        xid = struct.unpack(">I", os.urandom(4))[0]
        while time.monotonic() < until:
            mac = b"\x52\x54" + os.urandom(4)  # a machine may ask only so often
            udp.sendto(bytes(request(xid=xid, mac=mac)), ("255.255.255.255", 67))
            try:
                while True:
                    if Packet.from_bytes(udp.recv(2048)).xid == xid:
                        return True
            except TimeoutError:
                continue
    return False


class Asking:
    """Asks for a boot all the time, on a thread; `silent` counts DISCOVERs without an answer."""

    def __init__(self, site):
        self._site = site
        self._ending = threading.Event()
        self.answered = self.silent = 0
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()

    def _ask(self):
        while not self._ending.is_set():
            if self._site.offer(seconds=3.0):
                self.answered += 1
            else:
                self.silent += 1
            self._ending.wait(0.25)


@contextmanager
def stressed(data):
    """The site, up and serving."""
    with Lan() as lan:
        site = StressedSite(lan, data).start()
        try:
            site.until("Stop ")
            assert site.offer(30), "\n".join(site.said)
            yield site
        finally:
            site.stop()


@contextmanager
def write_lock(path):
    """Another program holds SQLite's write lock: a backup, a long transaction."""
    other = sqlite3.connect(path, isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("COMMIT")
        other.close()
