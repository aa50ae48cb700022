"""The configuration of GRUB, which boots the Lab PE on 32-bit UEFI: Debian has no iPXE for it.

Two texts. The *early* one is inside the program and is read by GRUB's rescue parser, which knows
neither `if` nor `export`. It must name our address: if another server gives out the addresses,
GRUB believes the DHCP ACK and would ask that server for minutes. The *menu*, `grub/grub.cfg`, is
made for each client.

Files come by TFTP, which GRUB 2.06 reads faster than HTTP (its HTTP client accepts no port). The
image comes wrapped as boot.wim.cpio: GRUB's own `newc:` writes names without a final NUL, and
kernels from 6.1.192 on refuse such an archive.

References: GRUB 2.06 manual, §16 (commands) and §7 (network).
"""

import textwrap

from netboot.boot.files.ipxe_script import KERNEL_ARGUMENTS, REFUSAL_SECONDS, BootServer, plain
from netboot.boot.files.names import version_path
from netboot.images.versions.content_version import ContentVersion

PREFIX = "grub"
"""The folder where GRUB looks for its menu, and for modules that it does not need."""

MENU_NAME = f"{PREFIX}/grub.cfg"

MODULES = (
    *("tftp", "http", "net", "normal", "linux", "configfile", "echo", "test", "serial"),
    *("terminal", "sleep", "gzio", "minicmd", "efinet", "efi_gop", "all_video"),
)
"""The modules inside the program, which fetches none."""

NEEDED = ("vmlinuz", "initrd.gz", "boot.wim.cpio")


def early_config(address: str) -> str:
    """The text inside the program: use the serial line, and fetch the menu from `address`."""
    return _lines(
        "serial --unit=0 --speed=115200",
        "terminal_output serial console",
        f"set prefix=(tftp,{address})/{PREFIX}",
        f"set root=tftp,{address}",
        f"normal (tftp,{address})/{MENU_NAME}",
    )


def missing_files(version: ContentVersion) -> tuple[str, ...]:
    """The files that GRUB needs and `version` lacks."""
    return tuple(name for name in NEEDED if version.file(name) is None)


def render(
    version: ContentVersion,
    server: BootServer,
    *,
    token: str,
    arguments: str = KERNEL_ARGUMENTS,
) -> str:
    """The menu that boots `version` at once, or one that says why it cannot."""
    missing = missing_files(version)
    if missing:
        return refuse(f"{version.label} has no {', '.join(missing)}")
    kernel, *initrds = (f"(tftp,{server.tftp}){version_path(version, name)}" for name in NEEDED)
    return _lines(
        _say(version.label),
        f"linux {kernel} {arguments} labpe.report={server.report_url(token)}",
        f"initrd {' '.join(initrds)}",
        "boot",
    )


def refuse(reason: str) -> str:
    """A menu that shows why there is nothing to boot, then returns to the firmware."""
    words = textwrap.wrap(plain(reason), 66) or ["no reason was given"]
    return _lines(
        _say("nothing to boot for this machine"),
        *(_say(line) for line in words),
        f"sleep --interruptible {REFUSAL_SECONDS}",
        "exit",
    )


def _say(text: str) -> str:
    # GRUB manual, Quoting: between single quotes only the quote itself is special.
    words = plain(text).replace("'", " ")
    return f"echo 'netboot: {words}'"


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
