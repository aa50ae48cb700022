"""Abilities: what a boot image will do on machines, from what lies in it and its recipe.

The counterpart of the shortfalls, which are what it was asked to do and cannot. Both come from the
same facts, so they agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netboot.images.architecture import Architecture
from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import Properties
from netboot.images.drivers.driver import Driver
from netboot.images.servicing.boot_layout import needed_for
from netboot.images.servicing.shortfalls import CURL, Shortfall, names_held

IMPORTED_EARLIER = "not known: an older version of netboot imported it; import the source again"
_DRVLOAD = ("cmd.exe", "drvload.exe")


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing: `can` is None if it is not known, or depends on something outside the image."""

    name: str
    text: str
    can: bool | None


def abilities(
    facts: ImageFacts,
    properties: Properties,
    drivers: Sequence[Driver],
    lacking: Sequence[Shortfall],
) -> tuple[Ability, ...]:
    """What the image will do; `lacking` are the shortfalls of the same recipe."""
    names = {file.name for file in facts.boot_files}
    if properties.boot_sdi:
        names.add("boot.sdi")
    programs = {one.program for one in lacking}
    return (
        _bios(facts, names),
        _starts("UEFI", "uefi", names),
        *_secure_boot(facts, names),
        _reports(facts, properties, programs),
        _drivers(facts, drivers, lacking, programs),
        _components(facts),
    )


def _bios(facts: ImageFacts, names: set[str]) -> Ability:
    if facts.architecture is Architecture.ARM64:
        return Ability("BIOS", "no: ARM64 machines have no BIOS", can=False)
    return _starts("BIOS", "bios", names)


def _starts(name: str, firmware: str, names: set[str]) -> Ability:
    chains = ("linux", "native", "wimboot")
    absent = {
        chain: [file for file in needed_for(chain, firmware) if file not in names]
        for chain in chains
    }
    if not absent["linux"]:
        return Ability(name, "yes, a Linux system in place of Windows PE", can=True)
    if not absent["native"]:
        return Ability(name, "yes, with Microsoft's boot manager", can=True)
    if not absent["wimboot"]:
        lacks = ", ".join(absent["native"])
        text = f"only with wimboot, which must be imported, because it lacks {lacks}"
        return Ability(name, text, can=None)
    return Ability(name, f"no: it lacks {', '.join(absent['native'])}", can=False)


def _secure_boot(facts: ImageFacts, names: set[str]) -> Iterator[Ability]:
    loaders = uefi_loader.held(facts.boot_files)
    signers = {file.name: file.signer for file in facts.boot_files}
    absent = [file for file in needed_for("native", "uefi") if file not in names]
    for year, certificate in uefi_loader.AUTHORITIES.items():
        name = f"Secure Boot {year}"
        if signers.get(loaders.get(year, "")) != year:
            text = f"no: it has no boot manager signed by {certificate}"
        elif absent:
            text = f"no: it lacks {', '.join(absent)}"
        else:
            yield Ability(name, f"yes: signed by {certificate}", can=True)
            continue
        yield Ability(name, text, can=False)


def _reports(facts: ImageFacts, properties: Properties, programs: set[str]) -> Ability:
    name = "Report to this site"
    if facts.programs is None:
        return Ability(name, IMPORTED_EARLIER, can=None)
    if CURL in programs:
        return Ability(name, "no: it has no curl.exe", can=False)
    if properties.report_address(""):
        return Ability(name, "yes, with curl.exe", can=True)
    if CURL in names_held(facts, properties):
        text = "no: reports are off. It has curl.exe; set a report address under Customisation"
        return Ability(name, text, can=False)
    return Ability(name, "no: reports are off, and it has no curl.exe to send them with", can=False)


def _drivers(
    facts: ImageFacts, drivers: Sequence[Driver], lacking: Sequence[Shortfall], programs: set[str]
) -> Ability:
    own = f"{_count(len(facts.inbox), 'network and storage driver')} of Windows inside"
    if not drivers:
        return Ability("Drivers", f"none added, {own}", can=True)
    lacks = [program for program in _DRVLOAD if program in programs]
    if lacks:
        text = (
            f"cannot load its {_count(len(drivers), 'added driver')}: no {' and no '.join(lacks)}"
        )
        return Ability("Drivers", text, can=False)
    useless = len({one.driver for one in lacking if one.driver})
    text = f"loads {_count(len(drivers), 'added driver')}, {own}"
    if useless:
        text += f"; {useless} of the added drivers will have no effect, see above"
    return Ability("Drivers", text, can=True)


def _components(facts: ImageFacts) -> Ability:
    """What must be added with DISM on Windows before the import."""
    if not facts.packages:
        return Ability("Optional components", "none listed in the image", can=None)
    names = (name.removesuffix("-Package") for name in facts.packages)
    return Ability("Optional components", ", ".join(names), can=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
