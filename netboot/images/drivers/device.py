"""A device of a machine, and the ids by which Windows finds its driver.

Microsoft: "Identifiers for PCI Devices". One parser reads the lists of Windows (see
`windows_lists`) and, line by line, PNPDeviceIDs, the output of `lspci -nn` (best with -v), the
report of a boot image (`vvvv:dddd:class:subsystem`) and the bus id of iPXE.
"""

from dataclasses import dataclass, replace
from re import ASCII, IGNORECASE, Match, Pattern
from re import compile as compile_pattern
from types import MappingProxyType

from netboot.errors import InvalidInput
from netboot.images.drivers.driver import DriverKind
from netboot.images.drivers.windows_lists import Listed, read_lists

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
_OTHER_BUS = _pattern(r"(?:^|[\s,;\"'])((?:[A-Z][A-Z_0-9]+|\{[0-9A-F-]{36}\})\\+[^\s\\,;\"']+)")
_CODE = _pattern(r"&CC_([0-9a-f]{6}|[0-9a-f]{4})(?![0-9a-f])")
# Buses whose devices are no hardware that a boot needs: software, volumes, screens, keyboards.
_NO_HARDWARE = frozenset(
    """
    BTH BTHENUM BTHHFENUM BTHLE BTHLEDEVICE DISPLAY HDAUDIO HID HTREE MMDEVAPI MONITOR PRINTENUM
    ROOT SCSI STORAGE SW SWC SWD TERMINPUT_BUS UMB USBPRINT USBSTOR UASPSTOR WPDBUSENUM
    """.split()  # noqa: SIM905  (a table)
)
_HINT = _pattern(rf"# {_H4}:{_H4} (network|storage)")
_NOISE = _pattern(
    r"[\s=*+|-]*|#TYPE .*|Microsoft PnP .*|[A-Z]:\\[^>]*>.*|PS [A-Z]:\\[^>]*>.*|.*[$#] lspci\b.*"
)
_HEAD_WORDS = frozenset(
    """
    class classguid classname pnpclass instanceid pnpdeviceid deviceid hardwareid friendlyname name
    caption description status node manufacturer present problem
    """.split()  # noqa: SIM905  (a table)
)
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
    """The devices in a text; `unread` are lines that could not be parsed.

    `left_out` are the ids of devices that no boot needs: known to be neither network nor storage,
    or on a bus of software.
    """

    devices: tuple[Device, ...]
    unread: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class _Reading:
    """What was found in a text so far."""

    def __init__(self) -> None:
        self.found: list[Device] = []
        self.unread: list[str] = []
        self.left_out: list[str] = []
        self.hints: dict[tuple[str, str], DriverKind] = {}
        self._below_device = False

    def line(self, line: str) -> None:
        if not line.strip():
            return
        if hint := _HINT.fullmatch(line.strip()):
            self.hints[hint[1].upper(), hint[2].upper()] = _KIND_OF_WORD[hint[3].lower()]
        elif subsystem := _LSPCI_SUBSYSTEM.match(line):
            if self.found:
                swapped = (subsystem[2] + subsystem[1]).upper()
                self.found[-1] = replace(self.found[-1], subsystem=swapped)
        elif devices := _line(line):
            self.found += devices
            self._below_device = True
        elif other := _OTHER_BUS.search(line):
            before = line[: other.start(1)].split()
            kind = _kind_in(line.replace(other[1], ""))
            # A table has the class in front of the id.
            named = kind or (DriverKind.OTHER if before and before[-1].isalpha() else None)
            self.other((other[1],), named, "")
        elif not (line[0].isspace() and self._below_device) and not _is_noise(line):
            self.unread.append(line.strip()[:200])

    def listed(self, one: Listed) -> None:
        """A device of a list that says its class."""
        self._below_device = False
        text = " ".join(one.ids)
        if match := _PNP.search(text):
            vendor, device, subsystem, revision, code = (word.upper() for word in match.groups(""))
            code = code or next((found[1].upper() for found in _CODE.finditer(text)), "")
            self.found.append(
                Device(vendor, device, subsystem, revision, code, one.name, said_kind=one.kind)
            )
        elif match := _USB.search(text) or _VMBUS.search(text):
            self.found.append(_on_windows_bus(match[0], one.kind, one.name))
        else:
            self.other(one.ids, one.kind, one.name)

    def other(self, ids: tuple[str, ...], kind: DriverKind | None, name: str) -> None:
        """A device on another bus: some are of boot drivers, as those of Xen (XENVIF)."""
        plain = tuple(dict.fromkeys(_without_instance(one) for one in ids))
        if kind is DriverKind.OTHER or plain[0].partition("\\")[0] in _NO_HARDWARE:
            self.left_out.append(plain[0])
        else:
            self.found.append(Device(other_ids=plain, name=name, said_kind=kind))

    def devices(self) -> tuple[Device, ...]:
        hinted = (
            replace(one, said_kind=self.hints[one.vendor, one.device])
            if one.kind is None and (one.vendor, one.device) in self.hints
            else one
            for one in self.found
        )
        return tuple(dict.fromkeys(hinted))


def parse_devices(text: str) -> ParsedDevices:
    """The devices in a list of any kind. Raises InvalidInput if it is too long or has none."""
    if len(text) > MAX_TEXT:
        raise InvalidInput("the device list is larger than one megabyte")
    reading = _Reading()
    for item in read_lists(text.replace("&amp;", "&")):
        if isinstance(item, Listed):
            reading.listed(item)
        else:
            reading.line(item)
    if not reading.found:
        raise InvalidInput(
            "the list contains no devices that a boot needs"
            if reading.left_out
            else "the list contains no devices",
            hint=(
                "Paste the output of pnputil /enum-devices /connected or of lspci -nn, "
                "PNPDeviceIDs, or lines such as 8086:15be."
            ),
        )
    if len(reading.found) > MAX_DEVICES:
        raise InvalidInput(f"more than {MAX_DEVICES} devices cannot belong to one machine")
    left_out = tuple(dict.fromkeys(reading.left_out))
    return ParsedDevices(reading.devices(), tuple(reading.unread[:50]), left_out)


def hint_line(device: Device, kind: DriverKind) -> str:
    """A line for a stored list that says the kind of a device whose own line does not."""
    return f"# {device.vendor}:{device.device} {kind.value}"


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
        return [_on_windows_bus(match[0], _kind_in(line))]
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


def _on_windows_bus(text: str, kind: DriverKind | None, name: str = "") -> Device:
    """A device of USB or of Hyper-V."""
    whole = _single_backslashes(text).upper()
    ids = tuple(dict.fromkeys((whole, _REVISION.sub("", whole))))
    return Device(other_ids=ids, name=name, said_kind=kind)


def _without_instance(text: str) -> str:
    r"""The id in `BUS\id` or in `BUS\id\instance`, in upper case."""
    return "\\".join(_single_backslashes(text).upper().split("\\")[:2])


def _single_backslashes(text: str) -> str:
    """JSON and registry files double them."""
    return text.replace("\\\\", "\\")


def _is_noise(line: str) -> bool:
    """Whether a line has no device by its nature: a ruler, the head of a table, a prompt."""
    words = [word.strip('"').lower() for word in line.replace(",", " ").split()]
    heads = bool(words) and all(word in _HEAD_WORDS for word in words)
    return heads or _NOISE.fullmatch(line) is not None
