"""Shortfalls: what a boot image cannot do although its recipe asks for it.

Windows PE says nothing about them: a script calls a program that the image lacks, a driver claims
no device on this build, a network card's driver waits for a bus that no driver provides. They stop
no build, but are said where the recipe is changed, built and shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, bases_of
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import Properties
from netboot.images.drivers.driver import Driver, DriverKind, Model
from netboot.images.drivers.matching import NEWEST

CURL = "curl.exe"
SYSTEM32 = "/windows/system32"
# The folders in which Windows PE looks for a program without a path.
SEARCHED = (
    f"{SYSTEM32}/",
    "/windows/",
    f"{SYSTEM32}/wbem/",
    f"{SYSTEM32}/windowspowershell/v1.0/",
)
PROGRAM_ENDINGS = (".com", ".exe", ".bat", ".cmd", ".vbs", ".js")
# Commands of cmd.exe itself.
_BUILT_IN = frozenset(
    """
    assoc call cd chdir cls color copy date del dir echo endlocal erase exit for ftype goto if md
    mkdir mklink move path pause popd prompt pushd rd rem ren rename rmdir set setlocal shift start
    time title type ver verify vol
    """.split()  # noqa: SIM905  (a table)
)
_COMPONENTS = {
    "powershell.exe": "WinPE-PowerShell",
    "cscript.exe": "WinPE-Scripting",
    "wscript.exe": "WinPE-Scripting",
    "mshta.exe": "WinPE-HTA",
    "wmic.exe": "WinPE-WMI",
}
# Buses that Windows itself enumerates; an id without a backslash is of no bus. The devices of any
# other bus appear only after the driver that enumerates it has started.
_WINDOWS_BUSES = frozenset(
    """
    1394 ACPI ACPI_HAL BTH BTHENUM BTHLE BTHLEDEVICE DISPLAY EISA FDC HDAUDIO HID HTREE IDE ISAPNP
    LPTENUM MF MONITOR NVME PCI PCIIDE PCMCIA PNP ROOT SBP2 SCSI SD SERENUM STORAGE SW SWC SWD
    SWMUXBUS UASPSTOR UCX01000 UEFI UFS UMB URS USB USBPRINT USBSTOR VID VMBUS VPCI WPDBUSENUM
    """.split()  # noqa: SIM905  (a table)
)
_MAY_BE_ON_A_BUS = frozenset({DriverKind.NETWORK, DriverKind.STORAGE, DriverKind.SYSTEM})
_FAMILY_LETTERS = 3


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Something that the image cannot do: a sentence, and how to fix it.

    `program` is what it lacks, if that is one. `driver` is the digest of the driver that has no
    effect in it, and `bus` what that waits for; `fixes` are the digests and names of drivers of the
    catalog that would fix it.
    """

    text: str
    fix: str
    program: str = ""
    driver: str = ""
    bus: str = ""
    fixes: tuple[tuple[str, str], ...] = ()


def shortfalls(
    facts: ImageFacts, image: BootImage, *, with_drivers: bool = True
) -> tuple[Shortfall, ...]:
    """The shortfalls of the recipe; without models of the drivers, those of the programs only."""
    found = list(_programs(facts, image))
    if with_drivers:
        for driver in image.drivers:
            found += _driver(facts, image, driver)
    return tuple(found)


def _programs(facts: ImageFacts, image: BootImage) -> Iterator[Shortfall]:
    """What the start scripts call."""
    if facts.programs is None:  # imported by an older version; the next build completes the facts
        return
    held = names_held(facts, image.properties)
    properties = image.properties
    reports = bool(properties.report_address(""))
    starts = bool(
        image.drivers or reports or properties.prestart_command or properties.command_shell
    )
    if reports and CURL not in held:
        yield Shortfall(
            "It cannot report to this site, because it has no curl.exe: its boots "
            "end at “image sent”, and do not say whether Windows PE came up.",
            "Add curl.exe, which Windows 10 1803 and later have in System32.",
            CURL,
        )
    for program, wanted, why in (
        ("cmd.exe", starts, "run the start script of this site, which loads its drivers"),
        ("drvload.exe", bool(image.drivers), "load the drivers of its recipe"),
        ("wpeinit.exe", starts and not facts.setup_path, "start the network"),
    ):
        if wanted and program not in held:
            yield Shortfall(
                f"It cannot {why}, because it has no {program}.",
                "Import a complete Windows PE as a newer source.",
                program,
            )
    yield from _prestart(properties.prestart_command, held, image)


