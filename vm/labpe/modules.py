"""Kernel modules: which others each one needs, in the order that they are to be loaded.

A kernel package brings no modules.dep, so the closure is taken from each module's own
`.modinfo depends=`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import OperatorFault
from vm.labpe import elf


@dataclass(frozen=True, slots=True)
class ModuleFolder:
    """The modules of one kernel, by their name with underscores."""

    paths: dict[str, Path]
    builtin: frozenset[str]

    @staticmethod
    def read(folder: Path) -> "ModuleFolder":
        """The modules under `lib/modules/<version>`; what is built in is known by modules.builtin.

        Raises:
            OperatorFault: the folder holds no module.
        """
        paths = {_key(path.stem): path for path in sorted(folder.rglob("*.ko"))}
        if not paths:
            raise OperatorFault(
                f"no kernel module under {folder}",
                hint="The kernel package is not laid out as expected.",
            )
        lists = (path.read_text(encoding="ascii") for path in folder.rglob("modules.builtin"))
        names = (_key(Path(line).stem) for text in lists for line in text.splitlines())
        return ModuleFolder(paths, frozenset(names))

    def load_order(self, names: Iterable[str]) -> tuple[Path, ...]:
        """The closure of `names`, each module after those that it needs.

        Raises:
            OperatorFault: a name is neither a module nor built in.
        """
        order: list[Path] = []
        for name in names:
            self._visit(_key(name), order)
        return tuple(order)

    def _visit(self, name: str, order: list[Path]) -> None:
        if name in self.builtin:
            return
        path = self.paths.get(name)
        if path is None:
            raise OperatorFault(
                f"this kernel has no module {name}",
                hint="Another kernel version may have renamed it; see vm/labpe/drivers.py.",
            )
        if path in order:
            return
        depends = elf.module_facts(path.read_bytes()).get("depends", "")
        for needed in filter(None, depends.split(",")):
            self._visit(_key(needed), order)
        order.append(path)


def _key(name: str) -> str:
    return name.replace("-", "_")
