"""Reads a machine's consoles for progress, the Lab PE's lines, and failure."""

import re
from dataclasses import dataclass

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;=?]*[A-Za-z]|[()][A-Z0-9])")
_LABPE = re.compile(r"LABPE (?P<uptime>\d+\.\d+) (?P<key>[A-Z][A-Z-]*)(?: (?P<rest>.*))?$")

# After each of these the boot is over. GRUB's "error: " and OVMF's "failed to load" are not
# among them: both also appear in boots that succeed.
_HOPELESS = (
    (re.compile(r"No bootable device"), "the BIOS found no boot device"),
    (re.compile(r"No more network devices"), "iPXE could not boot from any network card"),
    (re.compile(r"Kernel panic - not syncing: (?P<why>.*)"), "the kernel panicked"),
    (re.compile(r"Initramfs unpacking failed: (?P<why>.*)"), "the first file system is damaged"),
    (re.compile(r"BdsDxe: No bootable option or device"), "the firmware found no boot device"),
)

_PROMPTS = (
    (re.compile(r"Shell> $"), "the firmware stopped in its shell"),
    (re.compile(r"grub(?: rescue)?> $"), "GRUB stopped at its prompt"),
    (re.compile(r"iPXE> $"), "iPXE stopped at its prompt"),
)


@dataclass(frozen=True, slots=True)
class LabLine:
    """One line of the Lab PE: `LABPE 4.21 DONE result=offline reason=no-driver`."""

    uptime: float
    key: str
    rest: str

    @property
    def fields(self) -> dict[str, str]:
        """The `key=value` words; `name=` takes the rest of the line."""
        words, _, name = self.rest.partition("name=")
        pairs = (word.partition("=") for word in words.split() if "=" in word)
        found = {key: value for key, _, value in pairs}
        return {**found, "name": name} if name else found

    def __str__(self) -> str:
        return f"LABPE {self.uptime:.2f} {self.key} {self.rest}".rstrip()


def plain(text: str) -> str:
    """Console text without cursor movements and carriage returns."""
    return _ESCAPES.sub("", text).replace("\r", "")


def lab_lines(text: str) -> tuple[LabLine, ...]:
    """The Lab PE's lines in a console's text, in their order."""
    found = filter(None, map(_LABPE.search, plain(text).split("\n")))
    return tuple(LabLine(float(one["uptime"]), one["key"], one["rest"] or "") for one in found)


def hopeless(whole_lines: str, open_line: str = "") -> str:
    """Why the boot is over, or an empty string while it may go on.

    A message counts when its line is complete, a prompt while its line is open.
    """
    for patterns, text in ((_HOPELESS, plain(whole_lines)), (_PROMPTS, plain(open_line))):
        for pattern, words in patterns:
            match = pattern.search(text)
            if match:
                why = match.groupdict().get("why")
                return f"{words}: {why.strip()}" if why else words
    return ""


class ConsoleReader:
    """Takes bytes, gives the Lab PE's lines and the reason of a failure; keeps all text."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._open_line = ""

    @property
    def text(self) -> str:
        return "".join(self._text)

    def receive(self, data: bytes) -> tuple[tuple[LabLine, ...], str]:
        """The Lab PE lines that `data` completes, and `hopeless` for the new text."""
        text = data.decode("latin-1")
        self._text.append(text)
        fresh = self._open_line + text
        whole, newline, self._open_line = fresh.rpartition("\n")
        return lab_lines(whole + newline), hopeless(whole, self._open_line)
