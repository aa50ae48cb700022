"""The TFTP clients inside firmware, iPXE and OVMF, against our server: every byte compared.

They keep what they load to themselves. So it is the wire that is read: what the machine was sent
in order and has acknowledged is what it has.
"""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netboot.boot.told.events import TransferFinished
from netboot.protocols.tftp import ReadRequest, from_bytes
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop
from tests.boot_network.conftest import Wires
from tests.captures.reader import datagrams_of
from tests.support.dhcp_servers import start_dnsmasq
from tests.support.netlab import Host, Lan, needs_netns
from tests.support.serving import Files, Told
from vm.machine.firmware import VIRTIO, FirmwareKind
from vm.machine.spec import MachineSpec
from vm.machine.virtual_machine import Limits, Machine
from vm.network.holder import _offloads_off
from vm.network.lab_network import Slot

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(600)]

SERVER = "10.77.0.2"
LARGE = 41_943_040
IPXE_SIZES = (0, 1, 511, 512, 513, 1431, 1432, 1433, 1_048_576, LARGE)
OVMF_SIZES = (1, 1469, 1_048_576, LARGE)
LIMITS = Limits(silence=120, wall=400, processor=240)


class Place:
    """A LAN with our TFTP server, a DHCP server that names one of its files, and a recorder."""

    def __init__(self, lan: Lan, work: Path, files: Files, boot_file: str) -> None:
        self.work = work
        self.told = Told()
        self.files = files
        self.server_host = self._host(lan, "srv", f"{SERVER}/24")
        dhcp = self._host(lan, "dhcp", "10.77.0.1/24")
        start_dnsmasq(dhcp, work, f"dhcp-boot={boot_file},,{SERVER}")
        self.capture = work / "lan.pcap"
        self.wires = Wires(self._host(lan, "uplink"), self.capture)

    def _host(self, lan: Lan, name: str, *addresses: str) -> Host:
        host = lan.host(name, *addresses)
        host.inside(lambda: _offloads_off(host.interface))
        return host

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Our server, as shipped, on port 69 of its host."""
        loop = Loop()
        server = self.server_host.inside(lambda: self._server(loop))
        thread = threading.Thread(target=self.server_host.inside, args=(loop.run,))
        thread.start()
        try:
            yield
        finally:
            loop.stop()
            thread.join()
            server.close()
            loop.close()

    def _server(self, loop: Loop) -> TftpServer:
        return TftpServer(
            loop=loop,
            address=SERVER,
            resolve=self.files.resolve,
            open_content=self.files.open_content,
            emit=self.told.queue.put,
        )

    def boot(self, firmware: FirmwareKind, last: str) -> None:
        """Let a machine boot until it has fetched the file called `last`."""
        near, far = socket.socketpair()

        def watch() -> None:
            while self.told.next(TransferFinished, LIMITS.wall).name != last:
                pass
            near.send(b"x")

        watcher = threading.Thread(target=watch)
        spec = MachineSpec(firmware, VIRTIO, Slot(7))
        with near, far, self.serving(), Machine(spec, self.wires, self.work / "vm") as machine:
            watcher.start()
            run = machine.run(LIMITS, leash=far)
            watcher.join()
        self.wires.switch.close()
        assert run.words == "it was switched off on request", f"{run.words}\n{run.serial[-1000:]}"


@dataclass
class Reading:
    """What one port of a client has read of a file so far."""

    name: str
    block_size: int = 512
    blocks: int = 0
    data: bytearray = field(default_factory=bytearray)

    def complete_with(self, number: int) -> bool:
        """Whether an ACK of this block is the last: the block before was short."""
        short = len(self.data) < self.blocks * self.block_size
        return short and number == self.blocks & 0xFFFF


def acknowledged(capture: Path) -> dict[str, bytes]:
    """What clients have read and acknowledged to the last block, by name."""
    readings: dict[tuple[str, int], Reading] = {}
    whole: dict[str, bytes] = {}
    for packet in datagrams_of(capture):
        to, by = packet.destination, packet.source
        kind, number = packet.payload[:2], int.from_bytes(packet.payload[2:4], "big")
        if to == (SERVER, 69):
            request = from_bytes(packet.payload)
            assert isinstance(request, ReadRequest)
            readings[by] = Reading(request.name.decode())
        elif kind == b"\0\6" and to in readings:
            options = packet.payload[2:].lower().split(b"\0")
            if b"blksize" in options:
                readings[to].block_size = int(options[options.index(b"blksize") + 1])
        elif kind == b"\0\3" and to in readings:
            reading = readings[to]
            if number == (reading.blocks + 1) & 0xFFFF:
                reading.data += packet.payload[4:]
                reading.blocks += 1
        elif kind == b"\0\4" and by in readings and readings[by].complete_with(number):
            whole[readings[by].name] = bytes(readings[by].data)
    return whole


def content(*sizes: int) -> dict[str, bytes]:
    """Random files by their names."""
    dice = random.Random(69)
    return {f"f{size}": dice.randbytes(size) for size in sizes}


def test_ipxe_reads_every_size(tmp_path: Path) -> None:
    """The ROM of a BIOS machine's card, led by a script: blocks of 1,432 bytes, lockstep.

    The script stops at the first file that iPXE is not content with. An empty one it takes, but
    answers it with ACK 0, which acknowledges nothing.
    """
    served = content(*IPXE_SIZES)
    lines = [
        f"imgfetch --name f tftp://{SERVER}/{name} || goto failed\nimgfree f ||" for name in served
    ]
    script = "\n".join(["#!ipxe", *lines, "sleep 600", ":failed", "sleep 600", ""])
    files = Files({**served, "go": script.encode()})
    with Lan() as lan:
        place = Place(lan, tmp_path, files, "go")
        place.boot(FirmwareKind.BIOS_X64, f"f{LARGE}")

    got = acknowledged(place.capture)
    assert {*served, "go"} == {*got, "f0"}
    assert [name for name in got if files.bytes_of[name] != got[name]] == []


@pytest.mark.parametrize("size", OVMF_SIZES)
def test_ovmf_reads_what_it_is_told_to_boot(tmp_path: Path, size: int) -> None:
    """UEFI's own PXE: asks for the size first, then reads in windows of four blocks."""
    served = content(size)
    with Lan() as lan:
        place = Place(lan, tmp_path, Files(served), f"f{size}")
        place.boot(FirmwareKind.UEFI_X64, f"f{size}")

    assert acknowledged(place.capture) == served
