"""API tokens: scripts sign in with them; each has a scope and an expiry.

`nb_<handle>_<secret>`: the handle finds the row, the digest of the secret proves it. A token
permits what its scope says, but never more than its account.
"""

import hmac
import re
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import select

from netboot.access import LONGEST_DAYS, ROLES, SCOPES
from netboot.errors import InvalidInput, NotFound
from netboot.operations.accounts.accounts import Account, account_value
from netboot.operations.accounts.sessions import TOLD_EVERY, digest_of
from netboot.site import Site
from netboot.store.database.account_records import TokenRow
from netboot.store.database.records import AccountRow

DAY = 24 * 3600.0
SHAPE = re.compile(r"nb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as its owner sees it. Times are epoch seconds; `used_at` is 0 if never used."""

    id: int
    name: str
    handle: str
    scope: str
    created_at: float
    expires_at: float
    used_at: float


@dataclass(frozen=True, slots=True)
class Bearer:
    """The account of a token, and the role that it has at most."""

    account: Account
    role: str
    handle: str


def create_token(
    site: Site,
    account: Account,
    name: str,
    *,
    scope: str = "read",
    days: int = 90,
    at_most: str = "",
) -> tuple[TokenView, str]:
    """A new token, and its text, which is shown only once. Raises InvalidInput.

    `at_most` is the role of the caller, if it is less than the account's: a token must not create a
    stronger one.
    """
    name = name.strip()
    role = min(at_most or account.role, account.role, key=ROLES.index)
    if not name or len(name) > 100 or not name.isprintable():
        raise InvalidInput("a token needs a name of 1 to 100 printable characters")
    if scope not in SCOPES:
        raise InvalidInput(f"there is no scope {scope!r}", hint=f"Scopes: {', '.join(SCOPES)}.")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(
            f"a token is valid for 1 to {LONGEST_DAYS} days", hint="Make a new one when it expires."
        )
    if ROLES.index(SCOPES[scope]) > ROLES.index(role):
        raise InvalidInput(
            f"the scope {scope!r} exceeds your permissions", hint=f"The role is {role}."
        )
    now, secret = time.time(), secrets.token_urlsafe(32)
    row = TokenRow(
        account_id=account.id,
        name=name,
        handle=secrets.token_hex(6),
        secret_hash=digest_of(secret),
        scope=scope,
        created_at=now,
        expires_at=now + days * DAY,
    )
    with site.database.writing() as session:
        session.add(row)
        session.flush()
        return _view(row), f"nb_{row.handle}_{secret}"


def bearer(site: Site, text: str, *, now: float) -> Bearer | None:
    """The bearer of a token; None if it is unknown, expired or its account is disabled."""
    shape = SHAPE.fullmatch(text)
    if shape is None:
        return None
    with site.database.transaction() as session:
        found = session.execute(
            select(TokenRow, AccountRow)
            .join(AccountRow, AccountRow.id == TokenRow.account_id)
            .where(TokenRow.handle == shape[1])
        ).one_or_none()
    if found is None:
        return None
    token, account = found
    if not hmac.compare_digest(token.secret_hash, digest_of(shape[2])):
        return None
    if token.expires_at <= now or account.disabled:
        return None
    if now - token.used_at > TOLD_EVERY:
        with site.database.writing() as session:
            row = session.get(TokenRow, token.id)
            if row is not None:
                row.used_at = now
    role = min(SCOPES[token.scope], account.role, key=ROLES.index)
    return Bearer(account_value(account), role, token.handle)


def list_tokens(site: Site, account_id: int) -> list[TokenView]:
    """An account's tokens, newest first."""
    query = select(TokenRow).where(TokenRow.account_id == account_id).order_by(TokenRow.id.desc())
    with site.database.transaction() as session:
        return [_view(row) for row in session.scalars(query)]


def revoke_token(site: Site, account_id: int, token_id: int) -> None:
    """Raises NotFound."""
    with site.database.writing() as session:
        row = session.get(TokenRow, token_id)
        if row is None or row.account_id != account_id:
            raise NotFound(f"there is no token {token_id}", hint="It may be revoked already.")
        session.delete(row)


def _view(row: TokenRow) -> TokenView:
    used_at = row.used_at or 0.0
    return TokenView(
        row.id, row.name, row.handle, row.scope, row.created_at, row.expires_at, used_at
    )
