"""How many boots began in each hour: sums beside the rows, for counting these takes long.

Law: who writes or forgets boots' rows says so here in the same transaction.
"""

import math
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from netboot.store.database.records import BootHourRow
from netboot.store.database.upsert import upsert

HOUR = 3600

Place = tuple[int, bool]
"""Where a boot is counted: the number of its hour since the epoch, and whether it is online."""


def hour_of(began: float) -> int:
    """The number of the hour, as the database itself reckons it."""
    return math.floor(began / HOUR)


def add(session: Session, difference: Mapping[Place, int]) -> None:
    """Count so many more boots, or fewer."""
    rows: dict[int, dict[str, int]] = {}
    for (hour, online), count in difference.items():
        if count:
            row = rows.setdefault(hour, {"hour": hour, "online": 0, "other": 0})
            row["online" if online else "other"] += count
    if not rows:
        return
    upsert(session, BootHourRow, list(rows.values()), key="hour", summed=("online", "other"))
    session.execute(delete(BootHourRow).where(BootHourRow.online == 0, BootHourRow.other == 0))


def since(session: Session, first: int) -> Counter[Place]:
    """How many there are, from the hour with this number on."""
    query = select(BootHourRow.hour, BootHourRow.online, BootHourRow.other)
    found: Counter[Place] = Counter()
    for hour, online, other in session.execute(query.where(BootHourRow.hour >= first)):
        found[hour, True], found[hour, False] = online, other
    return found
