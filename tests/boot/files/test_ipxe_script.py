"""Scripts for iPXE, compared as whole texts, and run by iPXE itself."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.files.ipxe_script import (
    BootServer,
    ScriptClient,
    best_chain,
    choose_architecture,
    crawls,
    missing_files,
    pci_id,
    plain,
    refuse,
    render,
)
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile

SERVER = BootServer(http="http://10.77.0.2:8081", tftp="10.77.0.2")
BIOS = ScriptClient(firmware="bios", mac="52:54:00:00:00:01")
UEFI = ScriptClient(firmware="uefi", mac="52:54:00:00:00:01")

LAB_FILES = ("boot.wim", "boot.wim.cpio", "vmlinuz", "initrd.gz")
PE_FILES = ("boot.wim", "boot.sdi", "bootmgfw.efi", "bootmgr.exe", "pxeboot.n12", "BCD-bios")


def make_version(
    *names: str, chains: tuple[str, ...] = ("linux",), image: str = "Lab PE x64"
) -> ContentVersion:
    files = tuple(ManifestFile(name, "sha256:" + "0" * 64, 1) for name in names)
    return ContentVersion(image, 7, Architecture.X64, "recipe", 0.0, files, chains)


WIMBOOT = ("wimboot",)
LAB = make_version(*LAB_FILES)
WINDOWS = make_version(*PE_FILES, "BCD-uefi", chains=("wimboot", "native"), image="Windows PE 24H2")


def test_the_lab_pe_on_a_bios_has_the_shape_of_wimboot() -> None:
    """A kernel, and named initrds whose last word is the name inside."""
    version = make_version(*LAB_FILES, "boot.sdi", "BCD-bios", "BCD-uefi")

    actual = render(version, BIOS, SERVER, token="abc.DEF-1_2", arguments="quiet")

    expected = """\
#!ipxe
echo netboot: Lab PE x64 v7
kernel http://10.77.0.2:8081/v/lab-pe-x64/7/vmlinuz quiet \
labpe.report=http://10.77.0.2:8081/report/abc.DEF-1_2
initrd http://10.77.0.2:8081/v/lab-pe-x64/7/initrd.gz
initrd -n BCD http://10.77.0.2:8081/v/lab-pe-x64/7/BCD-bios BCD
initrd -n boot.sdi http://10.77.0.2:8081/v/lab-pe-x64/7/boot.sdi boot.sdi
initrd -n boot.wim http://10.77.0.2:8081/v/lab-pe-x64/7/boot.wim boot.wim
boot
"""
    assert actual == expected


def test_the_lab_pe_on_uefi_gets_its_image_wrapped() -> None:
    """iPXE of 2019 hands initrds to an EFI stub as they are, so the archive is made by us."""
    actual = render(LAB, UEFI, SERVER, token="t")

    expected = """\
#!ipxe
echo netboot: Lab PE x64 v7
kernel http://10.77.0.2:8081/v/lab-pe-x64/7/vmlinuz initrd=initrd.gz initrd=boot.wim.cpio \
quiet console=tty0 console=ttyS0,115200 panic=30 no_timer_check labpe.report=http://10.77.0.2:8081/report/t
initrd http://10.77.0.2:8081/v/lab-pe-x64/7/initrd.gz
initrd http://10.77.0.2:8081/v/lab-pe-x64/7/boot.wim.cpio
boot
"""
    assert actual == expected


def test_a_card_that_crawls_over_http_gets_everything_by_tftp() -> None:
    """All but the report, which Linux sends with its own driver."""
    client = ScriptClient(firmware="bios", nic="1022:2000")

    actual = render(LAB, client, SERVER, token="t", arguments="quiet")

    expected = """\
#!ipxe
echo netboot: Lab PE x64 v7
kernel tftp://10.77.0.2/v/lab-pe-x64/7/vmlinuz quiet labpe.report=http://10.77.0.2:8081/report/t
initrd tftp://10.77.0.2/v/lab-pe-x64/7/initrd.gz
initrd -n boot.wim tftp://10.77.0.2/v/lab-pe-x64/7/boot.wim boot.wim
boot
"""
    assert actual == expected


def test_wimboot_gets_the_files_that_the_version_has() -> None:
    """The image comes last; on UEFI it must be called boot.wim."""
    actual = render(WINDOWS, UEFI, SERVER, token="t", supplied=("wimboot",))

    expected = """\
