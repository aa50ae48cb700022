"""The scripts with which a machine puts a boot image on its disk: filled in and packed."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from netboot.images.media.disk_package import (
    DiskPackage,
    System,
    batch_values,
    check_system,
    fill_in,
    powershell_values,
    shell_values,
)

HERE = Path(__file__).parent
_ZIP_TIME = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """The file that the machine downloads: name, content type, bytes."""

    name: str
    kind: str
    data: bytes


def make_package(package: DiskPackage) -> PackageFile:
    """The script for Linux, or a ZIP with those for Windows. Raises InvalidInput."""
    check_system(package.version, package.system)
    if package.system is System.LINUX:
        script = fill_in(_read("linux.sh"), shell_values(package), comment="#")
        return PackageFile("netboot-disk.sh", "text/x-shellscript", script.encode("ascii"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in windows_scripts(package).items():
            # CRLF: with LF alone, cmd.exe misses labels when it jumps in a batch file.
            packed.writestr(zipfile.ZipInfo(name, _ZIP_TIME), text.replace("\n", "\r\n"))
    return PackageFile("netboot-disk.zip", "application/zip", made.getvalue())


def windows_scripts(package: DiskPackage) -> dict[str, str]:
    """PowerShell, and cmd for machines whose policy forbids PowerShell scripts."""
    return {
        "netboot-disk.ps1": fill_in(_read("windows.ps1"), powershell_values(package), comment="#"),
        "netboot-disk.cmd": fill_in(_read("windows.cmd"), batch_values(package), comment="rem"),
    }


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="ascii")
