"""Windows' loaders against our TFTP server, played by script: each request that they make.

The image is a synthetic Windows PE, imported, built and distributed by the real operations, so
names, boot configuration and bytes are those that a machine would get.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from netboot.boot.files.names import NOT_FOUND
from netboot.boot.told.events import OfferSent
from netboot.daemons.boot_services import BootServices
from netboot.formats.bcd import LOADER, RAMDISK_OPTIONS
from netboot.formats.sdi import parse_sdi
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.protocols.tftp import Ack, Data, Error, OptionAck, ReadRequest, from_bytes
from netboot.serve.tftp.limits import TftpLimits
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop
from netboot.site import Site
from tests.interop.loader_requests import SEQUENCES, Ask
from tests.samples.synthetic_winpe import SyntheticWinPe, pe_file
from tests.support.serving import looping

pytestmark = [pytest.mark.loopback, pytest.mark.wimlib]

IP = "127.0.0.1"
MAC = "52:54:00:77:00:01"
PATH_IN_DEVICE = 0x8C
"""Where the path stands in a RAM disk's device element."""

QUICK = 0.5
"""Seconds within which a file that is not there must be said to be not there."""

ONE_OF_FOUR = TftpLimits().share(4, by_source=False)
"""What one machine may have of one of four TFTP processes: it must be enough for its boot."""


@pytest.fixture(scope="module")
def windows_pe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that serves a Windows PE without Windows."""
    folder = tmp_path_factory.mktemp("winpe")
    site = Site.open(folder / "data")
    more = {
        "/Windows/Boot/EFI_EX/bootmgfw_EX.efi": pe_file("x64", b"stand-in: of 2023 " * 60),
        "/Windows/Boot/EFI_EX/en-US/bootmgfw_EX.efi.mui": b"stand-in: words of 2023 " * 90,
        "/Windows/Boot/EFI/en-US/bootmgfw.efi.mui": b"stand-in: words " * 90,
        "/Windows/Boot/EFI/boot.stl": b"stand-in: a revocation list " * 90,
    }
    wim = SyntheticWinPe(bulk_files=30, bulk_bytes=600_000, files=more).capture(folder)
    images.import_image(site, wim, name="PE")
    versions.build_version(site, "PE")
    points.update_distribution_points(site, "PE")
    yield site
    site.database.close()
    site.journal.close()


@dataclass
class Loader:
    """A loader at its own ports: one socket for each request, as they do."""

    server: tuple[str, int]
    answered: dict[bytes, float] = field(default_factory=dict)

    def ask(self, what: Ask) -> bytes | int:
        """The bytes; or the size, where that was all it wanted; or minus the error's code."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(5.0)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            began = time.monotonic()
            udp.sendto(bytes(ReadRequest(what.name, "octet", what.options)), self.server)
            packet, peer = udp.recvfrom(65535)
            self.answered[what.name] = time.monotonic() - began
            match from_bytes(packet):
                case Error(code, _):
                    return -int(code)
                case OptionAck(options):
                    assert set(options) <= set(what.options) - {"msftwindow"}
                    if what.probe:
                        size = int(options["tsize"])
                        udp.sendto(bytes(Error(what.ends_by, "TFTP Aborted")), peer)
                        return size
                    udp.sendto(bytes(Ack(0)), peer)
                    return self._read(udp, peer, options)
                case Data(1, payload) if what.probe:
                    udp.sendto(bytes(Error(0, "")), peer)
                    return len(payload)
                case Data(1, payload):
                    udp.sendto(bytes(Ack(1)), peer)
                    return self._rest(udp, peer, bytearray(payload), block_size=512, window=1)
        raise AssertionError(packet[:40])

    def _read(self, udp: socket.socket, peer: tuple[str, int], options: dict[str, bytes]) -> bytes:
        block_size = int(options.get("blksize", b"512"))
        window = int(options.get("windowsize", b"1"))
        return self._rest(udp, peer, bytearray(), block_size=block_size, window=window)

    def _rest(
        self,
        udp: socket.socket,
        peer: tuple[str, int],
        got: bytearray,
        *,
        block_size: int,
        window: int,
    ) -> bytes:
        """The blocks after those that came; one ACK for each window (RFC 7440)."""
        block = len(got) // block_size
        if got and len(got) < block_size:
            return bytes(got)
        while True:
            match from_bytes(udp.recv(65535)):
                case Data(number, payload) if number == (block + 1) % 65536:
                    block += 1
                    got += payload
                    is_last = len(payload) < block_size
                    if is_last or block % window == 0:
                        udp.sendto(bytes(Ack(block % 65536)), peer)
                    if is_last:
                        return bytes(got)
                case Error(code, message):
                    raise AssertionError(f"{code} {message}")