#!ipxe
echo netboot: Windows PE 24H2 v7
kernel http://10.77.0.2:8081/p/wimboot
initrd -n bootmgfw.efi http://10.77.0.2:8081/v/windows-pe-24h2/7/bootmgfw.efi bootmgfw.efi
initrd -n BCD http://10.77.0.2:8081/v/windows-pe-24h2/7/BCD-uefi BCD
initrd -n boot.sdi http://10.77.0.2:8081/v/windows-pe-24h2/7/boot.sdi boot.sdi
initrd -n boot.wim http://10.77.0.2:8081/v/windows-pe-24h2/7/boot.wim boot.wim
boot
"""
    assert actual == expected


def test_microsofts_own_program_is_fetched_as_a_rom_would() -> None:
    """The name says the version, so that the server knows whose BCD will be asked for."""
    actual = render(WINDOWS, BIOS, SERVER, token="t", chain="native")

    expected = """\
#!ipxe
echo netboot: Windows PE 24H2 v7
set netX/next-server 10.77.0.2
set netX/filename /v/windows-pe-24h2/7/pxeboot.n12
set netX/252:hexraw 5c426f6f745c42434400 ||
chain --replace --autofree tftp://10.77.0.2/v/windows-pe-24h2/7/pxeboot.n12
"""
    assert actual == expected


def test_without_a_wimboot_of_the_administrators_the_next_chain_is_taken() -> None:
    """The image prefers wimboot; where nobody supplied it, Microsoft's own program is fetched."""
    windows = make_version(
        *PE_FILES, "pxeboot.n12", "BCD-bios", chains=("wimboot", "native"), image="Windows PE"
    )
    scripts = [
        render(windows, BIOS, SERVER, token="t", supplied=supplied) for supplied in ((), WIMBOOT)
    ]

    assert ["/pxeboot.n12" in script for script in scripts] == [True, False]
    assert "kernel http://10.77.0.2:8081/p/wimboot" in scripts[1]


@pytest.mark.parametrize(
    ("preferred", "bios", "uefi"),
    [
        ((), "linux", "linux"),
        ((("bios", "native"),), "native", "linux"),
        ((("bios", "wimboot"), ("uefi", "native")), "wimboot", "native"),
    ],
)
def test_the_preferred_chain_of_a_firmware_leads(
    preferred: tuple[tuple[str, str], ...], bios: str, uefi: str
) -> None:
    """The operator's choice for a firmware comes first, if the version can be booted so."""
    version = replace(
        make_version(
            *("vmlinuz", "initrd.gz", "boot.wim", "boot.wim.cpio", "boot.sdi", "bootmgr.exe"),
            *("pxeboot.n12", "bootmgfw.efi", "BCD-bios", "BCD-uefi"),
            chains=("linux", "native", "wimboot"),
        ),
        preferred=preferred,
    )

    assert [best_chain(version, firmware, WIMBOOT) for firmware in ("bios", "uefi")] == [bios, uefi]


def test_a_preferred_chain_that_lacks_a_file_is_passed_over() -> None:
    """A version without a boot configuration for UEFI is started in another way there."""
    version = replace(LAB, chains=("linux", "native"), preferred=(("uefi", "native"),))

    assert best_chain(version, "uefi") == "linux"


def test_a_bios_client_is_asked_what_its_processor_can_run() -> None:
    """Option 93 does not tell; the script looks and asks again."""
    actual = choose_architecture("http://10.77.0.2:8081/boot.ipxe?mac=52:54:00:00:00:01")

    expected = """\
#!ipxe
cpuid --ext 29 && set cpu x64 || set cpu x86
chain --replace --autofree http://10.77.0.2:8081/boot.ipxe?mac=52:54:00:00:00:01&cpu=${cpu}
"""
    assert actual == expected


def test_a_refusal_says_why_and_lets_go() -> None:
    """The reason is wrapped to a screen; a BIOS goes on to its next boot device."""
    reason = "Lab PE x64 is assigned, but nobody has published it here; update the point first"

    expected = """\
#!ipxe
echo
echo netboot: nothing to boot for 52:54:00:00:00:01
echo netboot: Lab PE x64 is assigned, but nobody has published it here; update
echo netboot: the point first
echo
prompt --timeout 15000 Press any key for the next boot device ||
exit
"""
    assert refuse(reason, BIOS) == expected


