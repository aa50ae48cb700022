"""The number of boots in each hour, as sums, since counting the rows of a large site is slow.

Law: every transaction that writes or deletes rows of boots also updates the sums.
"""

import math
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from netboot.store.database.records import BootHourRow
from netboot.store.database.upsert import upsert

HOUR = 3600

Place = tuple[int, bool]
"""The sum in which a boot is counted: the hour since the epoch, and whether it is online."""


def hour_of(began: float) -> int:
    return math.floor(began / HOUR)


def add(session: Session, difference: Mapping[Place, int]) -> None:
    """Add these numbers to the sums; they may be negative."""
    rows: dict[int, dict[str, int]] = {}
    for (hour, online), count in difference.items():
        if count:
            row = rows.setdefault(hour, {"hour": hour, "online": 0, "other": 0})
            row["online" if online else "other"] += count
    if not rows:
        return
    upsert(session, BootHourRow, list(rows.values()), key="hour", summed=("online", "other"))
    session.execute(delete(BootHourRow).where(BootHourRow.online == 0, BootHourRow.other == 0))


def since(session: Session, first: int) -> dict[int, tuple[int, int]]:
    """The numbers of boots online and not online, by hour, from the hour `first` on."""
    query = select(BootHourRow.hour, BootHourRow.online, BootHourRow.other)
    rows = session.execute(query.where(BootHourRow.hour >= first))
    return {hour: (online, other) for hour, online, other in rows}
