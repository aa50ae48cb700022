"""Accounts: the first administrator by a one-time token, then by name and password."""

import functools
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from netboot.access import ROLES
from netboot.errors import (
    AlreadyExists,
    Difference,
    EditConflict,
    InUse,
    InvalidInput,
    NotFound,
    OperatorFault,
)
from netboot.secret import Secret, revealed
from netboot.site import Site
from netboot.store.database.account_records import SessionRow, TokenRow
from netboot.store.database.records import AccountRow, FactRow

SHORTEST_PASSWORD = 10
SETUP_TOKEN = "setup_token"  # noqa: S105  # the fact's name, not a secret

_hasher = PasswordHasher()
# Argon2 takes 64 MiB and a quarter of a second: a flood of sign-ins must not take all memory.
_verifying = threading.Semaphore(2)


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who may sign in; `external` accounts sign in by OpenID Connect."""

    id: int
    name: str
    role: str
    disabled: bool = False
    external: bool = False
    created_at: float = 0.0
    row_version: int = 1


def setup_needed(site: Site) -> bool:
    """Whether there is no account yet."""
    with site.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(AccountRow)) == 0


def issue_setup_token(site: Site) -> str:
    """A new one-time token for the first administrator; it replaces an older one.

    Raises OperatorFault if there is an account already.
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


