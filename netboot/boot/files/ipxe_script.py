"""The scripts that iPXE runs: whole texts, made from a content version.

Commands are those of iPXE 1.0.0+git-20190125 (Debian 12's): kernel, initrd, chain, cpuid,
set, echo, prompt, exit; nothing newer.

Three chains (see netboot.images.versions.content_version):

linux    the Lab PE: a Linux kernel instead of wimboot, the same form of script
wimboot  wimboot takes Microsoft's loaders out of the WIM; the administrator supplies wimboot
native   Microsoft's own network boot program, by TFTP

A script never fails silently: if nothing can be booted, it says why and after a while returns to
the firmware.

References: the iPXE scripting pages (ipxe.org/scripting, ipxe.org/cmd), wimboot's README.
"""

import re
import textwrap
from collections.abc import Container
from dataclasses import dataclass
from functools import partial

from netboot.boot.files.names import version_path
from netboot.images.versions.content_version import ContentVersion

LINUX, WIMBOOT, NATIVE = "linux", "wimboot", "native"

KERNEL_ARGUMENTS = "quiet console=tty0 console=ttyS0,115200 panic=30 no_timer_check"
"""The Lab PE's kernel uses screen and serial line, and restarts after a panic.

no_timer_check: a virtual machine on a busy host misses timer ticks at the start, and the kernel
would stop because it takes that for broken hardware.
"""

REFUSAL_SECONDS = 15

BCD_PATH = b"\\Boot\\BCD\0"
r"""DHCP option 252 for Microsoft's boot managers, with the NUL that Windows 8's wants."""

ASKS_AGAIN = "the processor decides between 32 and 64 bits"
"""The reason of a script that boots nothing yet (`choose_architecture`)."""

# iPXE's drivers for these lose bursts: less than 1 % of a kernel in 40 s over HTTP, while TFTP,
# one block at a time, works (seen with QEMU's cards). AMD PCnet, and the Intel 8255x family by
# the ids of iPXE's eepro100 driver.
CRAWLS_OVER_HTTP = frozenset(
    {"1022:2000", "1022:2001"}
    | {f"8086:{device:04x}" for device in (0x1029, *range(0x1030, 0x103F))}
    | {f"8086:{device:04x}" for device in (*range(0x1050, 0x105A), 0x1064, 0x1065, 0x1092)}
    | {f"8086:{device:04x}" for device in (0x1209, 0x1227, 0x1228, 0x1229)}
    | {f"8086:{device:04x}" for device in (0x2449, 0x2459, 0x245D, 0x27DC, 0x5200, 0x5201)}
)

# NE2000 on PCI: HTTP works with the BIOS driver and times out with the EFI driver.
CRAWLS_ON_UEFI = frozenset({"10ec:8029"})

