"""One event folded into one attempt: what it changes, the rung it proves, the line it adds.

A new kind of event that matters to a boot needs its case in `_with_facts`.
"""

from dataclasses import replace

from netboot.boot.files.ipxe_script import ASKS_AGAIN
from netboot.boot.told.attempt import Attempt, Step
from netboot.boot.told.events import (
    ContentRefused,
    ContentServed,
    ContentStarted,
    Discovered,
    Event,
    ForeignOffer,
    OfferSent,
    PeOffline,
    PeReported,
    RequestIgnored,
    ScriptServed,
    TransferContinued,
    TransferFailed,
    TransferFinished,
    TransferRefused,
    TransferStarted,
)
from netboot.boot.told.ladder import OPTIONAL, Rung, broke_off, label, rung_of, sentence

FIRST_STEPS, LAST_STEPS = 24, 40
"""How many lines of a long attempt are kept from its beginning and its end."""


def folded(attempt: Attempt, event: Event) -> Attempt:
    """The attempt with the event's facts, its rung and its line."""
    rung = rung_of(event)
    climbed = rung if rung is not None and rung > attempt.rung else None
    attempt = _with_facts(attempt, event)
    attempt = replace(attempt, ip=event.ip or attempt.ip, last=max(attempt.last, event.at))
    if climbed is not None:
        attempt = replace(attempt, rung=climbed, reached=(*attempt.reached, (climbed, event.at)))
    if isinstance(event, TransferRefused) and event.reason.startswith(OPTIONAL):
        return attempt  # loaders probe for a dozen optional files
    if isinstance(event, TransferContinued):
        return attempt  # one for every minute
    steps = (*attempt.steps, Step(event.at, event.kind, sentence(event), climbed))
    if len(steps) <= FIRST_STEPS + LAST_STEPS:
        return replace(attempt, steps=steps)
    kept = (*steps[:FIRST_STEPS], *steps[-LAST_STEPS:])
    return replace(attempt, steps=kept, dropped_steps=attempt.dropped_steps + 1)


def _with_facts(attempt: Attempt, event: Event) -> Attempt:
    match event:
        case Discovered() | OfferSent() | RequestIgnored() | ForeignOffer():
            return _with_answer(attempt, event)
        case TransferStarted() | TransferContinued() | TransferFinished() | TransferFailed():
            return _with_file(attempt, event)
        case ContentStarted() | ContentServed():
            return _with_file(attempt, event)
        case ScriptServed() | ContentRefused():
            return _with_reply(attempt, event)
        case PeReported() | PeOffline():
            return _with_pe(attempt, event)
        case _:
            return attempt


def _with_answer(
    attempt: Attempt, event: Discovered | OfferSent | RequestIgnored | ForeignOffer
) -> Attempt:
    match event:
        case Discovered():
            return replace(
                attempt,
                architecture=event.architecture or attempt.architecture,
                firmware=event.firmware or attempt.firmware,
                stage=event.stage,
                machine_id=event.machine_id or attempt.machine_id,
                nic=event.nic or attempt.nic,
                fetching="",  # it begins anew
                fetching_size=0,
            )
        case OfferSent():
            attempt = _with_version(attempt, event.image, event.version)
            return replace(
                attempt,
                offered=event.file,
                decision=event.reason or attempt.decision,
                reason=event.warning,
            )
        case ForeignOffer():
            return replace(attempt, foreign=event.server)
        case RequestIgnored() if attempt.rung <= Rung.DISCOVERED:
            return replace(attempt, ignored=True, reason=event.reason)
        case RequestIgnored():
            return attempt


def _with_reply(attempt: Attempt, event: ScriptServed | ContentRefused) -> Attempt:
    match event:
        case ContentRefused():
            return replace(attempt, reason=sentence(event))
        case ScriptServed(image="", reason=reason) if reason == ASKS_AGAIN:
            return attempt
        case ScriptServed(image=""):
            return replace(attempt, ignored=True, reason=event.reason)
        case ScriptServed():
            attempt = _with_version(attempt, event.image, event.version)
            return replace(attempt, architecture=event.architecture or attempt.architecture)


def _with_file(
    attempt: Attempt,
    event: TransferStarted
    | TransferContinued
    | TransferFinished
    | TransferFailed
    | ContentStarted
    | ContentServed,
) -> Attempt:
    match event:
        case TransferStarted() | TransferContinued() | ContentStarted():
            return replace(attempt, fetching=event.name, fetching_size=event.size)
        case TransferFailed() if broke_off(event):
            reason = f"{event.name}: {event.reason}"
            return replace(attempt, reason=reason, fetching="", fetching_size=0)
        case TransferFailed():
            return replace(attempt, fetching="", fetching_size=0)
        case TransferFinished() | ContentServed():
            attempt = _with_version(attempt, event.image, event.version)
            attempt = replace(
                attempt,
                bytes_sent=attempt.bytes_sent + event.size,
                reason="",
                fetching="",
                fetching_size=0,
            )
            if rung_of(event) is Rung.IMAGE_SENT:
                return replace(attempt, image_size=event.size, image_seconds=event.seconds)
            return attempt


def _with_version(attempt: Attempt, image: str, version: int) -> Attempt:
    """With the version that the machine gets; the site's own programs have none."""
    if not image:
        return attempt
    return replace(attempt, image=image, version=version, ignored=False, reason="")


def _with_pe(attempt: Attempt, event: PeReported | PeOffline) -> Attempt:
    """With the boot image's own report, which decides over everything before."""
    sent, runs = attempt.label, label(event.image, event.version)
    odd = f"it reports {runs} although {sent} was sent" if sent and sent != runs else ""
    attempt = _with_version(attempt, event.image, event.version)
    attempt = replace(attempt, missing=event.missing)
    if isinstance(event, PeOffline):
        return replace(attempt, offline=True, reason=odd or event.reason)
    return replace(
        attempt,
        driver=event.driver,
        device=event.device,
        way=event.way,
        architecture=event.architecture or attempt.architecture,
        firmware=event.firmware or attempt.firmware,
        offline=False,
        reason=odd,
    )
