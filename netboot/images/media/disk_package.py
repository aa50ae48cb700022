"""What a package for a machine's own disk says: which files, with which digests, from where.

The scripts themselves are fixed (see netboot.store.media); a package is a script with a few
values filled in. Law: a value that is filled in can never become a command, so each is either
made of safe characters alone or refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from netboot.errors import InvalidInput
from netboot.images.media.menu import quoted, wim_head
from netboot.images.media.request import LINUX, NATIVE
from netboot.images.versions.content_version import ContentVersion

FILLED_FROM = "What follows is filled in by the site that hands this script out."
FILLED_TO = "---- end of what is filled in"

_SAFE = re.compile(r"[A-Za-z0-9 .,:;()/_+=\\-]*")


class System(StrEnum):
    """What runs on the machine that takes the package."""

    LINUX = "linux"
    WINDOWS = "windows"


FILES = {
    System.LINUX: ("vmlinuz", "initrd.gz", "boot.wim"),
    System.WINDOWS: ("boot.wim", "boot.sdi"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPackage:
    """A version for the disks of machines that run `system`.

    `base` is where the version's files lie (`http://10.0.0.2:8081/v/lab-pe/7`), `arguments` are
    a kernel's, `loaders` name winload.exe and winload.efi inside a Windows PE.
    """

    version: ContentVersion
    system: System
    base: str
    arguments: str = ""
    loaders: tuple[str, str] = ("", "")


def systems_for(version: ContentVersion) -> tuple[System, ...]:
    """What may run on machines that take the version onto their disks.

    The Lab PE has stand-ins for Microsoft's loaders, too; those only know the network.
    """
    if LINUX in version.chains:
        return (System.LINUX,)
    return (System.WINDOWS,) if NATIVE in version.chains else ()


def check_system(version: ContentVersion, system: System) -> None:
    """Raise InvalidInput where such a machine cannot start the version from its disk."""
    fitting = systems_for(version)
    if system not in fitting:
        raise InvalidInput(
            f"{version.label} cannot start from the disk of a {system} machine",
            hint=f"Use a {fitting[0]} machine." if fitting else "Create boot media instead.",
        )


def fill_in(script: str, values: Mapping[str, str], *, comment: str) -> str:
    """The script with these lines in place of its empty ones.

    `comment` begins a comment in the script's language. Raises ValueError when the script has
    no place for them.
    """
    head, begun, rest = script.partition(f"{comment} {FILLED_FROM}\n")
    _empty, ended, tail = rest.partition(f"{comment} {FILLED_TO}\n")
    if not begun or not ended:
        raise ValueError("the script has no place for values")
    return head + begun + "".join(f"{line}\n" for line in values.values()) + ended + tail


def shell_values(package: DiskPackage) -> dict[str, str]:
    """The lines of the script for Linux."""
    version = package.version
    wim = version.file("boot.wim")
    head = wim_head(wim.size if wim else 0).decode("ascii").replace("\0", "\\000")
    listed = "\n".join(
        f"{digest} {size} {name}" for name, (digest, size) in _files(package).items()
    )
    values = {
        "LABEL": quoted(version.label),
        "ARCHITECTURE": version.architecture.value,
        "BASE": package.base,
        "ARGUMENTS": package.arguments,
        "HEAD": head,
        "IDENTITY": _files(package)["boot.wim"][0][:16],
    }
    lines = {name: f"NB_{name}='{_safe(name, value)}'" for name, value in values.items()}
    return {**lines, "FILES": f"NB_FILES='{listed}'"}


def powershell_values(package: DiskPackage) -> dict[str, str]:
    """The lines of the script for PowerShell."""
    version = package.version
    files = ", ".join(
        f"[pscustomobject]@{{ Name = '{name}'; Size = {size}; Sha256 = '{digest}' }}"
        for name, (digest, size) in _files(package).items()
    )
    bios, uefi = (_safe("loader", path) for path in package.loaders)
    return {
        "Label": f"$Label = '{quoted(version.label)}'",
        "Architecture": f"$Architecture = '{version.architecture.value}'",
        "Base": f"$Base = '{_safe('base', package.base)}'",
        "Files": f"$Files = @({files})",
        "Loaders": f"$Loaders = @{{ bios = '{bios}'; uefi = '{uefi}' }}",
    }


def batch_values(package: DiskPackage) -> dict[str, str]:
    """The lines of the script for cmd.exe, where a percent sign would begin a variable."""
    version = package.version
    files = " ".join(f"{name}:{digest}" for name, (digest, _) in _files(package).items())
    bios, uefi = (_safe("loader", path) for path in package.loaders)
    label = re.sub(r"[();]", " ", quoted(version.label))
    return {
        "LABEL": f'set "LABEL={label}"',
        "BASE": f'set "BASE={_safe("base", package.base)}"',
        "ARCHITECTURE": f'set "ARCHITECTURE={version.architecture.value}"',
        "LOADER_BIOS": f'set "LOADER_BIOS={bios}"',
        "LOADER_UEFI": f'set "LOADER_UEFI={uefi}"',
        "FILES": f'set "FILES={files}"',
    }


def _files(package: DiskPackage) -> dict[str, tuple[str, int]]:
    """Digest (hex) and size by name."""
    found = {}
    for name in FILES[package.system]:
        file = package.version.file(name)
        if file is None:
            raise InvalidInput(f"{package.version.label} does not contain {name}")
        found[name] = (file.digest.removeprefix("sha256:"), file.size)
    return found


def _safe(name: str, value: str) -> str:
    """The value, if it means nothing to any shell. Raises InvalidInput."""
    if not _SAFE.fullmatch(value):
        raise InvalidInput(f"{name.lower()} is not allowed in a script: {value[:80]!r}")
    return value
