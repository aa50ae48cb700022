"""Files that did not arrive to the end over HTTP: the journal says who is at fault."""

import os
import socket
import time
from dataclasses import dataclass, field, replace

import pytest

from netboot.boot.told.events import ContentServed, TransferFailed
from netboot.serve.http.boot_app import BootSite, Script, boot_app
from netboot.serve.http.limits import HttpLimits
from tests.support.serving import Files, Told, running_httpd

pytestmark = pytest.mark.loopback

WIM = os.urandom(1 << 20) * 24


@dataclass
class Cut(Files):
    """The file lost its end after it was opened."""

    kept: int = 0

    def open_content(self, ref):
        content = super().open_content(ref)
        os.truncate(content.fd, self.kept)
        return content


@dataclass
class Place:
    files: Files = field(default_factory=lambda: Files({"boot.wim": WIM}))
    told: Told = field(default_factory=Told)

    def app(self):
        return boot_app(
            BootSite(
                resolve_url=lambda path, _to: self.files.resolve_url(path),
                open_content=self.files.open_content,
                script=lambda _query, _ip, _to: Script("", "", 0),
                report=lambda _token, _body, _ip: None,
                emit=self.told.queue.put,
            )
        )


def asks(address, path="/v/lab-pe-x64/7/boot.wim", field=""):
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    tcp.settimeout(10)
    tcp.connect(address)
    tcp.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode())
    assert tcp.recv(15) == b"HTTP/1.1 200 OK" or field
    return tcp


def reads_all(tcp):
    found = 0
    while found < len(WIM) and (data := tcp.recv(1 << 20)):
        found += len(data)
    return found


def test_a_machine_that_leaves_in_the_middle_is_at_fault_itself():
    place = Place()
    with running_httpd(place.app()) as (_, address):
        asks(address).close()
        failed = place.told.next(TransferFailed)

    assert (failed.name, failed.image, failed.version) == ("boot.wim", "Lab PE x64", 7)
    assert failed.ip == "127.0.0.1"
    assert 0 < failed.sent < len(WIM)
    assert failed.reason.startswith("the machine ")


def test_a_machine_that_takes_no_more_is_named_so():
    place = Place()
    limits = replace(HttpLimits(), stall_time=0.3)
    with running_httpd(place.app(), limits=limits) as (_, address):
        tcp = asks(address)
        assert place.told.next(TransferFailed).reason == "the machine took no data for 0 s"
        tcp.close()


def test_a_server_that_stops_says_so():
    place = Place()
    with running_httpd(place.app()) as (_, address):
        tcp = asks(address)
    tcp.close()

    assert place.told.next(TransferFailed).reason == "the server stopped"


def test_a_copy_of_ours_that_lost_its_end_is_our_fault():
    place = Place(Cut({"boot.wim": WIM}, kept=5 << 20))
    with running_httpd(place.app()) as (_, address):
        tcp = asks(address)
        assert reads_all(tcp) < len(WIM)
        failed = place.told.next(TransferFailed)
        tcp.close()

    assert failed.sent == 5 << 20
    assert failed.reason.startswith("our copy is damaged: ")


def test_a_whole_file_and_a_part_that_its_loader_gives_up_are_no_faults():
    place = Place()
    with running_httpd(place.app()) as (server, address):
        asks(address, field="Range: bytes=100-20000000\r\n").close()
        until = time.monotonic() + 10
        while server.connections:
            assert time.monotonic() < until
        tcp = asks(address)
        assert reads_all(tcp) >= len(WIM) - 1
        served = place.told.next(ContentServed)
        tcp.close()

    assert served.size == len(WIM)
    assert place.told.queue.empty()
