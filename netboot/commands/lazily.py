"""Operations are loaded when a verb uses them: help and completion need none.

SQLAlchemy alone takes longer to load than all else that `netboot image --help` does.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

LAZY = "netboot.operations."


class _Finder(MetaPathFinder):
    """Finds operations as the system does, and executes them at their first use."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's spec; None for other modules."""
        if not fullname.startswith(LAZY):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def lazily() -> Iterator[None]:
    """Load no operation that is imported within.

    Only with a single thread: LazyLoader modules are not safe when two threads use one first.
    """
    if threading.active_count() > 1:
        yield
        return
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
