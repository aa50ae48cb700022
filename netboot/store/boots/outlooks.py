"""What becomes of each machine that boots, as rows: the worker writes them, lists read them."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from netboot.store.database.records import OutlookRow
from netboot.store.database.upsert import upsert

IN_A_QUERY = 500

_COLUMNS = (OutlookRow.key, OutlookRow.image_name, OutlookRow.network, OutlookRow.storage)


class StoredOutlook(NamedTuple):
    """The image that a machine gets first, and Status values of what that does for it."""

    image: str
    network: str
    storage: str


def find(session: Session, keys: Collection[str]) -> dict[str, StoredOutlook]:
    """Those of the machines of which it is known."""
    rows = session.execute(select(*_COLUMNS).where(OutlookRow.key.in_(keys)))
    return {key: StoredOutlook(*rest) for key, *rest in rows}


def keep(session: Session, outlooks: Mapping[str, StoredOutlook]) -> None:
    """Make the rows say this of these machines and nothing of others; writes what differs."""
    before = {key: StoredOutlook(*rest) for key, *rest in session.execute(select(*_COLUMNS))}
    gone = sorted(before.keys() - outlooks.keys())
    for at in range(0, len(gone), IN_A_QUERY):
        part = gone[at : at + IN_A_QUERY]
        session.execute(delete(OutlookRow).where(OutlookRow.key.in_(part)))
    changed = [
        {"key": key, "image_name": one.image, "network": one.network, "storage": one.storage}
        for key, one in outlooks.items()
        if one != before.get(key)
    ]
    upsert(session, OutlookRow, changed, key="key")