def create_first_administrator(
    site: Site, token: Secret | str, name: str, password: Secret | str
) -> Account:
    """The first administrator, with the token that the console showed.

    Raises InvalidInput for a wrong token or an unusable name or password, AlreadyExists.
    """
    with site.database.transaction() as session:
        fact = session.get(FactRow, SETUP_TOKEN)
    if fact is None or not hmac.compare_digest(
        fact.value["sha256"], _digest(revealed(token).strip())
    ):
        raise InvalidInput(
            "that is not this site's setup token",
            hint="The console where the site was started shows it; "
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


def create_account(site: Site, name: str, password: Secret | str, role: str) -> Account:
    """Raises InvalidInput or AlreadyExists."""
    name = _checked_name(name)
    _check_role(role)
    _check_password(password)
    return _added(site, AccountRow(name=name, password_hash=_hash(password), role=role))


def set_password(
    site: Site,
    name: str,
    password: Secret | str,
    *,
    keep_session: str = "",
    keep_tokens: bool = False,
) -> Account:
    """Change a password; whatever was signed in with the old one is signed out.

    Sessions end, except the one with the digest `keep_session`; API tokens are revoked unless they
    are kept. Raises NotFound, InvalidInput, or OperatorFault for an external account.
    """
    _check_password(password)
    hashed = _hash(password)
    with site.database.writing() as session:
        row = _found(session, name)
        if row.identity is not None:
            raise OperatorFault(
                f"{row.name} signs in by OpenID Connect and has no password here",
                hint="Change it where the account is kept.",
            )
        row.password_hash = hashed
        _sign_out(session, row.id, keep_session=keep_session, keep_tokens=keep_tokens)
        return account_value(row)


def change_account(
    site: Site,
    name: str,
    *,
    role: str | None = None,
    disabled: bool | None = None,
    row_version: int | None = None,
) -> Account:
    """Change the role of an account, or disable it, at once.

    Raises NotFound, InvalidInput, EditConflict, and InUse for the last administrator.
    """
    if role is not None:
        _check_role(role)
    with site.database.writing() as session:
        row = _found(session, name)
        if row_version is not None and row.row_version != row_version:
            raise EditConflict(
                f"{row.name} was changed since you opened it",
                hint="Look at it again, then repeat your change.",
                difference=_difference(row, role, disabled=disabled),
            )
        if (role or "admin") != "admin" or disabled:
            _refuse_last_administrator(session, row)
        if role is not None:
            row.role = role
        if disabled is not None:
            row.disabled = disabled
        if disabled:
            _sign_out(session, row.id, keep_tokens=True)
        row.row_version += 1
        session.flush()
        return account_value(row)


def delete_account(site: Site, name: str) -> None:
    """Delete an account, its sessions and tokens. Raises NotFound, InUse."""
    with site.database.writing() as session:
        row = _found(session, name)
        _refuse_last_administrator(session, row)
        session.delete(row)


def external_account(site: Site, identity: str, name: str, role: str) -> Account:
    """The account of a user whom an OpenID Connect provider has authenticated; created if new.

    `identity` is issuer and subject; `role` is the current one by the provider's claims. Raises
    AlreadyExists if the name belongs to an account with a password, OperatorFault if the account is
    disabled.
    """
    _check_role(role)
    with site.database.writing() as session:
        row = session.scalar(select(AccountRow).where(AccountRow.identity == identity))
        if row is not None:
            if row.disabled:
                raise OperatorFault(
                    f"{row.name} may not sign in here", hint="Ask an administrator of this site."
                )
            row.role = role
            return account_value(row)
    made = AccountRow(name=_checked_name(name), password_hash="", role=role, identity=identity)
    return _added(site, made)


def authenticate(site: Site, name: str, password: Secret | str) -> Account | None:
    """The account, if name and password match; an unknown name takes as long."""
    with site.database.transaction() as session:
        row = session.scalar(select(AccountRow).where(AccountRow.name == name.strip()))
    usable = row is not None and row.identity is None and not row.disabled
    hashed = row.password_hash if row is not None and usable else _decoy()
    with _verifying:
        try:
            _hasher.verify(hashed, revealed(password))
        except (VerificationError, InvalidHashError):
            return None
    return account_value(row) if row is not None and usable else None


def account(site: Site, account_id: int) -> Account | None:
    """The account with this number, if it exists and may sign in."""
    with site.database.transaction() as session:
        row = session.get(AccountRow, account_id)
        return account_value(row) if row is not None and not row.disabled else None


def get_account(site: Site, name: str) -> Account:
    """Raises NotFound."""
    with site.database.transaction() as session:
        return account_value(_found(session, name))


def list_accounts(site: Site) -> list[Account]:
    """All accounts, by name."""
    with site.database.transaction() as session:
        return [account_value(row) for row in session.scalars(select(AccountRow).order_by("name"))]


def _added(site: Site, row: AccountRow) -> Account:
    row.created_at = time.time()
    with site.database.writing() as session:
        if session.scalar(select(AccountRow).where(AccountRow.name == row.name)) is not None:
            raise AlreadyExists(f"there is an account {row.name!r} already")
        session.add(row)
        session.flush()
        return account_value(row)


def _found(session: Session, name: str) -> AccountRow:
    row = session.scalar(select(AccountRow).where(AccountRow.name == name.strip()))
    if row is None:
        raise NotFound(f"there is no account {name[:100]!r}")
    return row


def _refuse_last_administrator(session: Session, row: AccountRow) -> None:
    others = select(func.count()).where(
        AccountRow.role == "admin", AccountRow.disabled.is_(False), AccountRow.id != row.id
    )
    if row.role == "admin" and not row.disabled and not session.scalar(others):
        raise InUse(
            f"{row.name} is the last administrator of this site",
            hint="Make another administrator first.",
        )


def _sign_out(
    session: Session, account_id: int, *, keep_session: str = "", keep_tokens: bool = False
) -> None:
    session.execute(
        delete(SessionRow).where(
            SessionRow.account_id == account_id, SessionRow.secret_hash != keep_session
        )
    )
    if not keep_tokens:
        session.execute(delete(TokenRow).where(TokenRow.account_id == account_id))


def _difference(
    row: AccountRow, role: str | None, *, disabled: bool | None
) -> tuple[Difference, ...]:
    wanted = {"role": (role, row.role), "disabled": (disabled, row.disabled)}
    return tuple(
        Difference(field, str(yours), str(theirs))
        for field, (yours, theirs) in wanted.items()
        if yours is not None and yours != theirs
    )


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise InvalidInput("an account needs a name of 1 to 100 printable characters")
    return name


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InvalidInput(f"there is no role {role!r}", hint=f"Roles: {', '.join(ROLES)}.")


def _check_password(secret: Secret | str) -> None:
    password = revealed(secret)
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"a password needs at least {SHORTEST_PASSWORD} characters")
    if len(password) > 1000:
        raise InvalidInput("a password may have at most 1000 characters")


def _hash(password: Secret | str) -> str:
    with _verifying:
        return _hasher.hash(revealed(password))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def account_value(row: AccountRow) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        role=row.role,
        disabled=row.disabled,
        external=row.identity is not None,
        created_at=row.created_at,
        row_version=row.row_version,
    )


@functools.cache
def _decoy() -> str:
    """A hash that no password matches: an unknown name must take as long as a known one."""
    return _hasher.hash(secrets.token_urlsafe(16))
