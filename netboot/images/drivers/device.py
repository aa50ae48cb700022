"""A device of a machine, and the ids by which Windows finds its driver.

Microsoft: "Identifiers for PCI Devices". One parser reads, line by line, PNPDeviceIDs, the output
of `lspci -nn` (best with -v), the report of a boot image (`vvvv:dddd:class:subsystem`) and the bus
id of iPXE.
"""

from dataclasses import dataclass, replace
from re import ASCII, IGNORECASE, Match, Pattern
from re import compile as compile_pattern
from types import MappingProxyType

from netboot.errors import InvalidInput
from netboot.images.drivers.driver import DriverKind

WINDOWS_10 = 10240
MAX_TEXT = 1 << 20
MAX_DEVICES = 2000

# Windows' own drivers claim class codes of six digits, but `lspci -nn` prints four. These are the
# programming interfaces that such devices have in practice: AHCI, NVMe, Ethernet, xHCI.
USUAL_INTERFACE = MappingProxyType({"0106": "01", "0108": "02", "0200": "00", "0C03": "30"})


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device; hexadecimal digits in upper case, empty if unknown.

    `subsystem` is as in SUBSYS_: subsystem id, then its vendor. `class_code` has four or six
    digits. A device on another bus has `other_ids` instead, best first. `said_kind` is the kind
    that its source gave.
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
        """Its kind, by class code or by its source; None if unknown."""
        if self.class_code:
            return _KIND_OF_CLASS.get(self.class_code[:2], DriverKind.OTHER)
        return self.said_kind

    @property
    def label(self) -> str:
        if self.name:
            return self.name
        return f"{self.vendor}:{self.device}" if self.vendor else "".join(self.other_ids[:1])

    def hardware_ids(self, build: int) -> tuple[str, ...]:
        """The hardware ids that Windows of this build reports, most specific first."""
        if not self.vendor:
            return self.other_ids
        chip = f"PCI\\VEN_{self.vendor}&DEV_{self.device}"
        exact = []
        if self.subsystem:
            board = f"{chip}&SUBSYS_{self.subsystem}"
            exact = [f"{board}&REV_{self.revision}"] if self.revision else []
            exact.append(board)
        # Windows 10 reports ids without a subsystem as compatible ids ("Identifiers for PCI
        # Devices", note; Device Manager shows it), so a driver for the board outranks them.
        plain = [] if build >= WINDOWS_10 else self._chip_ids(chip)
        return (*exact, *plain, *(f"{chip}&CC_{code}" for code in self._class_codes()))

    def compatible_ids(self) -> tuple[str, ...]:
        """The compatible ids, most specific first; older builds have some in both lists."""
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
    """The devices in a text; `unread` are lines that could not be parsed."""

    devices: tuple[Device, ...]
    unread: tuple[str, ...] = ()


def parse_devices(text: str) -> ParsedDevices:
    """The devices in a list of any kind. Raises InvalidInput if it is too long or has none."""
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
    """The devices in the report of a boot image."""
    tokens = text.replace(",", " ").split()
    found = (_REPORTED.fullmatch(token) for token in tokens)
    return tuple(dict.fromkeys(_reported(match) for match in found if match))


def from_bus_id(text: str) -> Device | None:
    """The network card that iPXE calls `01:80:86:10:0e` or `8086:100e`; None if invalid."""
    match = _BUS_ID.fullmatch(text.strip())
    if match:
        vendor, device = (match[1] + match[2]).upper(), (match[3] + match[4]).upper()
        return Device(vendor, device, said_kind=DriverKind.NETWORK)
    reported = from_report(text)
    return replace(reported[0], said_kind=DriverKind.NETWORK) if reported else None


def _line(line: str) -> list[Device]:
    """The devices of one line."""
    if match := _PNP.search(line):
        vendor, device, subsystem, revision, code = (word.upper() for word in match.groups(""))
        kind = _kind_in(line.replace(match[0], ""))
        return [Device(vendor, device, subsystem, revision, code, said_kind=kind)]
    if match := _LSPCI_NAMES.match(line):
        code, name, vendor, device, revision, interface = match.groups("")
        return [_lspci(vendor, device, revision, code + interface, name)]
    if match := _LSPCI_NUMBERS.match(line):
        code, vendor, device, revision, interface = match.groups("")
        return [_lspci(vendor, device, revision, code + interface, "")]
    if match := _USB.search(line) or _VMBUS.search(line):
        whole = match[0].replace("\\\\", "\\").upper()
        ids = tuple(dict.fromkeys((whole, _REVISION.sub("", whole))))
        return [Device(other_ids=ids, said_kind=_kind_in(line))]
    if _BUS_ID.fullmatch(line.strip()) and (card := from_bus_id(line)):
        return [card]
    words = line.replace(",", " ").split()
    return list(from_report(line)) if all(map(_REPORTED.fullmatch, words)) else []


def _kind_in(text: str) -> DriverKind | None:
    word = _CLASS_WORD.search(text)
    return _KIND_OF_WORD[word[1].lower()] if word else None


def _lspci(vendor: str, device: str, revision: str, code: str, name: str) -> Device:
    # lspci does not print revision 0; Windows has REV_00 in its ids.
    return Device(
        vendor=vendor.upper(),
        device=device.upper(),
        revision=revision.upper() or "00",
        class_code=code.upper(),
        name=name.strip()[:120],
    )


def _reported(match: Match[str]) -> Device:
    word, vendor, device, code, subsystem = match.groups("")
    known = "" if subsystem == "00000000" else subsystem
    kind = _KIND_OF_WORD.get(word.lower())
    return Device(vendor.upper(), device.upper(), known.upper(), "", code.upper(), said_kind=kind)


def _matters(line: str) -> bool:
    """Whether to report that this line was not read.

    Not details below an lspci line, table heads, or devices on buses without boot drivers.
    """
    return (
        bool(line.strip())
        and not line[0].isspace()
        and not _OTHER_BUS.search(line)
        and any(character.isdigit() for character in line)
    )
