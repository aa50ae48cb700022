"""iPXE with the administrator's wimboot, played by script: the script, then each file it names."""

import re
import struct
import urllib.request
from hashlib import sha256
from pathlib import Path

import pytest

from netboot.daemons.boot_http import BootPages
from netboot.operations.deployments import deployments as policy
from netboot.operations.images import boot_chain, images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.serve.http.boot_app import BootSite, boot_app
from netboot.site import Site
from tests.samples.synthetic_winpe import SyntheticWinPe, pe_file
from tests.support.serving import running_httpd

pytestmark = [pytest.mark.loopback, pytest.mark.wimlib]

SITE = "http://127.0.0.1:8081"
FILE = re.compile(r"^(?:kernel|initrd -n (\S+)) (http://\S+)(?: (\S+))?$", re.MULTILINE)


@pytest.fixture
def windows_pe(site: Site, tmp_path: Path) -> Site:
    """A site that serves a Windows PE without Windows by a wimboot that is none."""
    wimboot = bytearray(pe_file("x64", b"wimboot stand-in " * 60))
    struct.pack_into("4s", wimboot, 0x202, b"HdrS")
    (tmp_path / "wimboot").write_bytes(wimboot)
    boot_chain.import_wimboot(site, tmp_path / "wimboot")
    images.import_image(site, SyntheticWinPe().capture(tmp_path), name="PE")
    boot_chain.prefer_chain(site, "PE", chains={"bios": "wimboot", "uefi": "wimboot"})
    versions.build_version(site, "PE")
    points.update_distribution_points(site, "PE")
    assert policy.defaults(site)
    return site


def get(url: str, port: int) -> bytes:
    """What an address of the site gives, at the port that it has here."""
    with urllib.request.urlopen(
        url.replace(SITE, f"http://127.0.0.1:{port}"), timeout=10
    ) as answer:
        body: bytes = answer.read()
        assert int(answer.headers["Content-Length"]) == len(body)
    return body


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("platform=pcbios&cpu=x64", ["bootmgr.exe", "BCD", "boot.sdi", "boot.wim"]),
        ("platform=efi&arch=x64", ["bootmgfw.efi", "BCD", "boot.sdi", "boot.wim"]),
    ],
)
def test_every_file_that_the_script_names_comes_whole(
    windows_pe: Site, query: str, names: list[str]
) -> None:
    """wimboot first, the image last, each with the bytes of the version that is served."""
    pages = BootPages(windows_pe, address="127.0.0.1")
    answer = boot_app(
        BootSite(
            resolve_url=pages.resolve_url,
            open_content=pages.open_content,
            script=pages.script,
            report=pages.report,
            emit=windows_pe.journal.emit,
        )
    )
    published = windows_pe.point.load()
    with running_httpd(answer) as (_, (_, port)):
        script = get(f"{SITE}/boot.ipxe?mac=52:54:00:77:00:01&{query}", port).decode()
        files = [(found[1], get(found[2], port)) for found in FILE.finditer(script)]

    program, *given = files
    assert digest(program[1]) == published.supplied["wimboot"].digest
    assert [name for name, _ in given] == names
    firmware = "uefi" if "efi" in query else "bios"
    for name, body in given:
        file = published.current["PE"].file(f"BCD-{firmware}" if name == "BCD" else name)
        assert file is not None
        assert (digest(body), len(body)) == (file.digest, file.size), name
    assert script.rstrip().endswith("\nboot")


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