@contextmanager
def boot_services(site: Site, file: str) -> Iterator[Loader]:
    """TFTP on a free port, and a loader that learned the name `file` by DHCP."""
    loop = Loop()
    services = BootServices(site, address=IP)
    server = TftpServer(
        loop=loop,
        address=IP,
        port=0,
        resolve=services.resolve,
        open_content=services.open_content,
        emit=services.emit,
        limits=ONE_OF_FOUR,
    )
    services.emit(
        OfferSent(at=time.time(), mac=MAC, ip=IP, file=file, image="PE", version=1, port=67)
    )
    with looping(loop):
        yield Loader((IP, server.port))
    server.close()
    loop.close()


def expected(site: Site, what: Ask) -> bytes | int:
    """What a request must come to: the bytes of the version served, their size, or not found."""
    file = site.point.load().current["PE"].file(what.file)
    if file is None:
        return -NOT_FOUND
    if what.probe:
        return file.size if "tsize" in what.options else min(file.size, 512)
    return site.point.blobs.require(file.digest).read_bytes()


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_loader_gets_all_that_it_asks_for(windows_pe: Site, name: str) -> None:
    """Bytes equal to the version's, sizes as probed, and a quick "not found" for the rest."""
    sequence = SEQUENCES[name]
    with boot_services(windows_pe, "x.efi" if name.startswith("uefi") else "x.n12") as loader:
        got = [(ask.name, loader.ask(ask)) for ask in sequence]

    assert [(ask.name, expected(windows_pe, ask)) for ask in sequence] == got
    absent = [ask.name for ask in sequence if not ask.file]
    assert max(loader.answered[probe] for probe in absent) < QUICK


@pytest.mark.parametrize(("file", "ending"), [("x.n12", ".exe"), ("x.efi", ".efi")])
def test_the_configuration_leads_the_loader_to_its_files(
    windows_pe: Site, tmp_path: Path, file: str, ending: str
) -> None:
    """hivexget reads the BCD that came by TFTP; the paths in it bring boot.sdi and the image."""
    with boot_services(windows_pe, file) as loader:
        bcd = tmp_path / "BCD"
        bcd.write_bytes(bytes_of(loader, rb"\Boot\BCD"))
        device = element(bcd, LOADER, "11000001")
        wim_path = device[PATH_IN_DEVICE:].decode("utf-16-le").rstrip("\0")
        sdi_path = element(bcd, RAMDISK_OPTIONS, "32000004").decode().strip()
        sdi, wim = (bytes_of(loader, path.encode()) for path in (sdi_path, wim_path))

    assert parse_sdi(sdi).volume_size == 65536
    assert wim == expected(windows_pe, Ask(b"", "boot.wim"))
    winload = element(bcd, LOADER, "12000002").decode().strip().lower()
    assert winload == rf"\windows\system32\boot\winload{ending}"
    sizes = (element(bcd, RAMDISK_OPTIONS, kind) for kind in ("35000007", "35000008"))
    assert [int.from_bytes(size[:8], "little") for size in sizes] == [1456, 4]


def bytes_of(loader: Loader, name: bytes) -> bytes:
    """A file as the loader gets it."""
    got = loader.ask(Ask(name, "any"))
    assert isinstance(got, bytes), (name, got)
    return got


def element(bcd: Path, identity: object, kind: str) -> bytes:
    """An element of an object of a store, as hivexget prints it."""
    key = f"Objects\\{{{identity}}}\\Elements\\{kind}"
    done = subprocess.run(["hivexget", bcd, key, "Element"], check=True, capture_output=True)
    return done.stdout


def test_a_machine_that_trusts_2023_alone_is_led_the_same_way_by_that_loader(
    windows_pe: Site,
) -> None:
    """Under the name bootmgfw.efi, by which it reads itself again; all else stays as it was."""
    sequence = SEQUENCES["uefi"]
    windows_pe.point.publish_authorities(lambda: {MAC: "2023"})
    try:
        with boot_services(windows_pe, "x.efi") as loader:
            got = [(ask.name, loader.ask(ask)) for ask in sequence]
    finally:
        windows_pe.point.publish_authorities(dict)

    newer = {
        "bootmgfw.efi": "bootmgfw_EX.efi",
        "en-US/bootmgfw.efi.mui": "en-US/bootmgfw_EX.efi.mui",
    }
    meant = [replace(ask, file=newer.get(ask.file, ask.file)) for ask in sequence]
    assert [(ask.name, expected(windows_pe, ask)) for ask in meant] == got
    for names in newer.items():
        old, new = (expected(windows_pe, Ask(b"", name)) for name in names)
        assert old != new
