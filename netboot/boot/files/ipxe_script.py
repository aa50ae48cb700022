"""The scripts that iPXE runs: whole texts, made from a content version.

Commands are those of iPXE 1.0.0+git-20190125 (Debian 12's): kernel, initrd, chain, cpuid,
set, echo, prompt, exit; nothing newer.

Three chains (see netboot.images.versions.content_version):

linux    the Lab PE: a Linux kernel in the place of wimboot, the same shape of script
wimboot  Microsoft's loaders taken out of the WIM by wimboot, which the administrator supplies
native   Microsoft's own network boot program, by TFTP

A script never fails in silence: where nothing can be booted it says why and, after a while,
gives the machine back to its firmware.

References: the iPXE scripting pages (ipxe.org/scripting, ipxe.org/cmd), wimboot's README.
"""

import re
import textwrap
from collections.abc import Container, Sequence
from dataclasses import dataclass

from netboot.boot.files.names import version_path
from netboot.images.versions.content_version import ContentVersion

LINUX, WIMBOOT, NATIVE = "linux", "wimboot", "native"

KERNEL_ARGUMENTS = "quiet console=tty0 console=ttyS0,115200 panic=30 no_timer_check"
"""What the Lab PE's kernel is told: speak on screen and serial line, restart after a panic.

A virtual machine whose host is busy misses ticks of its timer at the start, and the kernel would
put that down to broken hardware and stop: it need not check.
"""

REFUSAL_SECONDS = 15

ASKS_AGAIN = "the processor's width decides"
"""The reason of a script that boots nothing yet (`choose_architecture`)."""

# iPXE's drivers for these lose bursts: less than 1 % of a kernel in 40 s over HTTP, while
# TFTP, one block at a time, works. AMD PCnet, and the Intel 8255x family by the ids of
# iPXE's eepro100 driver.
CRAWLS_OVER_HTTP = frozenset(
    {"1022:2000", "1022:2001"}
    | {f"8086:{device:04x}" for device in (0x1029, *range(0x1030, 0x103F))}
    | {f"8086:{device:04x}" for device in (*range(0x1050, 0x105A), 0x1064, 0x1065, 0x1092)}
    | {f"8086:{device:04x}" for device in (0x1209, 0x1227, 0x1228, 0x1229)}
    | {f"8086:{device:04x}" for device in (0x2449, 0x2459, 0x245D, 0x27DC, 0x5200, 0x5201)}
)

# NE2000 on PCI: HTTP works by its BIOS driver and times out by its EFI driver.
CRAWLS_ON_UEFI = frozenset({"10ec:8029"})

