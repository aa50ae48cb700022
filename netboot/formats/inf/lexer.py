"""Splits the text of an INF into sections, entries and fields.

Rules: Microsoft, "General Syntax Rules for INF Files". Names of sections and keys ignore case, two
sections of the same name are one, a semicolon outside quotes starts a comment, a doubled quote
inside quotes is a quote, and a backslash at the end of a line continues the entry.

Lines are split into fields on request only: most lines of a real INF are registry values, which
netboot never reads.
"""

from dataclasses import dataclass
from re import compile as pattern
from types import MappingProxyType
from typing import NamedTuple

from netboot.errors import FormatError

MAX_BYTES = 4 << 20
MAX_LINES = 100_000
MAX_SECTION_NAME = 255
WHITE = " \t\x0b\x0c"

# In a file that is not Unicode, each language has its own code page: VMware's vmxnet3.inf has
# Japanese, Korean and both kinds of Chinese in one file. Keys are primary language ids.
CODE_PAGES = MappingProxyType(
    {0x01: "cp1256", 0x04: "gbk", 0x08: "cp1253", 0x0D: "cp1255", 0x11: "cp932", 0x12: "cp949"}
    | {0x1E: "cp874", 0x1F: "cp1254", 0x2A: "cp1258"}
    | dict.fromkeys((0x05, 0x0E, 0x15, 0x18, 0x1A, 0x1B, 0x24), "cp1250")  # Central Europe
    | dict.fromkeys((0x19, 0x22), "cp1251")  # Cyrillic
    | dict.fromkeys((0x25, 0x26, 0x27), "cp1257")  # Baltic
)
_TRADITIONAL_CHINESE = frozenset({0x0404, 0x0C04, 0x1404})
_MARKS = (
    (b"\xff\xfe", "utf-16-le", "utf-16le"),
    (b"\xfe\xff", "utf-16-be", "utf-16be"),
    (b"\xef\xbb\xbf", "utf-8", "utf-8"),
)
# What can follow a backslash that ends a line. Most INFs have no such place.
_MAY_CONTINUE = tuple(f"\\{after}" for after in f"\n;{WHITE}")
_PIECE = pattern(r'"((?:[^"]+|"")*)(?:"|\Z)|([^",]+)|(,)')