def test_a_refusal_on_uefi_ends_in_failure() -> None:
    """Only then does the boot manager try the next entry."""
    lines = refuse("no image", ScriptClient(firmware="efi")).splitlines()

    assert lines[2] == "echo netboot: nothing to boot for this machine"
    assert lines[-1] == "exit 1"


@pytest.mark.parametrize(
    ("version", "chain", "client", "words"),
    [
        (make_version("boot.wim"), "", BIOS, "no vmlinuz, initrd.gz"),
        (make_version(*LAB_FILES[:1], *LAB_FILES[2:]), "", UEFI, "no boot.wim.cpio"),
        (make_version(*LAB_FILES, chains=()), "", UEFI, "by any chain: no chain"),
        (LAB, "wimboot", UEFI, "by the chain wimboot: no chain wimboot"),
        (make_version(*PE_FILES, chains=("native",)), "native", UEFI, "no BCD-uefi"),
    ],
)
def test_what_can_not_be_booted_is_refused_in_words(
    version: ContentVersion, chain: str, client: ScriptClient, words: str
) -> None:
    """The script names what is missing instead of ending in an error of iPXE's."""
    lines = render(version, client, SERVER, token="t", chain=chain).splitlines()

    text = " ".join(line.removeprefix("echo netboot: ") for line in lines)
    assert words in text
    assert lines[-1].startswith("exit")


def test_missing_files_are_none_for_what_can_be_booted() -> None:
    """The same question may be asked before a script is made."""
    assert missing_files(LAB, "linux", "bios") == ()
    assert missing_files(WINDOWS, "native", "uefi") == ()


@pytest.mark.parametrize(
    ("nic", "expected"),
    [
        ("8086:100e", "8086:100e"),
        ("8086:100E", "8086:100e"),
        ("01:80:86:10:0e", "8086:100e"),
        ("018086100e", "8086:100e"),
        ("", ""),
        ("virtio-net", ""),
    ],
)
def test_a_cards_id_is_read_in_all_of_ipxes_spellings(nic: str, expected: str) -> None:
    """Option 175 gives bytes, the busid setting gives hex with a type in front."""
    assert pci_id(nic) == expected


@pytest.mark.parametrize(
    ("nic", "expected"),
    [
        ("1022:2000", (True, True)),
        ("10ec:8029", (False, True)),
        ("8086:1209", (True, True)),
        ("8086:1229", (True, True)),
        ("01:80:86:10:3e", (True, True)),
        ("8086:100e", (False, False)),
        ("8086:10d3", (False, False)),
        ("1af4:1000", (False, False)),
        ("", (False, False)),
    ],
)
def test_only_the_cards_that_crawl_are_known_to(nic: str, expected: tuple[bool, bool]) -> None:
    """PCnet and the 8255x family do, NE2000 only on UEFI, e1000 and virtio do not."""
    clients = [ScriptClient(firmware=firmware, nic=nic) for firmware in ("bios", "uefi")]

    assert tuple(crawls(client) for client in clients) == expected


@given(st.text(max_size=300))
def test_no_reason_is_taken_for_a_command(reason: str) -> None:
    """Whatever a reason holds, the script has the commands that we meant and no others."""
    lines = refuse(reason, BIOS).splitlines()

    assert {line.split()[0] for line in lines} == {"#!ipxe", "echo", "prompt", "exit"}
    assert [line for line in lines if "$" in line or "&&" in line] == []
    assert [line for line in lines if "||" in line] == [lines[-2]]


def test_plain_words_stay_as_they_are() -> None:
    """Only what iPXE would act upon goes."""
    assert plain("Bob's ${image} && v7: #1 || /x") == "Bob's image v7: 1 /x"


# --- iPXE itself as the judge ---------------------------------------------------------------

QEMU = "qemu-system-x86_64"
needs_qemu = pytest.mark.skipif(
    shutil.which(QEMU) is None,
    reason=f"{QEMU} is not installed (apt-get install qemu-system-x86 ipxe-qemu)",
)


