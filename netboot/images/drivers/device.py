"""A device of a machine, and the names by which Windows looks for its driver.

Microsoft: "Identifiers for PCI Devices". Devices come from a list of PNPDeviceIDs, from
`lspci -nn` (best with -v), from a boot image's report (`vvvv:dddd:class:subsystem`), or from
iPXE's bus id; one reader takes them all, line by line.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from re import ASCII, IGNORECASE, Match, Pattern
from re import compile as compile_pattern
from types import MappingProxyType

from netboot.errors import InvalidInput
from netboot.images.drivers.driver import DriverKind

WINDOWS_10 = 10240
MAX_TEXT = 1 << 20
MAX_DEVICES = 2000

# Programming interfaces where a list names only base and sub class (plain `lspci -nn` does):
# the one that is found in practice, for Windows' own drivers claim six digits.
USUAL_INTERFACE = MappingProxyType({"0106": "01", "0108": "02", "0200": "00", "0C03": "30"})


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device; hexadecimal digits in upper case, empty where not known.

    `subsystem` is as in SUBSYS_: subsystem id, then its vendor. `class_code` has four digits
    or six. A device on another bus has `other_ids` instead, best first. `said_kind` is what
    its source said that it is for.
    """

    vendor: str = ""
    device: str = ""
    subsystem: str = ""
    revision: str = ""
    class_code: str = ""
    name: str = ""
    other_ids: tuple[str, ...] = ()
    said_kind: DriverKind | None = None

    @property
    def kind(self) -> DriverKind | None:
        """What it is for, by its class code or by what was said; None where nobody knows."""
        if self.class_code:
            return _KIND_OF_CLASS.get(self.class_code[:2], DriverKind.OTHER)
        return self.said_kind

    @property
    def label(self) -> str:
        """A name for people: what it is called, else `8086:15BE`."""
        if self.name:
            return self.name
        return f"{self.vendor}:{self.device}" if self.vendor else "".join(self.other_ids[:1])

    def hardware_ids(self, build: int) -> tuple[str, ...]:
        """The ids that Windows of this build reports as the device's own, most exact first.

        Windows 10 moved the ids without a subsystem to the compatible ones (the note in
        "Identifiers for PCI Devices"; Device Manager shows it).
        """
        if not self.vendor:
            return self.other_ids
        chip = f"PCI\\VEN_{self.vendor}&DEV_{self.device}"
        exact = []
        if self.subsystem:
            board = f"{chip}&SUBSYS_{self.subsystem}"
            exact = [f"{board}&REV_{self.revision}"] if self.revision else []
            exact.append(board)
        plain = [] if build >= WINDOWS_10 else self._chip_ids(chip)
        return (*exact, *plain, *(f"{chip}&CC_{code}" for code in self._class_codes()))

    def compatible_ids(self, build: int) -> tuple[str, ...]:
        """The ids of devices that it is like, closest first. `build` counts as above."""
        del build  # the list is the same in all versions; what was a hardware id wins there
        if not self.vendor:
            return ()
        vendor = f"PCI\\VEN_{self.vendor}"
        codes = self._class_codes()
        return (
            *self._chip_ids(f"{vendor}&DEV_{self.device}"),
            *(f"{vendor}&CC_{code}" for code in codes),
            vendor,
            *(f"PCI\\CC_{code}" for code in codes),
        )

    def _chip_ids(self, chip: str) -> list[str]:
        return [f"{chip}&REV_{self.revision}", chip] if self.revision else [chip]

    def _class_codes(self) -> tuple[str, ...]:
        code = self.class_code
        if len(code) == 4:
            interface = USUAL_INTERFACE.get(code)
            return (code + interface, code) if interface else (code,)
        return (code, code[:4]) if code else ()


_KIND_OF_CLASS = MappingProxyType(
    {"01": DriverKind.STORAGE, "02": DriverKind.NETWORK, "06": DriverKind.SYSTEM}
)
_KIND_OF_WORD = MappingProxyType(
    {
        "net": DriverKind.NETWORK,
        "network": DriverKind.NETWORK,
        "storage": DriverKind.STORAGE,
        "scsiadapter": DriverKind.STORAGE,
        "hdc": DriverKind.STORAGE,
        "system": DriverKind.SYSTEM,
    }
)


def _pattern(text: str) -> Pattern[str]:
    return compile_pattern(text, IGNORECASE | ASCII)