class Entry(NamedTuple):
    """One line of a section; `key` is empty if there is no equals sign."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sections:
    """An INF as sections of lines, without comments, with continued lines joined.

    `encoding` is that of the file: utf-16le, utf-16be, utf-8, ascii or ansi.
    """

    encoding: str
    lines: MappingProxyType[str, tuple[str, ...]]
    findings: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        return name.lower() in self.lines

    def entries(self, name: str) -> list[Entry]:
        """The entries of the section; none if there is no such section."""
        return [split_entry(line) for line in self.body(name)]

    def body(self, name: str) -> tuple[str, ...]:
        """The lines of the section in their code page, not split into fields."""
        lines = self.lines.get(name.lower(), ())
        if self.encoding == "ansi":
            page = _code_page(name.lower())
            lines = tuple(line.encode("latin-1").decode(page, "replace") for line in lines)
        return lines


def cut(data: bytes) -> Sections:
    """The sections of an INF. Raises FormatError if it is too large."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"an INF larger than {MAX_BYTES >> 20} MiB")
    text, encoding = decode(data)
    # Ctrl-Z ends a DOS text file. A NUL would become a percent sign in `strings`.
    text = text.partition("\x1a")[0].replace("\0", " ").replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") >= MAX_LINES:
        raise FormatError(f"an INF with more than {MAX_LINES} lines")
    sections: dict[str, list[str]] = {}
    findings = _fill(sections, _logical_lines(text))
    lines = MappingProxyType({name: tuple(body) for name, body in sections.items()})
    return Sections(encoding, lines, findings)


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding."""
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace"), name
    # UTF-16 without a byte order mark: two ASCII characters have a zero in every other byte.
    zeros = [byte == 0 for byte in data[:4]]
    if zeros == [False, True] * 2:
        return data.decode("utf-16-le", "replace"), "utf-16le"
    if zeros == [True, False] * 2:
        return data.decode("utf-16-be", "replace"), "utf-16be"
    if data.isascii():
        return data.decode("ascii"), "ascii"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # Sections differ in their code page, so `Sections.body` decodes them again. All of these
        # code pages agree on the characters that have a meaning in an INF.
        return data.decode("latin-1"), "ansi"


def _code_page(section: str) -> str:
    """The code page of a section in an ANSI file; Western European by default."""
    if not section.startswith("strings."):
        return "cp1252"
    try:
        language = int(section[8:], 16)
    except ValueError:
        return "cp1252"
    if language in _TRADITIONAL_CHINESE:
        return "big5"
    return CODE_PAGES.get(language & 0x3FF, "cp1252")


def _logical_lines(text: str) -> list[str]:
    """The lines, stripped, without comments and empty lines, continued lines joined."""
    if not text.endswith("\\") and not any(mark in text for mark in _MAY_CONTINUE):
        whole = [_without_comment(raw) if ";" in raw else raw for raw in text.split("\n")]
        return [stripped for line in whole if (stripped := line.strip(WHITE))]
    lines: list[str] = []
    pending: list[str] = []
    for raw in text.split("\n"):
        line = (_without_comment(raw) if ";" in raw else raw).strip(WHITE)
        continues = line.endswith("\\") and line.count('"') % 2 == 0  # not inside quotes
        if not pending and not continues:
            if line:
                lines.append(line)
            continue
        if pending and line.startswith("["):
            # In `1 = %Disk%,,,\` the backslash is a path and must not join the next section.
            lines.append(" ".join(pending))
            pending = []
        pending.append(line.rstrip("\\").rstrip(WHITE) if continues else line)
        if not continues:
            lines.append(" ".join(pending))
            pending = []
    lines.append(" ".join(pending))
    return [stripped for line in lines if (stripped := line.strip(WHITE))]


def _without_comment(line: str) -> str:
    """The line up to the first semicolon outside quotes."""
    at = _outside_quotes(line, ";")
    return line if at < 0 else line[:at]


def _outside_quotes(line: str, mark: str) -> int:
    """The place of the first `mark` outside quotes, or -1."""
    if '"' not in line:
        return line.find(mark)
    start = 0
    for number, part in enumerate(line.split('"')):
        at = part.find(mark) if number % 2 == 0 else -1
        if at >= 0:
            return start + at
        start += len(part) + 1
    return -1


def _fill(sections: dict[str, list[str]], lines: list[str]) -> tuple[str, ...]:
    """Put the lines into their sections; returns findings about lines that belong to none."""
    body: list[str] | None = None
    lost = unterminated = 0
    for line in lines:
        if line[0] == "[":
            end = line.find("]")
            if end < 0:
                unterminated += 1
                body = None
                continue
            name = line[1:end].strip(WHITE).strip('"').lower()
            body = sections.setdefault(name, [])
        elif body is None:
            lost += 1
        else:
            body.append(line)
    findings = []
    if lost:
        findings.append(f"{lost} lines before the first section are ignored.")
    if unterminated:
        findings.append(f"{unterminated} section names have no closing bracket.")
    return tuple(findings)


def split_entry(line: str) -> Entry:
    """A line as key and fields."""
    if '"' not in line:
        key, equals, value = line.partition("=")
        if equals:
            return Entry(key.strip(WHITE), tuple([word.strip(WHITE) for word in value.split(",")]))
        return Entry("", split_fields(line))
    at = _outside_quotes(line, "=")
    if at < 0:
        return Entry("", split_fields(line))
    return Entry(unquote(line[:at]), split_fields(line[at + 1 :]))


def unquote(text: str) -> str:
    """The text without the blanks and quotes around it."""
    text = text.strip(WHITE)
    if text.startswith('"'):
        text = text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:]
        text = text.replace('""', '"')
    return text


def split_fields(text: str) -> tuple[str, ...]:
    """The fields between commas; blanks at their ends are kept only inside quotes."""
    if '"' not in text:
        return tuple([field.strip(WHITE) for field in text.split(",")])
    text = text.strip(WHITE)
    if text[0] == text[-1] == '"' and text.count('"') == 2:
        return (text[1:-1],)
    fields: list[str] = []
    pieces: list[tuple[str, bool]] = []
    for quoted, plain, comma in _PIECE.findall(text):
        if comma:
            fields.append(_join(pieces))
            pieces = []
        elif plain:
            pieces.append((plain, False))
        else:
            pieces.append((quoted.replace('""', '"'), True))
    fields.append(_join(pieces))
    return tuple(fields)


def _join(pieces: list[tuple[str, bool]]) -> str:
    """One field from its quoted and plain pieces."""
    texts = [text for text, _ in pieces]
    if pieces and not pieces[0][1]:
        texts[0] = texts[0].lstrip(WHITE)
    if pieces and not pieces[-1][1]:
        texts[-1] = texts[-1].rstrip(WHITE)
    return "".join(texts)
