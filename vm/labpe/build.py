"""Builds images and driver packages from Debian packages, the same bytes each time."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netboot.images.architecture import Architecture
from vm.labpe import drivers, modules, packages
from vm.labpe.image import TIMESTAMP, Parts, write_image
from vm.labpe.initrd import build_initrd
from vm.labpe.initrd import is_wanted as initrd_wants

ARCHITECTURES = (Architecture.X64, Architecture.X86)
SUMS = "SHA256SUMS"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ingredients:
    """The Debian packages for one architecture; `kernel` is the first of `archives`."""

    architecture: Architecture
    kernel: str
    archives: tuple[Path, ...]

    @property
    def kernel_release(self) -> str:
        return self.kernel.removeprefix("linux-image-")

    @property
    def driver_version(self) -> str:
        """The kernel package's version as four numbers, for DriverVer."""
        version = self.archives[0].name.split("_")[1]
        numbers = re.findall(r"\d+", version)[:4]
        return ".".join([*numbers, *("0" * (4 - len(numbers)))])


def fetch(tree: packages.AptTree, say: Say) -> tuple[Ingredients, ...]:
    """Download what both architectures need. Raises OperatorFault."""
    say("Lab PE: fetching Debian packages (about 140 MB the first time)")
    tree.update()
    found = []
    for architecture in ARCHITECTURES:
        kernel = tree.kernel_package(architecture)
        archives = tree.download([kernel, *packages.USERLAND], architecture)
        found.append(Ingredients(architecture, kernel, tuple(archives)))
    return tuple(found)


def build(ingredients: tuple[Ingredients, ...], folder: Path, say: Say) -> None:
    """Build everything in `folder`, with checksums; `folder` appears complete or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        made = Path(scratch, "made")
        for part in ingredients:
            say(f"Lab PE: building {part.architecture.value} on Linux {part.kernel_release}")
            _build_one(part, made / part.architecture.value, Path(scratch, part.architecture.value))
        archives = [archive.name for part in ingredients for archive in part.archives]
        (made / "packages.txt").write_text("\n".join(archives) + "\n", encoding="utf-8")
        write_sums(made)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)


def _build_one(part: Ingredients, out: Path, scratch: Path) -> None:
    kernel_files = packages.read_files(part.archives[:1], modules.is_wanted)
    kernel = kernel_files[f"boot/vmlinuz-{part.kernel_release}"]
    initrd = build_initrd(packages.read_files(part.archives[1:], initrd_wants), part.architecture)
    out.mkdir(parents=True)
    (out / "vmlinuz").write_bytes(kernel)
    (out / "initrd.gz").write_bytes(initrd)
    for package in drivers.PACKAGES:
        drivers.write_package(
            package,
            part.architecture,
            out / "drivers" / package.name,
            modules=modules.KernelModules.among(kernel_files),
            version=part.driver_version,
        )
    parts = Parts(part.architecture, kernel, initrd, part.kernel_release)
    scratch.mkdir()
    write_image(parts, scratch / "tree", out / "boot.wim")
    for path in out.rglob("*"):
        os.utime(path, (TIMESTAMP, TIMESTAMP))


def write_sums(folder: Path) -> None:
    """SHA256SUMS over every file, as sha256sum(1) checks it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{file_digest(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def damaged_files(folder: Path) -> tuple[str, ...]:
    """Files that are missing or do not match SHA256SUMS; SHA256SUMS itself if it is missing."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return (SUMS,)
    rows = (line.partition("  ") for line in lines)
    return tuple(
        name
        for digest, _, name in rows
        if not (folder / name).is_file() or file_digest(folder / name) != digest
    )


def file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