_H4, _H8 = "([0-9a-f]{4})", "([0-9a-f]{8})"
_PNP = _pattern(
    rf"PCI\\+VEN_{_H4}&DEV_{_H4}(?:&SUBSYS_{_H8})?(?:&REV_([0-9a-f]{{2}}))?"
    r"(?:&CC_([0-9a-f]{6}|[0-9a-f]{4}))?"
)
_USB = _pattern(rf"USB\\+VID_{_H4}&PID_{_H4}(?:&REV_{_H4})?(?:&MI_[0-9a-f]{{2}})?")
_VMBUS = _pattern(r"VMBUS\\+(\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\})")
_OTHER_BUS = _pattern(r"\b[A-Z][A-Z_0-9]+\\+[^\s\\]")
_REVISION = _pattern("&REV_[0-9A-F]{4}")
_CLASS_WORD = _pattern(r"\b(net|scsiadapter|hdc|system)\b")
_SLOT = r"^(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
_REV = r"(?: \(rev ([0-9a-f]{2})\))?(?: \(prog-if ([0-9a-f]{2}))?"
_LSPCI_NAMES = _pattern(rf"{_SLOT} .*?\[{_H4}\]: (.*) \[{_H4}:{_H4}\]{_REV}")
_LSPCI_NUMBERS = _pattern(rf"{_SLOT} (?:Class )?{_H4}: {_H4}:{_H4}{_REV}")
_LSPCI_SUBSYSTEM = _pattern(rf"^\s+Subsystem: (?:.*\[)?{_H4}:{_H4}\]?$")
_REPORTED = _pattern(
    rf"(?:([a-z]+):)?{_H4}:{_H4}(?::([0-9a-f]{{6}}|[0-9a-f]{{4}}|))?(?::({_H8[1:-1]}|))?"
)
_BUS_ID = _pattern(r"01[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class ParsedDevices:
    """What a text said. `unread` are the lines that nobody understood."""

    devices: tuple[Device, ...]
    unread: tuple[str, ...] = ()


def parse_devices(text: str) -> ParsedDevices:
    """Devices out of any of the lists that machines and people produce.

    Raises:
        InvalidInput: the text is too long, or says nothing about devices.
    """
    if len(text) > MAX_TEXT:
        raise InvalidInput("the device list is larger than one megabyte")
    found: list[Device] = []
    unread: list[str] = []
    for line in text.replace("&amp;", "&").splitlines():
        if not line.strip() or (subsystem := _LSPCI_SUBSYSTEM.match(line)) is None:
            devices = _line(line)
            found.extend(devices)
            if not devices and _matters(line):
                unread.append(line.strip()[:200])
        elif found:
            found[-1] = replace(found[-1], subsystem=(subsystem[2] + subsystem[1]).upper())
    if not found:
        raise InvalidInput(
            "the list contains no devices",
            hint="Paste PNPDeviceIDs, the output of lspci -nn, or lines such as 8086:15be.",
        )
    if len(found) > MAX_DEVICES:
        raise InvalidInput(f"more than {MAX_DEVICES} devices cannot belong to one machine")
    return ParsedDevices(tuple(dict.fromkeys(found)), tuple(unread[:50]))


def from_report(text: str) -> tuple[Device, ...]:
    """The devices of a boot image's report; none where it names none."""
    tokens = text.replace(",", " ").split()
    found = (_REPORTED.fullmatch(token) for token in tokens)
    return tuple(dict.fromkeys(_reported(match) for match in found if match))


def from_bus_id(text: str) -> Device | None:
    """The network card that iPXE names as `01:80:86:10:0e` or `8086:100e`; None if it can't be."""
    match = _BUS_ID.fullmatch(text.strip())
    if match:
        vendor, device = (match[1] + match[2]).upper(), (match[3] + match[4]).upper()
        return Device(vendor, device, said_kind=DriverKind.NETWORK)
    reported = from_report(text)
    return replace(reported[0], said_kind=DriverKind.NETWORK) if reported else None


def _line(line: str) -> list[Device]:
    """The devices of one line: by far most lines name one or none."""
    if pnp := list(_PNP.finditer(line)):
        return [_pnp(match, line) for match in pnp[:1]]
    if match := _LSPCI_NAMES.match(line):
        code, name, vendor, device, revision, interface = match.groups("")
        return [_lspci(vendor, device, revision, code + interface, name)]
    if match := _LSPCI_NUMBERS.match(line):
        code, vendor, device, revision, interface = match.groups("")
        return [_lspci(vendor, device, revision, code + interface, "")]
    if match := _USB.search(line) or _VMBUS.search(line):
        return [_other_bus(match, line)]
    if _BUS_ID.fullmatch(line.strip()) and (card := from_bus_id(line)):
        return [card]
    return list(_tokens(line))


def _tokens(line: str) -> Iterable[Device]:
    """A line of nothing but `vvvv:dddd` words."""
    words = line.replace(",", " ").split()
    if all(_REPORTED.fullmatch(word) for word in words):
        return from_report(line)
    return ()


def _pnp(match: Match[str], line: str) -> Device:
    vendor, device, subsystem, revision, code = (word.upper() for word in match.groups(""))
    rest = line.replace(match[0], "")
    word = _CLASS_WORD.search(rest)
    kind = _KIND_OF_WORD[word[1].lower()] if word else None
    return Device(vendor, device, subsystem, revision, code, said_kind=kind)


def _lspci(vendor: str, device: str, revision: str, code: str, name: str) -> Device:
    # lspci keeps quiet about revision 0, which Windows names like any other.
    return Device(
        vendor=vendor.upper(),
        device=device.upper(),
        revision=revision.upper() or "00",
        class_code=code.upper(),
        name=name.strip()[:120],
    )


def _other_bus(match: Match[str], line: str) -> Device:
    whole = match[0].replace("\\\\", "\\").upper()
    plain = _REVISION.sub("", whole)
    word = _CLASS_WORD.search(line)
    return Device(
        other_ids=tuple(dict.fromkeys((whole, plain))),
        said_kind=_KIND_OF_WORD[word[1].lower()] if word else None,
    )


def _reported(match: Match[str]) -> Device:
    word, vendor, device, code, subsystem = match.groups("")
    known = "" if subsystem == "00000000" else subsystem
    kind = _KIND_OF_WORD.get(word.lower())
    return Device(vendor.upper(), device.upper(), known.upper(), "", code.upper(), said_kind=kind)


def _matters(line: str) -> bool:
    """Whether somebody should hear that this line was not read.

    Details below an lspci line, table heads and devices on buses without boot drivers are
    left out in silence.
    """
    return (
        bool(line.strip())
        and not line[0].isspace()
        and not _OTHER_BUS.search(line)
        and (any(character.isdigit() for character in line))
    )
