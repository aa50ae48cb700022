"""Sessions of the page: they begin by signing in and end by signing out, by age, or remotely.

The browser holds a secret of 256 bits, the database only its digest, so that a copy of the database
opens no session. A session that was ended stays ended after a restart.
"""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, select, update

from netboot.errors import NotFound
from netboot.operations.accounts.accounts import Account, account_value
from netboot.site import Site
from netboot.store.database.account_records import SessionRow
from netboot.store.database.records import AccountRow

IDLE_SECONDS = 2 * 60 * 60
ABSOLUTE_SECONDS = 12 * 60 * 60
TOLD_EVERY = 60
"""Seconds between two writes of the last use."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its owner sees it; `handle` identifies it without its secret."""

    handle: str
    began: float
    seen: float
    address: str
    browser: str


def begin(site: Site, account_id: int, *, now: float, address: str = "", browser: str = "") -> str:
    """Begin a session; returns the secret for the browser. Expired sessions are deleted."""
    secret = secrets.token_urlsafe(32)
    with site.database.writing() as session:
        session.execute(delete(SessionRow).where(_over(now)))
        session.add(
            SessionRow(
                secret_hash=digest_of(secret),
                account_id=account_id,
                began=now,
                seen=now,
                address=address[:64],
                # PostgreSQL accepts neither NUL nor lone surrogates in a text.
                browser=browser[:255].encode("utf-8", "replace").decode().replace("\0", ""),
            )
        )
    return secret


def resume(site: Site, secret: str, *, now: float) -> Account | None:
    """The account of a session; None if it has ended or the account may not sign in."""
    digest = digest_of(secret)
    with site.database.transaction() as session:
        found = session.execute(_WHOSE, {"digest": digest, **_limits(now)}).one_or_none()
    if found is None:
        return None
    seen, account = found
    if now - seen > TOLD_EVERY:
        used = update(SessionRow).where(SessionRow.secret_hash == digest).values(seen=now)
        with site.database.writing() as session:
            session.execute(used)
    return account_value(account)


def _limits(now: float) -> dict[str, float]:
    """The earliest last use and the earliest beginning of a session that is still valid."""
    return {"idle": now - IDLE_SECONDS, "oldest": now - ABSOLUTE_SECONDS}


def _before(
    idle: ColumnElement[float] | float, oldest: ColumnElement[float] | float
) -> ColumnElement[bool]:
    return (SessionRow.seen < idle) | (SessionRow.began < oldest)


_WHOSE = (
    select(SessionRow.seen, AccountRow)
    .join(AccountRow, AccountRow.id == SessionRow.account_id)
    .where(
        SessionRow.secret_hash == bindparam("digest"),
        ~_before(bindparam("idle"), bindparam("oldest")),
        AccountRow.disabled.is_(False),
    )
)
"""Compiled once: every request runs it."""


def end(site: Site, secret: str) -> None:
    """Sign out."""
    with site.database.writing() as session:
        session.execute(delete(SessionRow).where(SessionRow.secret_hash == digest_of(secret)))


def list_sessions(site: Site, account_id: int, *, now: float) -> list[SessionView]:
    """An account's sessions, last used first."""
    query = (
        select(SessionRow)
        .where(SessionRow.account_id == account_id, ~_over(now))
        .order_by(SessionRow.seen.desc())
    )
    with site.database.transaction() as session:
        return [
            SessionView(handle_of(row.secret_hash), row.began, row.seen, row.address, row.browser)
            for row in session.scalars(query)
        ]


def end_one(site: Site, account_id: int, handle: str) -> None:
    """End one session of an account by its handle. Raises NotFound."""
    with site.database.writing() as session:
        for row in session.scalars(select(SessionRow).where(SessionRow.account_id == account_id)):
            if handle_of(row.secret_hash) == handle:
                session.delete(row)
                return
    raise NotFound("there is no such session", hint="It may have ended already.")


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def handle_of(digest: str) -> str:
    return digest[:16]


def _over(now: float) -> ColumnElement[bool]:
    return _before(**_limits(now))
