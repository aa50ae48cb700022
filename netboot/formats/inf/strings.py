"""Replaces the %tokens% of an INF (Microsoft: "INF Strings Section").

`[Strings]` defines them, `[Strings.0407]` in German; `%%` is a percent sign. A file may define a
token by itself, so expansion has bounds: DEPTH steps, MAX_EXPANDED characters for one string and
MAX_TOTAL for one INF.
"""

from re import Match
from re import compile as pattern

from netboot.errors import FormatError
from netboot.formats.inf.lexer import WHITE, Sections, split_entry

DEPTH = 8
MAX_EXPANDED = 64 << 10
MAX_TOTAL = 64 << 20

_TOKEN = pattern("%([^%]*)%")
# A literal percent sign during expansion: the lexer has removed all NULs.
_PERCENT = "\0"


class Strings:
    """The tokens of one INF. `undefined` collects those that are used but not defined."""

    def __init__(self, sections: Sections) -> None:
        self.undefined: dict[str, None] = {}
        self._sections = sections
        self._words = _table(sections, "strings")
        self._translations: dict[str, str] | None = None
        self._known: dict[str, str] = {}
        self._total = 0
        self._limit = MAX_EXPANDED

    @property
    def languages(self) -> tuple[int, ...]:
        """The languages of its translations, as Windows language ids."""
        found = (_language(name) for name in self._sections.lines)
        return tuple(sorted({language for language in found if language is not None}))

    def expand(self, text: str) -> str:
        """`text` with its known tokens replaced. Raises FormatError if it grows without limit."""
        if "%" not in text:
            return text
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._whole(text) or self._expand(text)
        return known

    def _whole(self, text: str) -> str:
        """The word for a text that is exactly one token, as most are; else empty."""
        token = text[1:-1]
        if text[0] != "%" or text[-1] != "%" or "%" in token:
            return ""
        word = self._words.get(token.lower(), "")
        if "%" in word or len(word) > MAX_EXPANDED or self._total + len(word) > MAX_TOTAL:
            return ""
        self._total += len(word)
        return word

    def _expand(self, text: str) -> str:
        self._limit = self._total + MAX_EXPANDED
        for _ in range(DEPTH):
            longer = _TOKEN.sub(self._word, text)
            if longer == text:
                break
            text = longer
            if "%" not in text:
                break
        return text.replace(_PERCENT, "%")

    def _word(self, match: Match[str]) -> str:
        token = match[1].lower()
        if not token:
            return _PERCENT
        word = self._words.get(token)
        if word is None:
            word = self._translation(token)
        if word is None:
            # %12% is not a token but the id of a folder (Microsoft: "Using Dirids").
            if not token.isdecimal():
                self.undefined.setdefault(match[0][:80])
            return match[0]
        self._total += len(word)
        if self._total > min(self._limit, MAX_TOTAL):
            raise FormatError("string tokens that expand without limit")
        return word

    def _translation(self, token: str) -> str | None:
        """The word from the first language that defines it, English before the others."""
        if self._translations is None:
            names = [name for name in self._sections.lines if _language(name) is not None]
            names.sort(key=lambda name: (_language(name) not in {0x09, 0x409}, name))
            self._translations = {}
            for name in names:
                for key, word in _table(self._sections, name).items():
                    self._translations.setdefault(key, word)
        return self._translations.get(token)


def _table(sections: Sections, name: str) -> dict[str, str]:
    """Tokens and words of one section; the first definition of a token counts."""
    table: dict[str, str] = {}
    for line in sections.body(name):
        key, _, value = line.partition("=")
        word = value.strip(WHITE)
        if len(word) < 2 or word[0] != word[-1] or word[0] != '"' or line.count('"') != 2:
            key, values = split_entry(line)
            word = values[0]
        else:
            key, word = key.strip(WHITE), word[1:-1]
        if key:
            table.setdefault(key.lower(), word)
    return table


def _language(section: str) -> int | None:
    """The language id in `strings.0407`; None for any other section."""
    if not section.startswith("strings."):
        return None
    try:
        return int(section[8:], 16)
    except ValueError:
        return None
