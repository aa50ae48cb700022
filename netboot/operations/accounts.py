"""Who may sign in: the first administrator by a one-time token, then by name and password."""

import functools
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select

from netboot.errors import AlreadyExists, InvalidInput, NotFound, OperatorFault
from netboot.site import Site
from netboot.store.records import AccountRow, FactRow

ROLES = ("viewer", "operator", "admin")
SHORTEST_PASSWORD = 10
SETUP_TOKEN = "setup_token"  # noqa: S105  # the fact's name, not a secret

_hasher = PasswordHasher()
# A verification takes 64 MiB and a quarter of a second: a flood of sign-ins must not take all.
_verifying = threading.Semaphore(2)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in."""

    id: int
    name: str
    role: str


def setup_needed(site: Site) -> bool:
    """Whether nobody can sign in yet."""
    with site.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(AccountRow)) == 0


def issue_setup_token(site: Site) -> str:
    """A new one-time token for the first administrator; an older one stops working.

    Raises OperatorFault when there is an administrator already.
    """
    if not setup_needed(site):
        raise OperatorFault(
            "this site has an administrator already",
            hint="Sign in on the page, or use `netboot account password NAME`.",
        )
    token = secrets.token_urlsafe(12)
    with site.database.writing() as session:
        session.merge(FactRow(name=SETUP_TOKEN, value={"sha256": _digest(token)}))
    return token


def create_first_administrator(site: Site, token: str, name: str, password: str) -> Account:
    """The first administrator, against the token that the console showed.

    Raises InvalidInput for a wrong token or an unusable name or password.
    """
    with site.database.transaction() as session:
        fact = session.get(FactRow, SETUP_TOKEN)
    if fact is None or not hmac.compare_digest(fact.value["sha256"], _digest(token.strip())):
        raise InvalidInput(
            "that is not this site's set-up token",
            hint="It stands on the console where the site was started; "
            "`netboot account setup-token` shows a new one.",
        )
    if not setup_needed(site):
        raise AlreadyExists("this site has an administrator already", hint="Sign in instead.")
    account = create_account(site, name, password, "admin")
    with site.database.writing() as session:
        spent = session.get(FactRow, SETUP_TOKEN)
        if spent is not None:
            session.delete(spent)
    return account


def create_account(site: Site, name: str, password: str, role: str) -> Account:
    """A new account. Raises InvalidInput or AlreadyExists."""
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise InvalidInput("an account needs a name of 1 to 100 printable characters")
    if role not in ROLES:
        raise InvalidInput(f"there is no role {role!r}", hint=f"Roles: {', '.join(ROLES)}.")
    _check_password(password)
    row = AccountRow(name=name, password_hash=_hash(password), role=role, created_at=time.time())
    with site.database.writing() as session:
        if session.scalar(select(AccountRow).where(AccountRow.name == name)) is not None:
            raise AlreadyExists(f"there is an account {name!r} already")
        session.add(row)
        session.flush()
        return _account(row)


def set_password(site: Site, name: str, password: str) -> Account:
    """Give an account another password. Raises NotFound or InvalidInput."""
    _check_password(password)
    hashed = _hash(password)
    with site.database.writing() as session:
        row = session.scalar(select(AccountRow).where(AccountRow.name == name))
        if row is None:
            raise NotFound(f"there is no account {name!r}")
        row.password_hash = hashed
        return _account(row)


def authenticate(site: Site, name: str, password: str) -> Account | None:
    """The account, when name and password fit; takes as long for an unknown name."""
    with site.database.transaction() as session:
        row = session.scalar(select(AccountRow).where(AccountRow.name == name.strip()))
    hashed = row.password_hash if row is not None else _decoy()
    with _verifying:
        try:
            _hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return None
    return _account(row) if row is not None else None


def account(site: Site, account_id: int) -> Account | None:
    """The account of that number, if it is still there."""
    with site.database.transaction() as session:
        row = session.get(AccountRow, account_id)
        return _account(row) if row is not None else None


def list_accounts(site: Site) -> list[Account]:
    """Everybody who may sign in, by name."""
    with site.database.transaction() as session:
        return [_account(row) for row in session.scalars(select(AccountRow).order_by("name"))]


def _check_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"a password needs at least {SHORTEST_PASSWORD} characters")
    if len(password) > 1000:
        raise InvalidInput("a password may have at most 1000 characters")


def _hash(password: str) -> str:
    with _verifying:
        return _hasher.hash(password)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _account(row: AccountRow) -> Account:
    return Account(row.id, row.name, row.role)


@functools.cache
def _decoy() -> str:
    """A hash that no password fits: an unknown name must take as long as a known one."""
    return _hasher.hash(secrets.token_urlsafe(16))