# The files that a chain needs, by the kind of firmware.
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
        return f"{self.http}/report/{token}"

    def file_url(self, version: ContentVersion, name: str, *, by_tftp: bool = False) -> str:
        base = f"tftp://{self.tftp}" if by_tftp else self.http
        return base + version_path(version, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptClient:
    """The client that requests a script.

    `firmware` is `bios` or `uefi…`; `nic` is the card's PCI id in any of iPXE's spellings.
    """

    firmware: str
    nic: str = ""
    mac: str = ""

    @property
    def is_uefi(self) -> bool:
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
    """The script that boots `version`, or one that says why it cannot.

    `chain` is by default the first one that can boot this version; the boot image reports home
    with `token`; `supplied` are the names of the boot programs that the administrator imported.
    """
    chain = chain or best_chain(version, client.firmware, supplied)
    missing = missing_files(version, chain, client.firmware, supplied)
    if missing:
        by = f"by the chain {chain}" if chain else "by any chain"
        return refuse(f"{version.label} cannot be booted {by}: no {', '.join(missing)}", client)
    match chain:
        case "linux":
            arguments = f"{arguments} labpe.report={server.report_url(token)}"
            script = _linux_uefi if client.is_uefi else _linux_bios
            return script(version, client, server, arguments)
        case "wimboot":
            return _wimboot(version, client, server)
        case _:
            return _native(version, client, server)


def best_chain(version: ContentVersion, firmware: str, supplied: Container[str] = ()) -> str:
    """The first chain whose files are complete, else the first; the preferred one leads."""
    chains = version.chains_for(firmware)
    whole = (one for one in chains if not missing_files(version, one, firmware, supplied))
    return next(whole, next(iter(chains), ""))


def missing_files(
    version: ContentVersion, chain: str, firmware: str, supplied: Container[str] = ()
) -> tuple[str, ...]:
    """What this chain needs and `version` lacks; the chain itself if the version has none."""
    kind = "uefi" if "efi" in firmware.lower() else "bios"
    needed = NEEDED.get((chain, kind))
    if needed is None or chain not in version.chains:
        return (f"chain {chain or '(none)'}",)
    lacking = tuple(name for name in needed if version.file(name) is None)
    if chain == WIMBOOT and WIMBOOT not in supplied:
        return (*lacking, WIMBOOT)
    return lacking


def choose_architecture(url: str) -> str:
    """A script that asks again with `&cpu=x64` or `&cpu=x86`, as the processor can run.

    A BIOS client's option 93 is 0 on both. `cpuid --ext 29` is bit 29 of EDX of CPUID 0x80000001:
    long mode. `url` must have a query already.
    """
    return _script(
        "cpuid --ext 29 && set cpu x64 || set cpu x86",
        f"chain --replace --autofree {url}&cpu=${{cpu}}",
    )


def refuse(reason: str, client: ScriptClient) -> str:
    """A script that shows why there is nothing to boot, then returns to the firmware.

    On UEFI it ends with a failure: after EFI_SUCCESS the boot manager need not try its next entry
    (UEFI specification §3.1.1).
    """
    words = textwrap.wrap(plain(reason), 66) or ["no reason was given"]
    return _script(
        "echo",
        f"echo netboot: nothing to boot for {plain(client.mac) or 'this machine'}",
        *(f"echo netboot: {line}" for line in words),
        "echo",
        f"prompt --timeout {REFUSAL_SECONDS * 1000} Press any key for the next boot device ||",
        "exit 1" if client.is_uefi else "exit",
    )


def plain(text: str) -> str:
    """The text without anything special to iPXE's command line: `${…}`, `&&`, `||`, `#`."""
    return " ".join(re.sub(r"[^A-Za-z0-9 .,:;()'/_+-]", " ", text).split())


def pci_id(nic: str) -> str:
    """`vendor:device` in lower-case hex, or "" if this is not a PCI id.

    Written as `8086:100e`, or as iPXE's `busid` setting, where a 1 for PCI comes first:
    `01:80:86:10:0e`, `018086100e`.
    """
    digits = re.sub(r"[^0-9a-f]", "", nic.lower())
    if len(digits) == 10 and digits.startswith("01"):
        digits = digits[2:]
    return f"{digits[:4]}:{digits[4:]}" if len(digits) == 8 else ""


def crawls(client: ScriptClient) -> bool:
    """Whether iPXE's driver for the client's card is very slow over HTTP."""
    card = pci_id(client.nic)
    return card in CRAWLS_OVER_HTTP or (client.is_uefi and card in CRAWLS_ON_UEFI)


def _script(*lines: str) -> str:
    return "\n".join(("#!ipxe", *lines)) + "\n"


def _headline(version: ContentVersion) -> str:
    return f"echo netboot: {plain(version.label)}"


def _linux_bios(
    version: ContentVersion, client: ScriptClient, server: BootServer, arguments: str
) -> str:
    """A kernel with named initrds: iPXE wraps each in an archive, its last word the name inside."""
    url = partial(server.file_url, version, by_tftp=crawls(client))
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
    """The EFI stub gets initrds unchanged, so the image comes wrapped: boot.wim.cpio."""
    url = partial(server.file_url, version, by_tftp=crawls(client))
    return _script(
        _headline(version),
        f"kernel {url('vmlinuz')} initrd=initrd.gz initrd=boot.wim.cpio {arguments}",
        f"initrd {url('initrd.gz')}",
        f"initrd {url('boot.wim.cpio')}",
        "boot",
    )


def _wimboot(version: ContentVersion, client: ScriptClient, server: BootServer) -> str:
    """Wimboot takes loaders, fonts and configuration that it is not given out of the WIM."""
    by_tftp = crawls(client)
    url = partial(server.file_url, version, by_tftp=by_tftp)
    named = _named(version, "uefi" if client.is_uefi else "bios")
    return _script(
        _headline(version),
        f"kernel {f'tftp://{server.tftp}' if by_tftp else server.http}/p/wimboot",
        *(f"initrd -n {inside} {url(name)} {inside}" for name, inside in named),
        "boot",
    )


def _named(version: ContentVersion, kind: str) -> list[tuple[str, str]]:
    """The version's files with the names that wimboot knows; the image comes last."""
    own = "bootmgfw.efi" if kind == "uefi" else "bootmgr.exe"
    wanted = [(own, own), (f"BCD-{kind}", "BCD"), ("boot.sdi", "boot.sdi"), ("boot.wim",) * 2]
    return [pair for pair in wanted if version.file(pair[0]) is not None]


def _native(version: ContentVersion, client: ScriptClient, server: BootServer) -> str:
    r"""Microsoft's network boot program, by the name that contains its version.

    By that name the TFTP server knows whose `\Boot\BCD` this machine will request. The program
    takes server and file name from iPXE's copy of the DHCP packets (fakedhcp.c), so both are set,
    and option 252 as in netboot.boot.answer.reply.
    """
    program = version_path(version, "bootmgfw.efi" if client.is_uefi else "pxeboot.n12")
    return _script(
        _headline(version),
        f"set netX/next-server {server.tftp}",
        f"set netX/filename {program}",
        f"set netX/252:hexraw {BCD_PATH.hex()} ||",  # an old iPXE may know no such type
        f"chain --replace --autofree tftp://{server.tftp}{program}",
    )
