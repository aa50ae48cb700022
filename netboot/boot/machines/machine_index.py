"""Where words stand in what is known of machines: a search looks at what they share once.

A fleet has few makes, images and firmwares; only addresses differ, and those are one text here.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import TypeVar

from netboot.boot.machines.known_machine import DeviceList, KnownMachine

Keys = set[str]
K = TypeVar("K")


class MachineIndex:
    """The keys of machines, by what is searched. Told of each change; not safe for two threads."""

    def __init__(self) -> None:
        self._lists: dict[DeviceList, Keys] = {}
        self._words: dict[str, Keys] = {}
        self._keys: dict[str, None] = {}
        self._text: _Lines | None = None

    def change(self, before: KnownMachine | None, after: KnownMachine | None) -> None:
        """A machine is known otherwise than before; None where it is not known."""
        if before is not None and after is not None and _said(before) == _said(after):
            return
        if before is not None:
            self._drop(before)
        if after is not None:
            self._keys[after.key] = None
            self._lists.setdefault(after.told, set()).add(after.key)
            for word in (after.image, after.firmware):
                self._words.setdefault(word, set()).add(after.key)
        if (before is None) != (after is None):
            self._text = None  # otherwise the same keys, though in another order

    def find(self, words: Iterable[str]) -> Keys:
        """The keys of the machines that any of these words, in lower case, stands in."""
        wanted = tuple(word for word in words if word)

        def said(text: str) -> bool:
            return any(map(text.lower().__contains__, wanted))

        found = {key for text, keys in self._words.items() if said(text) for key in keys}
        for told, keys in self._lists.items():
            if any(map(said, told.lines)):
                found |= keys
        if self._text is None:
            self._text = _Lines(self._keys)
        for word in wanted:
            found.update(self._text.with_word(word))
        return found

    def _drop(self, machine: KnownMachine) -> None:
        _discard(self._lists, machine.told, machine.key)
        # One word may be both; the machine that follows is added anew.
        _discard(self._words, machine.image, machine.key)
        _discard(self._words, machine.firmware, machine.key)
        self._keys.pop(machine.key, None)


def _said(machine: KnownMachine) -> tuple[str, str, DeviceList]:
    return machine.image, machine.firmware, machine.told


def _discard(groups: dict[K, Keys], name: K, key: str) -> None:
    group = groups.get(name, set())
    group.discard(key)
    if not group:
        groups.pop(name, None)


class _Lines:
    """Texts as the lines of one, in lower case."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)
        lines = [f"{text.lower()}\n" for text in self._texts]
        self._whole = "".join(lines)
        self._ends = list(accumulate(map(len, lines)))

    def with_word(self, word: str) -> Iterable[str]:
        """The texts in which the word stands."""
        at = self._whole.find(word) if "\n" not in word else -1
        while at >= 0:
            line = bisect_right(self._ends, at)
            yield self._texts[line]
            at = self._whole.find(word, self._ends[line])
