"""What machines did: the newest boots, those that are searched for, and the story of one."""

import time
from dataclasses import dataclass

from sqlalchemy import select

from netboot.boot.told.attempt import Attempt
from netboot.boot.told.diagnosis import Diagnosis, diagnose
from netboot.boot.told.timeline import Fetch, Line, fetches, timeline
from netboot.errors import NotFound
from netboot.site import Site
from netboot.store.boots.hours import HOUR
from netboot.store.boots.rows import BootFilter
from netboot.store.database.records import ImageRow

__all__ = ["BootFilter", "Hours", "Story", "attempts", "by_hour", "list_boots", "rates", "story"]

EVERYTHING = BootFilter()


@dataclass(frozen=True, slots=True)
class Story:
    """One boot: how it stands, each event as a line, and every file that was sent to it."""

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
    return tuple(site.boots.find(attempt.key) or attempt for attempt in found)


def list_boots(
    site: Site, wanted: BootFilter = EVERYTHING, limit: int = 50, *, now: float | None = None
) -> list[Attempt]:
    """The newest boots that are wanted, newest first, without their steps."""
    return site.boots.newest(wanted, limit, time.time() if now is None else now)


def count(site: Site, wanted: BootFilter = EVERYTHING, *, now: float | None = None) -> int:
    """How many boots are wanted."""
    return site.boots.count(wanted, time.time() if now is None else now)


def troubled(site: Site, limit: int = 10, *, now: float | None = None) -> list[Attempt]:
    """What went wrong within a day, and was not mended by the machine's next boot."""
    now = time.time() if now is None else now
    return site.boots.troubled(now - 24 * HOUR, limit, now)


def image_slugs(site: Site) -> dict[str, str]:
    """Name and slug of each boot image, by name: for a choice or a link, without their recipes."""
    with site.database.transaction() as session:
        rows = session.execute(select(ImageRow.name, ImageRow.slug).order_by(ImageRow.name))
        return {row.name: row.slug for row in rows}


def diagnosis(site: Site, attempt: Attempt, *, now: float | None = None) -> Diagnosis | None:
    """What is wrong with a boot; None when nothing is."""
    events = [entry.event for entry in site.boots.entries(attempt)]
    return diagnose(attempt, events, time.time() if now is None else now)


def story(site: Site, key: str, *, now: float | None = None) -> Story:
    """One boot by its key. Raises NotFound."""
    attempt = site.boots.find(key)
    if attempt is None:
        raise NotFound("there is no such boot", hint="Old boots are forgotten after some time.")
    events = [entry.event for entry in site.boots.entries(attempt)]
    found = diagnose(attempt, events, time.time() if now is None else now)
    return Story(attempt, found, timeline(events, attempt), fetches(events))


def by_hour(site: Site, hours: int = 24, *, now: float | None = None) -> Hours:
    """Count the boots of the last hours."""
    this_hour = int((time.time() if now is None else now) // HOUR)
    numbers = range(this_hour - hours + 1, this_hour + 1)
    counts = site.boots.by_hour(numbers[0] * HOUR)
    pairs = [counts.get(number, (0, 0)) for number in numbers]
    return Hours(
        tuple(number * HOUR for number in numbers),
        tuple(online for online, _ in pairs),
        tuple(other for _, other in pairs),
    )


def rates(site: Site, limit: int = 200) -> list[tuple[float, float]]:
    """(when it began, bytes a second of its image) of the newest boots, oldest first."""
    return site.boots.rates(limit)
