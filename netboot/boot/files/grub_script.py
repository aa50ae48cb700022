"""What GRUB is told: Debian has no iPXE for 32-bit UEFI, so GRUB boots the Lab PE there.

Two texts. The *early* one stands in the program itself and is read by GRUB's rescue parser,
which knows neither `if` nor `export`. It must name our address: on a network where another
server gives the addresses, GRUB believes the DHCP ACK and would ask that server for minutes.
The *menu*, `grub/grub.cfg`, is made for each client.

Files come by TFTP, which GRUB 2.06 reads faster than HTTP (and its HTTP knows no port). The
image comes wrapped as boot.wim.cpio: GRUB's own `newc:` writes names without a final NUL, and
kernels of 6.1.192 and later refuse such an archive.

References: GRUB 2.06 manual, §16 (commands) and §7 (network).
"""

import textwrap

from netboot.boot.files.ipxe_script import KERNEL_ARGUMENTS, REFUSAL_SECONDS, BootServer, plain
from netboot.boot.files.names import version_path
from netboot.images.versions.content_version import ContentVersion

PREFIX = "grub"
"""The folder that GRUB looks into, for its menu and (in vain, which does no harm) its modules."""

MENU_NAME = f"{PREFIX}/grub.cfg"

MODULES = (
    *("tftp", "http", "net", "normal", "linux", "configfile", "echo", "test", "serial"),
    *("terminal", "sleep", "gzio", "minicmd", "efinet", "efi_gop", "all_video"),
)
"""What the program must hold, since it fetches no module."""

NEEDED = ("vmlinuz", "initrd.gz", "boot.wim.cpio")


def early_config(address: str) -> str:
    """What stands in the program: speak on the serial line, and ask `address` for the menu."""
    return _lines(
        "serial --unit=0 --speed=115200",
        "terminal_output serial console",
        f"set prefix=(tftp,{address})/{PREFIX}",
        f"set root=tftp,{address}",
        f"normal (tftp,{address})/{MENU_NAME}",
    )


def missing_files(version: ContentVersion) -> tuple[str, ...]:
    """What `version` lacks to be booted by GRUB."""
    return tuple(name for name in NEEDED if version.file(name) is None)


def render(
    version: ContentVersion,
    server: BootServer,
    *,
    token: str,
    arguments: str = KERNEL_ARGUMENTS,
) -> str:
    """The menu that boots `version` at once, or one that says why it can't."""
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
    """A menu that says in plain words why there is nothing to boot, then lets go."""
    words = textwrap.wrap(plain(reason), 66) or ["no reason was given"]
    return _lines(
        _say("nothing to boot for this machine"),
        *(_say(line) for line in words),
        f"sleep --interruptible {REFUSAL_SECONDS}",
        "exit",
    )


def _say(text: str) -> str:
    """Inside single quotes GRUB takes every character as it is, but for the quote itself."""
    words = plain(text).replace("'", " ")
    return f"echo 'netboot: {words}'"


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