def _prestart(command: str, held: frozenset[str], image: BootImage) -> Iterator[Shortfall]:
    """The program of the prestart command, as far as its place can be known."""
    program = _first_word(command)
    if not program:
        return
    path = program.replace("\\", "/").lower()
    for variable in ("%systemroot%", "%windir%"):
        path = path.replace(variable, "/windows")
    path = path.removeprefix("%systemdrive%").removeprefix("x:")
    folder, slash, name = path.rpartition("/")
    if "%" in path or (slash and f"{folder}/" not in (*SEARCHED, "/windows/prestart/")):
        return
    names = [name, *(name + ending for ending in PROGRAM_ENDINGS)]
    added = {file.path.lower() for file in image.properties.extra_files}
    if slash:
        found = any(f"{folder}/{one}" in added for one in names)
        found = found or (f"{folder}/" in SEARCHED and not held.isdisjoint(names))
    else:
        files = {path.rpartition("/")[2] for path in added}
        found = name in _BUILT_IN or not (held | files).isdisjoint(names)
    if found:
        return
    component = next((_COMPONENTS[one] for one in names if one in _COMPONENTS), "")
    fix = (
        f"Import a Windows PE with the optional component {component}."
        if component
        else "Add the file under Customisation, or correct the command."
    )
    yield Shortfall(f"It cannot run the prestart command, because it has no {program}.", fix, name)


def _first_word(command: str) -> str:
    text = command.strip().lstrip("@")
    if text.startswith('"'):
        return text[1:].partition('"')[0]
    word = text.split(maxsplit=1)[0] if text else ""
    lowered = word.lower()
    if lowered in {"call", "start"} and " " in text:
        rest = text.split(maxsplit=1)[1]
        # A title or a switch of `start` comes before its program: leave that alone.
        return "" if rest[:1] in {'"', "/"} else _first_word(rest)
    return "" if any(sign in word for sign in "&|<>^(;,=") else word


def names_held(facts: ImageFacts, properties: Properties) -> frozenset[str]:
    """The programs that a command without a path finds, in lower case."""
    paths = (file.path.lower() for file in properties.extra_files)
    added = {path.rpartition("/")[2] for path in paths if f"{path.rpartition('/')[0]}/" in SEARCHED}
    return frozenset(facts.programs or ()) | added


def _driver(facts: ImageFacts, image: BootImage, driver: Driver) -> Iterator[Shortfall]:
    if not driver.kind.drives:
        if not bases_of(driver, image.drivers):
            yield Shortfall(
                f"{driver.name} has no effect in it: {_lowered(driver.kind.about)}",
                "Add the driver that it adds to, or remove it.",
                driver=driver.digest,
            )
        return
    architecture, build = image.architecture, facts.build or NEWEST
    models = [model for model in driver.models if model.architecture is architecture]
    usable = [model for model in models if model.span.holds(build)]
    if not usable and (models or facts.build):
        yield _claims_nothing(driver, models, architecture, facts.build)
    elif buses := _buses(driver, architecture, build):
        yield from _without_bus(facts, image, driver, buses)


def _claims_nothing(
    driver: Driver, models: list[Model], architecture: Architecture, build: int
) -> Shortfall:
    text = f"{driver.name} drives no device on build {build} of Windows PE for {architecture}"
    newer = [model.minimum_build for model in models if model.minimum_build > build]
    older = [model.maximum_build for model in models if 0 < model.maximum_build <= build]
    if newer and len(newer) == len(models):
        text += f": it requires Windows build {min(newer)} or later."
    elif older and len(older) == len(models):
        text += (
            f": its devices are for builds before {max(older)}, or its list for this one is empty."
        )
    else:
        text += ": its list of devices for this build is empty."
    fix = "Use another version of this driver, or another Windows PE."
    return Shortfall(text, fix, driver=driver.digest)


