"""Boot attempts: events folded into one attempt for each time that a machine tried to boot.

A new attempt begins with a DISCOVER if the machine's last attempt has its image (no boot ROM sends
anything after that, so it was switched on again), has ended, or was silent for a minute. Repeated
DISCOVERs, and those of an iPXE that we sent, belong to the running attempt.

Law: folding is pure and bounded; the same events give the same attempts, one by one or all at
once. Events of one machine may arrive slightly out of order, since several processes emit them.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from netboot.boot.told.attempt import Attempt, Outcome, Step
from netboot.boot.told.check_machines import is_made_up
from netboot.boot.told.events import (
    ContentServed,
    ContentStarted,
    Discovered,
    Event,
    OfferSent,
    PeOffline,
    PeReported,
    RequestIgnored,
    ScriptServed,
    TransferContinued,
    TransferFinished,
    TransferStarted,
)
from netboot.boot.told.fold_event import folded
from netboot.boot.told.ladder import PATIENCE, Rung

__all__ = ["Attempt", "Folder", "Outcome", "Step", "fold"]

IDLE = 60.0
"""Seconds of silence after which a DISCOVER begins a new attempt."""

LONGEST_SILENCE = 2 * max(PATIENCE.values())
"""Seconds of silence after which no event belongs to the same attempt."""


def fold(events: Iterable[Event]) -> tuple[Attempt, ...]:
    """The attempts in these events (oldest first), newest first."""
    folder = Folder()
    for event in events:
        folder.add(event)
    return folder.attempts()


class Folder:
    """Folds events one by one; keeps the newest `capacity` attempts."""

    def __init__(self, *, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._next = 1
        self._attempts: OrderedDict[int, Attempt] = OrderedDict()
        self._latest_of: dict[str, int] = {}
        self._mac_of: OrderedDict[str, str] = OrderedDict()

    def add(self, event: Event) -> Attempt | None:
        """Fold one event in; returns the attempt that it changed or began, if any."""
        mac = self._machine(event)
        if is_made_up(mac):
            return None
        key = mac or event.ip
        if not key:
            return None
        running = self._running(mac, event.ip)
        if running is None or _begins_another(running, event):
            if not _may_begin(event):
                return None
            running = Attempt(number=self._next, began=event.at, last=event.at)
            self._next += 1
        return self._keep(folded(replace(running, mac=mac or running.mac), event))

    def attempts(self, *, mac: str = "", limit: int | None = None) -> tuple[Attempt, ...]:
        """The attempts, newest first; with `mac`, those of one machine."""
        newest = reversed(self._attempts.values())
        return tuple(a for a in newest if not mac or a.mac == mac)[:limit]

    def _machine(self, event: Event) -> str:
        """The MAC address of the event's machine, if need be by its IP address."""
        if event.mac and event.ip:
            self._mac_of[event.ip] = event.mac
            self._mac_of.move_to_end(event.ip)
            if len(self._mac_of) > 4 * self._capacity:
                self._mac_of.popitem(last=False)
        return event.mac or self._mac_of.get(event.ip, "")

    def _running(self, mac: str, ip: str) -> Attempt | None:
        """The machine's newest attempt; one known by its IP address alone is taken over."""
        number = self._latest_of.get(mac) if mac else None
        if number is None and ip:
            number = self._latest_of.get(ip)
            nameless = self._attempts.get(number) if number else None
            if nameless and nameless.mac not in {"", mac}:
                return None  # another machine had this address before
        return self._attempts.get(number) if number else None

    def _keep(self, attempt: Attempt) -> Attempt:
        self._attempts[attempt.number] = attempt
        if attempt.mac:
            self._latest_of[attempt.mac] = attempt.number
            if self._latest_of.get(attempt.ip) == attempt.number:
                del self._latest_of[attempt.ip]
        elif attempt.ip:
            self._latest_of[attempt.ip] = attempt.number
        while len(self._attempts) > self._capacity:
            number, oldest = self._attempts.popitem(last=False)
            for key in (oldest.mac, oldest.ip):
                if self._latest_of.get(key) == number:
                    del self._latest_of[key]
        return attempt


def _begins_another(running: Attempt, event: Event) -> bool:
    """Whether `event` cannot belong to the running attempt."""
    match event:
        case Discovered():
            return running.rung >= Rung.IMAGE_SENT or event.at - running.last > IDLE
        case TransferFinished(seconds=seconds) | ContentServed(seconds=seconds):
            return event.at - seconds - running.last > LONGEST_SILENCE
        case PeReported(way=way) if way != running.way:
            return running.ended  # restarted, this time from a medium, or no longer from one
        case _:
            return event.at - running.last > LONGEST_SILENCE


def _may_begin(event: Event) -> bool:
    """Whether an attempt may begin with such an event: not with a refusal or a lease alone."""
    match event:
        case Discovered() | OfferSent() | RequestIgnored() | PeReported() | PeOffline():
            return True
        case TransferStarted() | TransferContinued() | TransferFinished():
            return True
        case ScriptServed() | ContentStarted() | ContentServed():
            return True
        case _:
            return False