# What a chain needs of a version, by the kind of firmware.
NEEDED = {
    (LINUX, "bios"): ("vmlinuz", "initrd.gz", "boot.wim"),
    (LINUX, "uefi"): ("vmlinuz", "initrd.gz", "boot.wim.cpio"),
    (WIMBOOT, "bios"): ("boot.wim",),
    (WIMBOOT, "uefi"): ("boot.wim",),
    (NATIVE, "bios"): ("pxeboot.n12", "bootmgr.exe", "BCD-bios", "boot.sdi", "boot.wim"),
    (NATIVE, "uefi"): ("bootmgfw.efi", "BCD-uefi", "boot.sdi", "boot.wim"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BootServer:
    """Where clients reach us: `http` is `http://10.0.0.2:8081`, `tftp` is `10.0.0.2`."""

    http: str
    tftp: str

    def report_url(self, token: str) -> str:
        """Where a boot image reports home."""
        return f"{self.http}/report/{token}"

    def file_url(self, version: ContentVersion, name: str, *, by_tftp: bool = False) -> str:
        """Where a file of a version lies."""
        base = f"tftp://{self.tftp}" if by_tftp else self.http
        return base + version_path(version, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptClient:
    """What a script must know of the client that asked for it.

    `firmware` is `bios` or `uefi…`; `nic` is the card's PCI id in any of iPXE's spellings.
    """

    firmware: str
    nic: str = ""
    mac: str = ""

    @property
    def is_uefi(self) -> bool:
        """Whether the client's iPXE is an EFI program."""
        return "efi" in self.firmware.lower()


def render(
    version: ContentVersion,
    client: ScriptClient,
    server: BootServer,
    *,
    token: str,
    chain: str = "",
    arguments: str = KERNEL_ARGUMENTS,
    supplied: Container[str] = (),
) -> str:
    """The script that boots `version`, or one that says why it can't.

    `chain` is the chain to use, by default the first that the version can be booted by;
    `token` is what the boot image shows when it reports home; `supplied` are the names of the
    boot programs that the administrator brought.
    """
    chain = chain or best_chain(version, client.firmware, supplied)
    missing = missing_files(version, chain, client.firmware, supplied)
    if missing:
        return refuse(_cannot_boot(version, chain, missing), client)
    match chain:
        case "linux" if client.is_uefi:
            return _linux_uefi(version, client, server, f"{arguments} {_report(server, token)}")
        case "linux":
            return _linux_bios(version, client, server, f"{arguments} {_report(server, token)}")
        case "wimboot":
            return _wimboot(version, client, server)
        case _:
            return _native(version, client, server)


def best_chain(version: ContentVersion, firmware: str, supplied: Container[str] = ()) -> str:
    """The first chain (the preferred one leads) that lacks nothing; else the first of all."""
    chains = version.chains_for(firmware)
    whole = (one for one in chains if not missing_files(version, one, firmware, supplied))
    return next(whole, next(iter(chains), ""))


def missing_files(
    version: ContentVersion, chain: str, firmware: str, supplied: Container[str] = ()
) -> tuple[str, ...]:
    """What `version` lacks to be booted by that chain; a chain it does not offer is lacking."""
    kind = "uefi" if "efi" in firmware.lower() else "bios"
    needed = NEEDED.get((chain, kind))
    if needed is None or chain not in version.chains:
        return (f"chain {chain or '(none)'}",)
    lacking = tuple(name for name in needed if version.file(name) is None)
    if chain == WIMBOOT and WIMBOOT not in supplied:
        return (*lacking, WIMBOOT)
    return lacking


def choose_architecture(url: str) -> str:
    """A script that asks again with `&cpu=x64` or `&cpu=x86`, whichever the processor can run.

    A BIOS client's option 93 says 0 on both. Bit 29 of CPUID's extended features is long mode.
    `url` must have a query already.
    """
    return _script(
        "cpuid --ext 29 && set cpu x64 || set cpu x86",
        f"chain --replace --autofree {url}&cpu=${{cpu}}",
    )


def refuse(reason: str, client: ScriptClient) -> str:
    """A script that says in plain words why there is nothing to boot, then lets go.

    On UEFI it ends with a failure, because the boot manager goes to the next entry only then
    (UEFI specification §3.1.1: a program that returns EFI_SUCCESS ends the list).
    """
    words = textwrap.wrap(plain(reason), 66) or ["no reason was given"]
    return _script(
        "echo",
        f"echo netboot: nothing to boot for {plain(client.mac) or 'this machine'}",
        *(f"echo netboot: {line}" for line in words),
        "echo",
        f"prompt --timeout {REFUSAL_SECONDS * 1000} "
        "Press any key to go on with the next boot device ||",
        "exit 1" if client.is_uefi else "exit",
    )


def plain(text: str) -> str:
    """The text without what iPXE's command line would act upon: `${…}`, `&&`, `||`, `#`."""
    return " ".join(re.sub(r"[^A-Za-z0-9 .,:;()'/_+-]", " ", text).split())


def pci_id(nic: str) -> str:
    """`vendor:device` in lower case hex, or nothing where it can't be told.

    Read from `8086:100e`, or iPXE's `busid` setting, where a 1 for PCI comes first:
    `01:80:86:10:0e`, `018086100e`.
    """
    digits = re.sub(r"[^0-9a-f]", "", nic.lower())
    if len(digits) == 10 and digits.startswith("01"):
        digits = digits[2:]
    return f"{digits[:4]}:{digits[4:]}" if len(digits) == 8 else ""


def crawls(client: ScriptClient) -> bool:
    """Whether iPXE's driver for the client's card crawls over HTTP."""
    card = pci_id(client.nic)
    return card in CRAWLS_OVER_HTTP or (client.is_uefi and card in CRAWLS_ON_UEFI)


def _script(*lines: str) -> str:
    return "\n".join(("#!ipxe", *lines)) + "\n"


def _headline(version: ContentVersion) -> str:
    return f"echo netboot: {plain(version.label)}"


def _report(server: BootServer, token: str) -> str:
    return f"labpe.report={server.report_url(token)}"


def _cannot_boot(version: ContentVersion, chain: str, missing: Sequence[str]) -> str:
    return f"{version.label} can not be booted by {chain or 'any chain'}: no {', '.join(missing)}"


def _linux_bios(
    version: ContentVersion, client: ScriptClient, server: BootServer, arguments: str
) -> str:
    """A kernel with named initrds: iPXE wraps each in an archive, its last word the name inside."""
    by_tftp = crawls(client)

    def url(name: str) -> str:
        return server.file_url(version, name, by_tftp=by_tftp)

    return _script(
        _headline(version),
        f"kernel {url('vmlinuz')} {arguments}",
        f"initrd {url('initrd.gz')}",
        *(f"initrd -n {inside} {url(name)} {inside}" for name, inside in _named(version, "bios")),
        "boot",
    )


def _linux_uefi(
    version: ContentVersion, client: ScriptClient, server: BootServer, arguments: str
) -> str:
    """The EFI stub gets initrds as they are, so the image comes wrapped: boot.wim.cpio."""
    by_tftp = crawls(client)
    wrapped = ("initrd.gz", "boot.wim.cpio")
    urls = [server.file_url(version, name, by_tftp=by_tftp) for name in wrapped]
    kernel = server.file_url(version, "vmlinuz", by_tftp=by_tftp)
    return _script(
        _headline(version),
        f"kernel {kernel} {' '.join(f'initrd={name}' for name in wrapped)} {arguments}",
        *(f"initrd {url}" for url in urls),
        "boot",
    )


def _wimboot(version: ContentVersion, client: ScriptClient, server: BootServer) -> str:
    """Wimboot takes loaders, fonts and configuration out of the WIM where they are not given."""
    by_tftp = crawls(client)
    kind = "uefi" if client.is_uefi else "bios"
    program = f"tftp://{server.tftp}/p/wimboot" if by_tftp else f"{server.http}/p/wimboot"
    return _script(
        _headline(version),
        f"kernel {program}",
        *(
            f"initrd -n {inside} {server.file_url(version, name, by_tftp=by_tftp)} {inside}"
            for name, inside in _named(version, kind)
        ),
        "boot",
    )


def _named(version: ContentVersion, kind: str) -> list[tuple[str, str]]:
    """The version's files that go in by name, with the name inside; the image comes last."""
    own = "bootmgfw.efi" if kind == "uefi" else "bootmgr.exe"
    wanted = [(own, own), (f"BCD-{kind}", "BCD"), ("boot.sdi", "boot.sdi"), ("boot.wim",) * 2]
    return [pair for pair in wanted if version.file(pair[0]) is not None]


def _native(version: ContentVersion, client: ScriptClient, server: BootServer) -> str:
    r"""Microsoft's network boot program, fetched by the name that says its version.

    That name tells the TFTP server whose `\Boot\BCD` this machine will ask for. The program
    looks up server and file name in what iPXE remembers of DHCP, so both are set.
    """
    program = version_path(version, "bootmgfw.efi" if client.is_uefi else "pxeboot.n12")
    return _script(
        _headline(version),
        f"set netX/next-server {server.tftp}",
        f"set netX/filename {program}",
        f"chain --replace --autofree tftp://{server.tftp}{program}",
    )
