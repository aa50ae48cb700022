"""The Lab PE: `.wim` images laid out like Windows PE, built from Debian packages.

A Linux kernel takes the place of Windows PE: it opens its own WIM, obeys the start files, matches
driver packages (INF hardware IDs) with the machine's PCI devices, loads only those, starts the
network and reports home. It contains no Microsoft file. `ensure()` builds it once; later it takes
it from the cache, if the checksums are right.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from netboot.errors import NotFound
from netboot.images.architecture import Architecture
from vm.labpe.build import ARCHITECTURES, SUMS, build, damaged_files, fetch
from vm.labpe.drivers import PACKAGES
from vm.labpe.image import image_name
from vm.labpe.packages import AptTree

__all__ = ["LabPe", "ensure", "find", "image_name", "kernel_arguments"]

CACHE_VARIABLE = "NETBOOT_CACHE"


@dataclass(frozen=True, slots=True)
class LabPe:
    """A finished build in `folder`. `wim`, `kernel` and `initrd` are files by architecture."""

    folder: Path

    @property
    def wim(self) -> Mapping[Architecture, Path]:
        return self._files("boot.wim")

    @property
    def kernel(self) -> Mapping[Architecture, Path]:
        return self._files("vmlinuz")

    @property
    def initrd(self) -> Mapping[Architecture, Path]:
        return self._files("initrd.gz")

    @property
    def drivers(self) -> tuple[str, ...]:
        return tuple(package.name for package in PACKAGES)

    def driver_folder(self, name: str, architecture: Architecture) -> Path:
        """The folder with one package's INF and payload. Raises NotFound."""
        folder = self.folder / architecture.value / "drivers" / name
        if not folder.is_dir():
            raise NotFound(
                f"the Lab PE has no driver package {name!r} for {architecture.value}",
                hint=f"It has: {', '.join(self.drivers)}.",
            )
        return folder

    def _files(self, name: str) -> Mapping[Architecture, Path]:
        return MappingProxyType({arch: self.folder / arch.value / name for arch in ARCHITECTURES})


def kernel_arguments(*, report: str, id: str) -> str:  # noqa: A002  (the argument's own name)
    """The kernel's command line: both consoles, reboot on panic, report address, identity."""
    return f"console=tty0 console=ttyS0 quiet panic=-1 labpe.report={report} labpe.id={id}"


def cache_folder() -> Path:
    """Where builds are kept: outside the source tree, so that every clone finds them."""
    base = os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "netboot"
    return Path(base) / "labpe"


def ensure(*, say: Callable[[str], None] = print, refresh: bool = False) -> LabPe:
    """The Lab PE of this source tree, built if it is not in the cache.

    `refresh` also looks for newer Debian packages. Raises OperatorFault, MissingTool.
    """
    with _locked(cache_folder()) as cache:
        found = None if refresh else _find(cache, say)
        if found is not None:
            return found
        ingredients = fetch(AptTree(cache / "apt"), say)
        kernels = dict.fromkeys(part.kernel_release.rpartition("-")[0] for part in ingredients)
        folder = cache / "-".join([*kernels, source_key()])
        if not folder.exists() or damaged_files(folder):
            build(ingredients, folder, say)
        _forget_others(cache, folder)
        return LabPe(folder)


def find() -> LabPe | None:
    """The verified build in the cache, if there is one."""
    with _locked(cache_folder()) as cache:
        return _find(cache, print)


def source_key() -> str:
    """Changes with every file that the build depends on."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(here)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _find(cache: Path, say: Callable[[str], None]) -> LabPe | None:
    builds = sorted(cache.glob(f"*-{source_key()}"), key=lambda path: path.stat().st_mtime)
    for folder in reversed(builds):
        damaged = damaged_files(folder)
        if not damaged:
            return LabPe(folder)
        say(f"Lab PE: {folder.name} is damaged ({', '.join(damaged[:3])}): building it again")
    return None


def _forget_others(cache: Path, keep: Path) -> None:
    """Delete all other builds but the newest two: another checkout may use one."""
    builds = [path.parent for path in cache.glob(f"*/{SUMS}") if path.parent != keep]
    for folder in sorted(builds, key=lambda path: path.stat().st_mtime)[:-2]:
        shutil.rmtree(folder)


@contextmanager
def _locked(cache: Path) -> Iterator[Path]:
    """One build at a time for all processes of this user."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache
