"""Other people's TFTP clients against our server: every byte compared.

Clients of Debian and of PyPI, each by the sizes at which TFTP servers go wrong (around a block,
an exact multiple, nothing at all, more than 65,535 blocks), by block size and window.
"""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tftpy

from netboot.boot.told.events import TransferFinished
from netboot.serve.tftp.limits import TftpLimits
from tests.support.serving import ALL_FROM_ONE_ADDRESS, Files, Tftpd, running_tftpd

pytestmark = pytest.mark.loopback

SIZES = (0, 1, 511, 512, 513, 1467, 1468, 1469, 1_048_576)
LARGE = 41_943_040  # 81,920 blocks of 512 bytes, and an exact multiple of them
BLOCK_SIZES = (None, 512, 1432, 1468, 8192)
WINDOWS = (None, 1, 4, 16, 64)

Fetch = Callable[[tuple[str, int], str, Path, int | None, int | None], None]


def run(*argv: str) -> None:
    """Run a client; its words if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{argv}: {done.returncode} {done.stdout} {done.stderr}"


def tftp_hpa(
    server: tuple[str, int], name: str, to: Path, block_size: int | None, window: int | None
) -> None:
    """Knows no options."""
    assert block_size is window is None
    run("tftp", "-m", "binary", server[0], str(server[1]), "-c", "get", name, str(to))


def atftp(
    server: tuple[str, int], name: str, to: Path, block_size: int | None, window: int | None
) -> None:
    """Knows windows."""
    options = ["--option", "tsize 0"]
    if block_size:
        options += ["--option", f"blksize {block_size}"]
    if window:
        options += ["--option", f"windowsize {window}"]
    run("atftp", *options, "-g", "-r", name, "-l", str(to), server[0], str(server[1]))


def curl(
    server: tuple[str, int], name: str, to: Path, block_size: int | None, window: int | None
) -> None:
    """Sends tsize, blksize and timeout."""
    assert window is None
    options = ["--tftp-blksize", str(block_size)] if block_size else ["--tftp-no-options"]
    run("curl", "-sS", *options, f"tftp://{server[0]}:{server[1]}/{name}", "-o", str(to))


def busybox(
    server: tuple[str, int], name: str, to: Path, block_size: int | None, window: int | None
) -> None:
    """Sends blksize and tsize."""
    assert window is None
    options = ["-b", str(block_size)] if block_size else []
    run("busybox", "tftp", "-g", *options, "-r", name, "-l", str(to), server[0], str(server[1]))


def pytftp(
    server: tuple[str, int], name: str, to: Path, block_size: int | None, window: int | None
) -> None:
    """The library tftpy, which `netboot check` asks with, too."""
    assert window is None
    options = {"blksize": block_size, "tsize": 0} if block_size else {}
    tftpy.TftpClient(server[0], server[1], options=options).download(name, str(to))


CLIENTS: dict[str, tuple[Fetch, tuple[int | None, ...], tuple[int | None, ...]]] = {
    "tftp": (tftp_hpa, (None,), (None,)),
    "atftp": (atftp, BLOCK_SIZES, WINDOWS),
    "curl": (curl, BLOCK_SIZES, (None,)),
    "busybox": (busybox, BLOCK_SIZES, (None,)),
    "tftpy": (pytftp, BLOCK_SIZES, (None,)),
}


@pytest.fixture(scope="module")
def content() -> dict[str, bytes]:
    dice = random.Random(2026)
    return {f"f{size}": dice.randbytes(size) for size in (*SIZES, LARGE)}


@pytest.fixture(params=["as shipped", "with fragments"])
def tftpd(request: pytest.FixtureRequest, content: dict[str, bytes]) -> Iterator[Tftpd]:
    """Our server with its own limits, and with those that let blocks exceed a packet."""
    limits = TftpLimits() if request.param == "as shipped" else ALL_FROM_ONE_ADDRESS
    with running_tftpd(Files(content), limits=limits) as server:
        yield server


@pytest.mark.parametrize("client", CLIENTS)
def test_every_size_by_every_option(
    tftpd: Tftpd, client: str, content: dict[str, bytes], tmp_path: Path
) -> None:
    """What arrives is what is served, and the journal agrees."""
    fetch, block_sizes, windows = CLIENTS[client]
    if client != "tftpy" and shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    cells = 0
    for size in SIZES:
        for block_size in block_sizes:
            for window in windows:
                got = tmp_path / "got"
                got.unlink(missing_ok=True)
                fetch(tftpd.address, f"f{size}", got, block_size, window)
                data = got.read_bytes() if got.exists() else b""  # curl makes no empty file
                assert content[f"f{size}"] == data, (size, block_size, window)
                cells += 1

    finished = [event for event in tftpd.told.all() if isinstance(event, TransferFinished)]
    assert cells == len(SIZES) * len(block_sizes) * len(windows)
    assert cells <= len(finished) + 1  # the last may still be under way


@pytest.mark.parametrize(
    ("client", "block_size", "window"),
    [
        ("tftp", None, None),
        ("atftp", 1468, 16),
        ("atftp", 512, 64),
        ("curl", 1468, None),
        ("busybox", 1468, None),
        ("tftpy", 8192, None),
    ],
)
def test_a_boot_image(
    client: str,
    block_size: int | None,
    window: int | None,
    content: dict[str, bytes],
    tmp_path: Path,
) -> None:
    """40 MB, for some of them more than 65,535 blocks."""
    if client != "tftpy" and shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    with running_tftpd(Files(content), limits=ALL_FROM_ONE_ADDRESS) as tftpd:
        CLIENTS[client][0](tftpd.address, f"f{LARGE}", tmp_path / "got", block_size, window)

    assert content[f"f{LARGE}"] == (tmp_path / "got").read_bytes()


def test_text_by_a_client_that_translates(tmp_path: Path) -> None:
    """tftp-hpa in ascii mode: what it stores is what lies here."""
    if shutil.which("tftp") is None:
        pytest.skip("tftp is not installed")
    text = b"#!ipxe\nboot\n" * 5000 + b"carriage\rreturn\r\n"
    with running_tftpd(Files({"script": text})) as tftpd:
        server = tftpd.address
        got = str(tmp_path / "got")
        run("tftp", "-m", "ascii", server[0], str(server[1]), "-c", "get", "script", got)

    assert text == (tmp_path / "got").read_bytes()


def test_a_write_is_refused_in_words(tmp_path: Path) -> None:
    """A client that tries to store something hears that it may not."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "evil").write_bytes(b"evil")
    with running_tftpd(Files({"f": b"good"})) as tftpd:
        url = f"tftp://{tftpd.address[0]}:{tftpd.address[1]}/f"
        done = subprocess.run(
            ["curl", "-sS", "-m", "5", "-T", str(tmp_path / "evil"), url],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 69, done.stderr  # curl: "TFTP: Permission problem"
        assert tftpd.server.counters.refused == 1
