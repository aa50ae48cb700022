"""What machines did: the newest boots, a search in them, and the details of one."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from netboot.boot.told.attempts import Attempt, fold
from netboot.boot.told.diagnosis import Diagnosis, diagnose
from netboot.boot.told.events import Event
from netboot.boot.told.timeline import Fetch, Line, fetches, timeline
from netboot.errors import NotFound
from netboot.site import Site
from netboot.store.boots import hours as boot_hours
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.hours import HOUR
from netboot.store.boots.rows import BootFilter
from netboot.store.database.records import ImageRow

__all__ = ["BootFilter", "Hours", "Story", "attempts", "by_hour", "list_boots", "rates", "story"]

EVERYTHING = BootFilter()


@dataclass(frozen=True, slots=True)
class Story:
    """One boot: its state, each event as a line, and every file that was sent."""

    attempt: Attempt
    diagnosis: Diagnosis | None
    lines: tuple[Line, ...]
    fetches: tuple[Fetch, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """Boots by the hour in which they began; `starts` are epoch seconds, oldest first."""

    starts: tuple[int, ...]
    online: tuple[int, ...]
    other: tuple[int, ...]


def attempts(site: Site, limit: int = 50) -> tuple[Attempt, ...]:
    """The newest boots first, each with its steps."""
    found = list_boots(site, EVERYTHING, limit)
    return tuple(_whole(attempt, _events(site, attempt)) for attempt in found)


def list_boots(
    site: Site, wanted: BootFilter = EVERYTHING, limit: int = 50, *, now: float | None = None
) -> list[Attempt]:
    """The newest boots that match, newest first, without their steps."""
    with site.database.transaction() as session:
        return boot_rows.newest(session, wanted, limit, time.time() if now is None else now)


def count(site: Site, wanted: BootFilter = EVERYTHING, *, now: float | None = None) -> int:
    with site.database.transaction() as session:
        return boot_rows.count(session, wanted, time.time() if now is None else now)


def troubled(site: Site, limit: int = 10, *, now: float | None = None) -> list[Attempt]:
    """Boots that failed within a day, unless the machine's next boot succeeded."""
    now = time.time() if now is None else now
    with site.database.transaction() as session:
        return boot_rows.troubled(session, now - 24 * HOUR, now, limit)


def image_slugs(site: Site) -> dict[str, str]:
    """Slug of each boot image by name, for choices and links: without the recipes."""
    with site.database.transaction() as session:
        rows = session.execute(select(ImageRow.name, ImageRow.slug).order_by(ImageRow.name))
        return {row.name: row.slug for row in rows}


def diagnosis(site: Site, attempt: Attempt, *, now: float | None = None) -> Diagnosis | None:
    """What went wrong in a boot, or None."""
    return diagnose(attempt, _events(site, attempt), time.time() if now is None else now)


def story(site: Site, key: str, *, now: float | None = None) -> Story:
    """One boot by its key. Raises NotFound."""
    with site.database.transaction() as session:
        known = boot_rows.find(session, key)
    if known is None:
        raise NotFound("there is no such boot", hint="Old boots are forgotten after some time.")
    events = _events(site, known)
    attempt = _whole(known, events)
    found = diagnose(attempt, events, time.time() if now is None else now)
    return Story(attempt, found, timeline(events, attempt), fetches(events))


def by_hour(site: Site, hours: int = 24, *, now: float | None = None) -> Hours:
    this_hour = int((time.time() if now is None else now) // HOUR)
    numbers = range(this_hour - hours + 1, this_hour + 1)
    with site.database.transaction() as session:
        counts = boot_hours.since(session, numbers[0])
    pairs = [counts.get(number, (0, 0)) for number in numbers]
    return Hours(
        tuple(number * HOUR for number in numbers),
        tuple(online for online, _ in pairs),
        tuple(other for _, other in pairs),
    )


def rates(site: Site, limit: int = 200) -> list[tuple[float, float]]:
    """Start time and image bytes a second of the newest boots, oldest first."""
    with site.database.transaction() as session:
        return sorted(boot_rows.rates(session, limit))


def _events(site: Site, attempt: Attempt) -> list[Event]:
    """A boot's events, oldest first, as far as the journal still has them."""
    found = site.journal.of_machine(attempt.mac, attempt.ip, attempt.began, attempt.last + 0.001)
    return [entry.event for entry in found]


def _whole(known: Attempt, events: Iterable[Event]) -> Attempt:
    """The boot with its steps, which rows leave out."""
    return next((attempt for attempt in fold(events) if attempt.key == known.key), known)