def tiny_kernel() -> bytes:
    """A bzImage whose real-mode code ends the machine with status 0x43, and does no more."""
    image = bytearray(4 * 512)
    image[0x1F1] = 1  # one sector of setup code
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x202] = b"\xeb\x3e"  # jump over the header, to 0x240
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = (0x0203).to_bytes(2, "little")
    image[0x211] = 1  # the protected-mode part is loaded high
    image[0x22C:0x230] = (0x37FFFFFF).to_bytes(4, "little")
    image[0x240:0x248] = b"\xba\xf4\x00\xb0\x21\xee\xf4\xf4"  # out 0xf4, 0x21; hlt
    return bytes(image)


@contextmanager
def served(pages: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """An HTTP server on loopback; its URL as a guest sees it, and the paths asked for."""
    asked: list[str] = []

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://10.0.2.2:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def boot(url: str, folder: Path, cpu: str = "qemu64") -> tuple[int | None, str]:
    """Boot a BIOS machine whose card's iPXE is told to load `url`.

    Returns the exit status (None where it found nothing to boot) and what was on the screen.
    """
    serial = folder / "serial"
    machine = subprocess.Popen(
        [
            *(QEMU, "-machine", "pc,graphics=off", "-accel", "tcg", "-cpu", cpu, "-m", "128"),
            *("-nodefaults", "-display", "none", "-serial", f"file:{serial}", "-no-reboot"),
            *("-netdev", f"user,id=n0,bootfile={url}", "-device", "virtio-net-pci,netdev=n0"),
            *("-device", "isa-debug-exit,iobase=0xf4"),
        ]
    )
    try:
        until = time.monotonic() + 120
        while machine.poll() is None and time.monotonic() < until:
            if serial.exists() and "No bootable device" in serial.read_text(errors="replace"):
                break
            time.sleep(0.1)  # a serial line has no event to wait for
        return machine.poll(), serial.read_text(errors="replace")
    finally:
        machine.kill()
        machine.wait()


@needs_qemu
@pytest.mark.vm
@pytest.mark.parametrize(("cpu", "arch"), [("qemu64", "x64"), ("pentium3", "x86")])
def test_ipxe_runs_the_scripts_to_the_kernel(tmp_path: Path, cpu: str, arch: str) -> None:
    """Debian's iPXE looks at the processor, asks again, fetches all files and starts the kernel."""
    version = make_version(*LAB_FILES, "boot.sdi", "BCD-bios")
    pages: dict[str, bytes] = {}
    with served(pages) as (url, asked):
        server = BootServer(http=url, tftp="10.0.2.2")
        pages["/boot.ipxe?mac=a"] = choose_architecture(f"{url}/boot.ipxe?mac=a").encode()
        pages[f"/boot.ipxe?mac=a&cpu={arch}"] = render(version, BIOS, server, token="t").encode()
        for file in version.files:
            pages[f"/v/lab-pe-x64/7/{file.name}"] = b"content of " + file.name.encode()
        pages["/v/lab-pe-x64/7/vmlinuz"] = tiny_kernel()

        status, screen = boot(f"{url}/boot.ipxe?mac=a", tmp_path, cpu)

    assert status == 0x43, screen
    assert asked == [
        "/boot.ipxe?mac=a",
        f"/boot.ipxe?mac=a&cpu={arch}",
        *(
            f"/v/lab-pe-x64/7/{name}"
            for name in ("vmlinuz", "initrd.gz", "BCD-bios", "boot.sdi", "boot.wim")
        ),
    ]


@needs_qemu
@pytest.mark.vm
def test_ipxe_shows_a_refusal_and_goes_on(tmp_path: Path) -> None:
    """The words stand on the screen; after the wait the BIOS looks at its next device."""
    script = refuse("no image for ${mac} && chain http://x || y", BIOS)
    pages = {"/boot.ipxe": script.replace("--timeout 15000", "--timeout 100").encode()}
    with served(pages) as (url, asked):
        status, screen = boot(f"{url}/boot.ipxe", tmp_path)

    assert status is None
    assert asked == ["/boot.ipxe"]
    words = screen.split()
    assert "nothing to boot for 52:54:00:00:00:01" in " ".join(words)
    assert "netboot: no image for mac chain http://x y" in " ".join(words)
    assert "No bootable device" in screen
