"""The values in a disk package: which files, with which digests, from which address.

A package is a fixed script (see netboot.store.media) with a few values filled in. Law: a value can
never become a command, so each has only safe characters or is refused.
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

# Neither quotes nor $, %, &, |, <, >, ^, ! or `: nothing that sh, PowerShell or cmd.exe expand.
_SAFE = re.compile(r"[A-Za-z0-9 .,:;()/_+=\\-]*")


class System(StrEnum):
    """The operating system of the machine that runs the package."""

    LINUX = "linux"
    WINDOWS = "windows"


FILES = {
    System.LINUX: ("vmlinuz", "initrd.gz", "boot.wim"),
    System.WINDOWS: ("boot.wim", "boot.sdi"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPackage:
    """A version for the disks of machines that run `system`.

    `base` is the address of its files (`http://10.0.0.2:8081/v/lab-pe/7`), `arguments` are for a
    kernel, `loaders` are the paths of winload.exe and winload.efi in a Windows PE.
    """

    version: ContentVersion
    system: System
    base: str
    arguments: str = ""
    loaders: tuple[str, str] = ("", "")


def systems_for(version: ContentVersion) -> tuple[System, ...]:
    """The systems that can put the version on their disks."""
    # The Lab PE has substitutes for Microsoft's loaders, too, but those read only the network.
    if LINUX in version.chains:
        return (System.LINUX,)
    return (System.WINDOWS,) if NATIVE in version.chains else ()


def check_system(version: ContentVersion, system: System) -> None:
    """Raise InvalidInput if such a machine cannot start the version from its disk."""
    fitting = systems_for(version)
    if system not in fitting:
        raise InvalidInput(
            f"{version.label} cannot start from the disk of a {system.capitalize()} machine",
            hint=f"Use a {fitting[0].capitalize()} machine."
            if fitting
            else "Create boot media instead.",
        )


def fill_in(script: str, values: Mapping[str, str], *, comment: str) -> str:
    """The script with these lines between its two markers.

    `comment` begins a comment in its language. Raises ValueError if the markers are missing.
    """
    head, begun, rest = script.partition(f"{comment} {FILLED_FROM}\n")
    _empty, ended, tail = rest.partition(f"{comment} {FILLED_TO}\n")
    if not begun or not ended:
        raise ValueError("the script has no place for values")
    return head + begun + "".join(f"{line}\n" for line in values.values()) + ended + tail


def shell_values(package: DiskPackage) -> dict[str, str]:
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
    """The value, if it has no special character of any shell. Raises InvalidInput."""
    if not _SAFE.fullmatch(value):
        raise InvalidInput(f"{name.lower()} is not allowed in a script: {value[:80]!r}")
    return value
