"""Why a boot did not come up: cause, fix, and the code that the screen most likely shows.

Pure. A code is a conclusion from the packets, never a reading of the screen, and pages say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from netboot.boot.told.attempt import Attempt, Outcome
from netboot.boot.told.error_codes import CODES, ErrorCode
from netboot.boot.told.events import (
    AddressLearned,
    ContentRefused,
    ContentServed,
    Event,
    ForeignOffer,
    OfferSent,
    TransferFailed,
    TransferFinished,
    TransferRefused,
)
from netboot.boot.told.ladder import (
    OPTIONAL,
    OURS,
    PROGRAMS,
    STOPPED,
    Rung,
    broke_off,
)

BINL_PORT = 4011
UEFI = "uefi"
SERVER_FAULT = 503
_MANAGERS = (".wim", ".sdi", "bcd", "bcd-bios", "bcd-uefi")
"""What Microsoft's boot managers fetch themselves."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The problem in a sentence; what to do; the codes that the screen may show, likeliest first.

    `search` is the text to search the driver catalog for, if a driver is missing.
    """

    cause: str
    cures: tuple[str, ...]
    codes: tuple[ErrorCode, ...] = ()
    search: str = ""


def diagnose(attempt: Attempt, events: Sequence[Event], now: float) -> Diagnosis | None:
    """The problem of a boot at `now`, or None."""
    match attempt.outcome(now):
        case Outcome.ONLINE | Outcome.UNDER_WAY:
            return None
        case Outcome.OFFLINE:
            return _offline(attempt)
        case Outcome.IGNORED:
            return _ignored(attempt)
        case Outcome.STALLED:
            return _stalled(attempt, events)


def _codes(*names: str) -> tuple[ErrorCode, ...]:
    return tuple(CODES[name.upper()] for name in names)


def _offline(attempt: Attempt) -> Diagnosis:
    if not attempt.missing:
        return Diagnosis(
            attempt.reason or "the image started without a network",
            ("Check the machine's network cable and the log of its DHCP server.",),
        )
    return Diagnosis(
        f"{attempt.label or 'the image'} has no driver for {attempt.missing}",
        (
            "Find the driver in the catalog, or import it, and enable it.",
            f"Add it to {attempt.image or 'the image'} and build a version.",
            "Update the distribution points.",
            "Boot the machine again.",
        ),
        search=attempt.missing,
    )


def _ignored(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        attempt.reason or "it was not answered",
        (
            "Set a default image for its architecture, or assign one to the machine.",
            "Update the distribution points: machines get published versions only.",
        ),
        _codes("PXE-E16" if _is_uefi(attempt) else "PXE-E53", "PXE-E53"),
    )


def _stalled(attempt: Attempt, events: Sequence[Event]) -> Diagnosis:
    foreign = next((e.server for e in events if isinstance(e, ForeignOffer)), attempt.foreign)
    if attempt.fetching:
        return _server_died(attempt.fetching)
    if refused := _refused(events):
        return _refusal(refused)
    if failed := _broken(events):
        return _broken_transfer(failed)
    if attempt.rung <= Rung.DISCOVERED:
        return Diagnosis(
            "it asked for a boot server and got no offer from netboot",
            ("Check that the boot service runs, then boot the machine again.",),
            _codes("PXE-E53"),
        )
    if attempt.rung is Rung.OFFERED:
        return _never_fetched(attempt, events, foreign)
    return _after_program(attempt)


def _never_fetched(attempt: Attempt, events: Sequence[Event], foreign: str) -> Diagnosis:
    ports = {event.port for event in events if isinstance(event, OfferSent)}
    if foreign:
        return Diagnosis(
            f"another boot server, {foreign}, answers on this network; the machine used its answer",
            (f"Switch off the boot service on {foreign}, or remove options 66 and 67 there.",),
            _codes("PXE-E3B", "PXE-E32"),
        )
    if not any(isinstance(event, AddressLearned) for event in events):
        return Diagnosis(
            "it was offered a boot program, but no DHCP server gave it an address",
            ("Check that the DHCP server of that network runs and has free addresses.",),
            _codes("PXE-E16" if _is_uefi(attempt) else "PXE-E52", "PXE-E51"),
        )
    if _is_uefi(attempt) and BINL_PORT not in ports:
        return Diagnosis(
            "it has an address but did not request its boot program on port 4011",
            (
                "Open UDP port 4011 of this server.",
                "Remove option 60 from the DHCP server, unless this site runs on it.",
            ),
            _codes("PXE-E55", "PXE-E18"),
        )
    return Diagnosis(
        "it knows its boot program but did not fetch it",
        ("Open UDP port 69 of this server, and the ports above 1023 that TFTP answers from.",),
        _codes("PXE-E18" if _is_uefi(attempt) else "PXE-E32", "PXE-E35"),
    )


def _after_program(attempt: Attempt) -> Diagnosis:
    match attempt.rung:
        case Rung.PROGRAM_SENT:
            return _silent_program(attempt)
        case Rung.SCRIPT_SENT | Rung.LOADER:
            return Diagnosis(
                "its loader runs but did not fetch the whole image",
                (
                    "Try a smaller TFTP block size and window.",
                    "Check the machine's memory: it needs the size of the WIM and 512 MB more.",
                ),
                _codes("0xc0000001", "0xc0000225", "0xc0000017"),
            )
        case _:
            return Diagnosis(
                "it has the whole image but did not report home",
                (
                    "If it shows a prompt, the image lacks a driver for its network card.",
                    "If it shows a code, look it up below.",
                ),
                _codes("0xc000000f", "0xc000007b", "0xc0000221", "0xc0000359"),
            )


def _silent_program(attempt: Attempt) -> Diagnosis:
    cause = "it fetched its boot program, which then sent nothing"
    if _last_part(attempt.offered) in PROGRAMS:  # Microsoft's: Secure Boot starts it
        return Diagnosis(
            cause,
            (
                "If it names Secure Boot, give it the boot loader that it trusts (2011 or 2023).",
                "If it says “Unsupported”, the image is of another architecture than the firmware.",
                "Remove options 66, 67 and 252 from the DHCP server.",
            ),
            _codes("0xc0000428", "0xc000000d"),
        )
    return Diagnosis(
        cause,
        (
            (
                "If Secure Boot is on, give it Microsoft's boot manager instead of iPXE, or"
                " switch Secure Boot off."
            ),
            "Try the boot program that uses the firmware's own network driver.",
        ),
        _codes("0xc0000428"),
    )


def _refused(events: Sequence[Event]) -> TransferRefused | ContentRefused | None:
    """The last refusal that is a fault."""
    for event in reversed(events):
        if isinstance(event, ContentRefused):
            return event
        if isinstance(event, TransferRefused) and not event.reason.startswith(OPTIONAL):
            return event
    return None


def _refusal(refused: TransferRefused | ContentRefused) -> Diagnosis:
    codes = _codes_without(refused.name)
    damaged = isinstance(refused, ContentRefused) and refused.status == SERVER_FAULT
    if damaged or refused.reason.startswith(OURS):
        return _damaged_copy(refused.name, refused.reason, codes)
    return Diagnosis(
        f"it asked for {refused.name} and was refused: {refused.reason}",
        (
            "Build the image again and update the distribution points.",
            "If the name is not from netboot, remove options 66 and 67 from the DHCP server.",
        ),
        codes,
    )


def _codes_without(name: str) -> tuple[ErrorCode, ...]:
    """What the screen shows of a machine that does not get this file."""
    last = _last_part(name)
    if last == "bcd" or last.startswith("bcd-"):
        return _codes("0xc000000d", "0xc000000f")
    if last in PROGRAMS or not last.endswith((".wim", ".sdi", ".ttf", ".exe", ".efi")):
        return _codes("PXE-E3B", "PXE-T01")
    return _codes("0xc000000f")


def _damaged_copy(name: str, reason: str, codes: tuple[ErrorCode, ...]) -> Diagnosis:
    said = reason.removeprefix(OURS).removeprefix(": ")
    return Diagnosis(
        f"netboot's own copy of {name} is damaged: {said}",
        (
            "Verify the distribution point: netboot points verify IMAGE.",
            "Update the distribution points; if the stored version is damaged too, build it again.",
            "Check the disk of this server.",
        ),
        codes,
    )


def _broken(events: Sequence[Event]) -> TransferFailed | None:
    """The last transfer that broke off, unless the machine got that file later."""
    got: set[str] = set()
    for event in reversed(events):
        match event:
            case TransferFinished(name=name) | ContentServed(name=name):
                got.add(name)
            case TransferFailed(name=name) if name not in got and broke_off(event):
                return event
    return None


def _broken_transfer(failed: TransferFailed) -> Diagnosis:
    if failed.reason.startswith(OURS):
        return _damaged_copy(failed.name, failed.reason, _codes_of_a_break(failed.name))
    if failed.reason.startswith(STOPPED):
        return _server_died(failed.name)
    return Diagnosis(
        f"the transfer of {failed.name} broke off: {failed.reason}",
        (
            "Check the path for packet loss; try a smaller TFTP block size and window.",
            "Check that the machine was not simply switched off.",
        ),
        _codes_of_a_break(failed.name),
    )


def _server_died(name: str) -> Diagnosis:
    """Every transfer has an event at its end, unless we ended first."""
    return Diagnosis(
        f"netboot stopped while it sent {name}",
        (
            "Check that the boot services run; the system's log says why they stopped.",
            "Boot the machine again: it does not wait for the server.",
        ),
        _codes_of_a_break(name),
    )


def _codes_of_a_break(name: str) -> tuple[ErrorCode, ...]:
    """What the screen shows where a file came in part: after the OACK a manager hears no ERROR."""
    return _codes("0xc0000001") if _last_part(name).endswith(_MANAGERS) else _codes("PXE-E35")


def _last_part(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1].lower()


def _is_uefi(attempt: Attempt) -> bool:
    return attempt.firmware.lower().startswith(UEFI)
