r"""winpeshl.ini: the programs that an image lists there, and the file with ours before all of them.

Windows PE runs the programs of [LaunchApp] and [LaunchApps] in the order in which they appear, each
after the one before has ended. [LaunchApp] can name only one (`AppPath=`), so a file that uses it
is rewritten with one [LaunchApps] that lists all programs in their order. A file with [LaunchApps]
alone keeps its lines.

Reference: Microsoft's "Winpeshl.ini reference: Launching an app when Windows PE starts".
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Windows reads no blanks inside the brackets; a heading that is rewritten without them is read.
_HEADING = re.compile(r"\[\s*(?P<name>[^\]]*?)\s*\]")
_APP_PATH = re.compile(r"AppPath\s*=\s*(?P<path>.+)", re.IGNORECASE)
_APP, _APPS = "launchapp", "launchapps"
_NEW_HEADING = "[LaunchApps]\r\n"
_MARKS = ("\ufeff", "\xef\xbb\xbf")
"""The byte order marks of UTF-16, and of UTF-8 where the file is read byte by byte."""

_UTF16 = re.compile(
    rb"\A(?:[^\x00]\x00){0,4000}?\[\x00(?:[ \t]\x00)*l\x00a\x00u\x00n\x00", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its end, its section in lower case, and the program that it names, or ""."""

    text: str
    section: str = ""
    program: str = ""
    is_heading: bool = False


def decode_ini(data: bytes) -> str | None:
    """The text of a winpeshl.ini in UTF-16, with its byte order mark; None for other encodings."""
    if data[:2] == b"\xff\xfe":
        return data.decode("utf-16-le", "replace")
    if data[:2] == b"\xfe\xff":
        return data.decode("utf-16-be", "replace")
    # Windows recognises UTF-16 without a mark as well (IsTextUnicode).
    return "\ufeff" + data.decode("utf-16-le", "replace") if _UTF16.match(data) else None


def launched_programs(text: str) -> tuple[str, ...]:
    """The programs in their order, as [LaunchApps] writes them."""
    return tuple(line.program for line in _read(text) if line.program)


def with_ours(text: str, first: str, after: str, is_after: Callable[[str], bool]) -> str | None:
    """The file with the program `first` before all others.

    `after` follows the first program for which `is_after` is true; without such a program the
    result is None. An empty `after` is left out.
    """
    lines = _read(text)
    at = next((n for n, line in enumerate(lines) if line.program and is_after(line.program)), None)
    if after:
        if at is None:
            return None
        lines.insert(at + 1, _Line(f"{after}\r\n", lines[at].section, after))
    # The mark of UTF-8 goes: with it Windows would not recognise a heading in the first line.
    mark = "\ufeff" if text[:1] == "\ufeff" else ""
    if any(line.program and line.section == _APP for line in lines):
        return mark + "".join(_merged(lines, first))
    return mark + "".join(_inserted(lines, first))


def _inserted(lines: list[_Line], first: str) -> Iterator[str]:
    begun = False
    for line in lines:
        is_ours = line.is_heading and line.section == _APPS
        yield _NEW_HEADING if is_ours and "[launchapps]" not in line.text.lower() else line.text
        if is_ours and not begun:
            begun = True
            yield f"{first}\r\n"


def _merged(lines: list[_Line], first: str) -> Iterator[str]:
    """One [LaunchApps] where the first of these sections was; other sections follow it."""
    launching = [line for line in lines if line.section in {_APP, _APPS}]
    start = lines.index(launching[0])
    yield from (line.text for line in lines[:start])
    yield _NEW_HEADING
    yield f"{first}\r\n"
    for line in launching:
        if line.program and line.section == _APP:
            yield f"{line.program}\r\n"
        elif line.program or line.text.lstrip().startswith(";"):
            yield line.text
    yield from (line.text for line in lines[start:] if line.section not in {_APP, _APPS})


def _read(text: str) -> list[_Line]:
    for mark in _MARKS:
        text = text.removeprefix(mark)
    lines: list[_Line] = []
    section = ""
    named = False
    for whole in _LINE.findall(text):
        # Each line ends, so that another can follow it.
        line = whole if whole.endswith("\n") else whole + "\r\n"
        bare = line.partition(";")[0].strip()
        if heading := _HEADING.match(bare):
            section = heading["name"].lower()
            lines.append(_Line(line, section, is_heading=True))
        elif section == _APPS:
            lines.append(_Line(line, section, bare))
        elif section == _APP and not named and (match := _APP_PATH.match(bare)):
            named = True  # Windows reads the first value of a name
            lines.append(_Line(line, section, _as_entry(match["path"])))
        else:
            lines.append(_Line(line, section))
    return lines


def _as_entry(path: str) -> str:
    """The path of a program as [LaunchApps] writes it, where arguments follow a comma."""
    return f'"{path}"' if "," in path and '"' not in path else path
