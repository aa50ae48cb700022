"""Why a boot did not come up: cause and cure, and the code that its screen most likely shows.

Pure. A code is a conclusion from what was seen on the wire, never a reading of the screen, and is
told as such.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from netboot.boot.told.attempt import Attempt, Outcome
from netboot.boot.told.error_codes import CODES, ErrorCode
from netboot.boot.told.events import (
    AddressLearned,
    ContentRefused,
    Event,
    ForeignOffer,
    OfferSent,
    TransferFailed,
    TransferRefused,
)
from netboot.boot.told.ladder import OPTIONAL, Rung

BINL_PORT = 4011
UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What went wrong, in a sentence; what to do; codes that the screen may show, likeliest first.

    `search` is what to search the driver catalog for, where a driver is missing.
    """

    cause: str
    cures: tuple[str, ...]
    codes: tuple[ErrorCode, ...] = ()
    search: str = ""


def diagnose(attempt: Attempt, events: Sequence[Event], now: float) -> Diagnosis | None:
    """What is wrong with a boot as it stands at `now`; None when nothing is, or not yet."""
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
            attempt.reason or "the image came up without a network",
            ("Look at the machine's network cable and at what its DHCP server says.",),
        )
    return Diagnosis(
        f"{attempt.label or 'the image'} has no driver for {attempt.missing}",
        (
            "Find the driver in the catalog, or import it, and enable it.",
            (
                f"Add it to {attempt.image or 'the image'}, build a version, and update the"
                " distribution points."
            ),
            "Boot the machine again.",
        ),
        search=attempt.missing,
    )


def _ignored(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        attempt.reason or "it was not answered",
        (
            "Set a default image for its architecture, or assign one to the machine.",
            "Update the distribution points: what was only built is not given to machines.",
        ),
        _codes("PXE-E16" if _is_uefi(attempt) else "PXE-E53", "PXE-E53"),
    )


def _stalled(attempt: Attempt, events: Sequence[Event]) -> Diagnosis:
    foreign = next((e.server for e in events if isinstance(e, ForeignOffer)), attempt.foreign)
    if refused := _refused(events):
        return _refusal(refused)
    if failed := next((e for e in reversed(events) if _broke_off(e)), None):
        return _broken_transfer(failed)
    if attempt.rung <= Rung.DISCOVERED:
        return Diagnosis(
            "it asked for a boot server and was offered nothing by us",
            ("Look whether the boot service runs, then boot the machine again.",),
            _codes("PXE-E53"),
        )
    if attempt.rung is Rung.OFFERED:
        return _never_fetched(attempt, events, foreign)
    return _after_program(attempt)


def _never_fetched(attempt: Attempt, events: Sequence[Event], foreign: str) -> Diagnosis:
    """It was offered a program and did not come for it."""
    ports = {event.port for event in events if isinstance(event, OfferSent)}
    if foreign:
        return Diagnosis(
            f"another boot server, {foreign}, answers on this network, and the machine took its"
            " answer",
            (f"Switch off the boot service on {foreign}, or remove options 66 and 67 there.",),
            _codes("PXE-E3B", "PXE-E32"),
        )
    if not any(isinstance(event, AddressLearned) for event in events):
        return Diagnosis(
            "it was offered a boot program, but nobody gave it an address",
            ("Look whether the DHCP server of that network runs and has addresses left.",),
            _codes("PXE-E16" if _is_uefi(attempt) else "PXE-E52", "PXE-E51"),
        )
    if _is_uefi(attempt) and BINL_PORT not in ports:
        return Diagnosis(
            "it has an address, and did not ask us on port 4011 for its boot program",
            (
                "Open UDP port 4011 of this server.",
                "Remove option 60 from the DHCP server, unless this site runs on it.",
            ),
            _codes("PXE-E55", "PXE-E18"),
        )
    return Diagnosis(
        "it knows its boot program and did not come for it",
        ("Open UDP port 69 of this server, and the ports that TFTP answers from.",),
        _codes("PXE-E18" if _is_uefi(attempt) else "PXE-E32", "PXE-E35"),
    )


def _after_program(attempt: Attempt) -> Diagnosis:
    match attempt.rung:
        case Rung.PROGRAM_SENT:
            return Diagnosis(
                "it fetched its boot program, which then did not speak to us",
                (
                    (
                        "If Secure Boot is on, give it Microsoft's boot manager instead of iPXE, or"
                        " switch Secure Boot off."
                    ),
                    "Try the boot program that uses the firmware's own network driver.",
                ),
                _codes("0xc0000428"),
            )
        case Rung.SCRIPT_SENT | Rung.LOADER:
            return Diagnosis(
                "its loader runs and did not fetch the whole image",
                (
                    "Look at the machine's memory: it needs the size of the WIM and 512 MB more.",
                    "Try a smaller TFTP block size and window.",
                ),
                _codes("0xc0000001", "0xc0000017", "0xc0000225"),
            )
        case _:
            return Diagnosis(
                "it has the whole image and did not report home",
                (
                    (
                        "If it shows a prompt, it is up: no driver for its network card is in the"
                        " image."
                    ),
                    "If it shows a code, look it up below.",
                ),
                _codes("0xc0000017", "0xc0000359", "0xc0000428"),
            )


def _refused(events: Sequence[Event]) -> TransferRefused | ContentRefused | None:
    """The last refusal that was no mere probe."""
    for event in reversed(events):
        if isinstance(event, ContentRefused):
            return event
        if isinstance(event, TransferRefused) and not event.reason.startswith(OPTIONAL):
            return event
    return None


def _refusal(refused: TransferRefused | ContentRefused) -> Diagnosis:
    name = refused.name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    windows = name.endswith((".wim", ".sdi", ".ttf", ".exe", ".efi")) or name == "bcd"
    return Diagnosis(
        f"it asked for {refused.name} and was refused: {refused.reason}",
        (
            "Build the image again and update the distribution points.",
            "If the name is none of ours, remove options 66 and 67 from the DHCP server.",
        ),
        _codes("0xc000000f") if windows and name != "pxeboot.n12" else _codes("PXE-E3B", "PXE-T01"),
    )


def _broke_off(event: Event) -> bool:
    return isinstance(event, TransferFailed) and event.sent > 0


def _broken_transfer(event: Event) -> Diagnosis:
    name = event.name if isinstance(event, TransferFailed) else ""
    reason = event.reason if isinstance(event, TransferFailed) else ""
    large = name.lower().endswith((".wim", ".sdi"))
    return Diagnosis(
        f"the transfer of {name} broke off: {reason}",
        (
            "Look for lost packets on the way; try a smaller TFTP block size and window.",
            "Check that the machine was not simply switched off.",
        ),
        _codes("0xc0000001") if large else _codes("PXE-E35"),
    )


def _is_uefi(attempt: Attempt) -> bool:
    return attempt.firmware.lower().startswith(UEFI)
