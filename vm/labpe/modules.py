"""Kernel modules: which others each one needs, in load order.

A kernel package has no modules.dep, so the dependencies come from each module's `.modinfo
depends=`.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netboot.errors import OperatorFault
from vm.labpe import elf

# Most of a kernel; our drivers need none of it.
_LEFT_OUT = (
    *("/sound/", "/drivers/gpu/", "/drivers/media/", "/drivers/net/wireless/", "/fs/", "/arch/"),
    *("/drivers/infiniband/", "/drivers/staging/", "/drivers/usb/", "/drivers/iio/"),
)


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module: its file's name, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class KernelModules:
    """The modules of one kernel by name, with underscores, and the names of what is built in."""

    modules: Mapping[str, Module]
    builtin: frozenset[str]

    @staticmethod
    def among(files: Mapping[str, bytes]) -> "KernelModules":
        """The modules among the files of a kernel package. Raises OperatorFault."""
        modules = {
            _key(path): Module(posixpath.basename(path), data)
            for path, data in sorted(files.items())
            if path.endswith(".ko")
        }
        if not modules:
            raise OperatorFault(
                "the kernel package contains no modules",
                hint="Its layout differs from Debian 12's; see vm/labpe/packages.py.",
            )
        lists = [data for path, data in files.items() if path.endswith("/modules.builtin")]
        names = (_key(line) for text in lists for line in text.decode("ascii").splitlines())
        return KernelModules(modules, frozenset(names))

    def load_order(self, names: Iterable[str]) -> tuple[Module, ...]:
        """The closure of `names`, each module after those that it needs. Raises OperatorFault."""
        order: list[Module] = []
        for name in names:
            self._visit(_key(name), order)
        return tuple(order)

    def _visit(self, name: str, order: list[Module]) -> None:
        if name in self.builtin:
            return
        module = self.modules.get(name)
        if module is None:
            raise OperatorFault(
                f"this kernel has no module {name}",
                hint="Another kernel version may have renamed it; see vm/labpe/drivers.py.",
            )
        if module in order:
            return
        depends = elf.module_facts(module.data).get("depends", "")
        for needed in filter(None, depends.split(",")):
            self._visit(_key(needed), order)
        order.append(module)


def is_wanted(path: str) -> bool:
    """Whether the Lab PE needs a file of a kernel package: the kernel, or a module for a card."""
    if path.startswith("boot/vmlinuz-") or path.endswith("/modules.builtin"):
        return True
    return path.endswith(".ko") and not any(part in path for part in _LEFT_OUT)


def _key(path: str) -> str:
    return posixpath.basename(path).removesuffix(".ko").replace("-", "_")
