"""bcdedit as Microsoft documents it, for the commands that our scripts give: a store in memory.

Reference: "BCDEdit Command-Line Options" and "BCDEdit /set" of Microsoft's documentation. It
refuses what bcdedit refuses: values of entries that are not there, names that it does not know,
and the deletion of a well-known entry without /f.
"""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from netboot.formats.bcd import RAMDISK_OPTIONS

WELL_KNOWN = {"{ramdiskoptions}": RAMDISK_OPTIONS}
DEVICE_VALUES = {"ramdisksdidevice": "31000003", "ramdisksdipath": "32000004"}
LOADER_VALUES = {
    "device": "11000001",
    "path": "12000002",
    "osdevice": "21000001",
    "systemroot": "22000002",
    "detecthal": "26000010",
    "winpe": "26000022",
    "nx": "25000020",
    "ems": "260000b0",
}
DESCRIPTION = "12000004"
SWITCHES = {"yes": True, "no": False}


class Refused(Exception):
    """bcdedit ends with an error, and has changed nothing."""


@dataclass
class Store:
    """The system's store: entries with their elements, and what the boot manager does next."""

    entries: dict[UUID, dict[str, object]] = field(default_factory=dict)
    shown: list[UUID] = field(default_factory=list)
    next_start: list[UUID] = field(default_factory=list)

    def run(self, *words):
        """One command; what bcdedit prints."""
        verb, *rest = words
        return getattr(self, f"_{verb.removeprefix('/')}")(*rest)

    def _find(self, name):
        identity = WELL_KNOWN.get(name) or UUID(name)
        if identity not in self.entries:
            raise Refused(f"{name} is not there")
        return identity

    def _enum(self, name):
        return str(self.entries[self._find(name)])

    def _create(self, *words):
        named = words[0] in WELL_KNOWN
        options = words[named:]
        given = dict(zip(options[::2], options[1::2], strict=True))
        if set(given) - {"/d"} != (set() if named else {"/application"}):
            raise Refused(f"an entry is not created by {words}")
        if not named and given["/application"] != "osloader":
            raise Refused(f"{given['/application']} is no application")
        identity = WELL_KNOWN[words[0]] if named else uuid4()
        if identity in self.entries:
            raise Refused(f"{words[0]} is there already")
        self.entries[identity] = {DESCRIPTION: given["/d"]} if "/d" in given else {}
        return f"The entry {{{identity}}} was successfully created."

    def _set(self, name, value, data):
        identity = self._find(name)
        known = DEVICE_VALUES if identity in WELL_KNOWN.values() else LOADER_VALUES
        if value not in known:
            raise Refused(f"{value} is no value of {name}")
        self.entries[identity][known[value]] = SWITCHES.get(data, data)

    def _displayorder(self, name, where):
        if where != "/addlast":
            raise Refused(f"{where} is not what this script asks for")
        self.shown.append(self._find(name))

    def _bootsequence(self, name, *rest):
        identity = self._find(name)
        if rest == ("/remove",):
            if identity not in self.next_start:
                raise Refused(f"{name} is not what starts next")
            self.next_start.remove(identity)
        elif rest:
            raise Refused(f"{rest} is not what this script asks for")
        else:
            self.next_start = [identity]

    def _delete(self, name, *rest):
        identity = self._find(name)
        if name in WELL_KNOWN and "/f" not in rest:
            raise Refused(f"{name} is well known: it is deleted with /f only")
        del self.entries[identity]
        if "/nocleanup" not in rest:
            self.shown = [each for each in self.shown if each != identity]