def _buses(driver: Driver, architecture: Architecture, build: int) -> frozenset[str]:
    """The buses of its devices, if Windows enumerates none of them."""
    if driver.kind not in _MAY_BE_ON_A_BUS:
        return frozenset()
    ids = [
        identifier
        for model in driver.models
        if model.architecture is architecture and model.span.holds(build)
        for identifier in model.hardware_ids
    ]
    buses = frozenset(identifier.partition("\\")[0] for identifier in ids if "\\" in identifier)
    plain = any("\\" not in identifier for identifier in ids)
    return frozenset() if plain or not buses.isdisjoint(_WINDOWS_BUSES) else buses


def provides(bus: str, names: Iterable[str]) -> bool:
    """Whether one of these names of a driver is that of the bus: service, program or INF.

    No INF says which bus its driver enumerates. In practice it has the name of its service: XENVIF
    (xenvif), B06BDRV (b06bdrv), MLX4 (mlx4_bus).
    """
    wanted = bus.casefold()
    return any(name == wanted or name.startswith(wanted) for name in names)


def names_of(driver: Driver, architecture: Architecture) -> frozenset[str]:
    """The names of a driver that may be those of a bus, casefolded."""
    services = {model.service for model in driver.models if model.architecture is architecture}
    programs = {file.path.rpartition("/")[2] for file in driver.files}
    stems = {name.rpartition(".")[0] for name in programs if name.lower().endswith(".sys")}
    stems.add(driver.inf_name.rpartition(".")[0])
    return frozenset(name.casefold() for name in services | stems if name)


def _without_bus(
    facts: ImageFacts, image: BootImage, driver: Driver, buses: frozenset[str]
) -> Iterator[Shortfall]:
    if facts.services is None:  # which buses the image itself has is not known
        return
    architecture, build = image.architecture, facts.build or NEWEST
    for bus in sorted(buses):
        if provides(bus, facts.services):
            return
        for other in image.drivers:
            if other.digest == driver.digest or bus in _buses(other, architecture, build):
                continue
            if _may_provide(bus, driver, other, architecture):
                return
    bus = min(buses)
    yield Shortfall(
        f"{driver.name} finds no device in it: its devices are on the bus {bus}, "
        "for which the image has no driver.",
        f"Import and add the bus driver of {driver.provider or 'the same vendor'} too; "
        "it is in the same package.",
        driver=driver.digest,
        bus=bus,
    )


def _may_provide(bus: str, driver: Driver, other: Driver, architecture: Architecture) -> bool:
    """Whether `other` is the driver of the bus on which the devices of `driver` are.

    By its name; or, as names may differ, because the same vendor made it for a device that Windows
    enumerates. Where the names are of one family but not the same (XENVIF, xenbus), it is another.
    """
    if not other.kind.drives:
        return False
    names = names_of(other, architecture)
    if provides(bus, names):
        return True
    same_maker = other.provider.casefold() == driver.provider.casefold()
    on_windows = not _buses(other, architecture, NEWEST)
    family = bus.casefold()[:_FAMILY_LETTERS]
    related = any(name.startswith(family) for name in names)
    return same_maker and on_windows and other.kind is DriverKind.SYSTEM and not related


def with_fixes(
    found: Shortfall, drivers: Iterable[Driver], architecture: Architecture, build: int
) -> Shortfall:
    """A shortfall of a bus with the drivers of the catalog that provide it, and their buses."""
    held = [driver for driver in drivers if driver.kind.drives]
    fixes: dict[str, Driver] = {}
    waiting = [found.bus]
    while waiting:
        bus = waiting.pop()
        for driver in held:
            on = _buses(driver, architecture, build or NEWEST)
            named = provides(bus, names_of(driver, architecture)) and bus not in on
            if named and driver.digest not in fixes and architecture in driver.architectures:
                fixes[driver.digest] = driver
                waiting += on
                break
    if not fixes:
        return found
    names = " and ".join(driver.name for driver in fixes.values())
    pairs = tuple((driver.digest, driver.name) for driver in fixes.values())
    return replace(found, fix=f"Add {names}, which the catalog has.", fixes=pairs)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
