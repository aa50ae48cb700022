"""Accounts over the API; for administrators."""

from typing import Literal

from pydantic import BaseModel, Field

from netboot.operations.accounts import accounts as operations
from netboot.operations.accounts import lockouts
from netboot.secret import Secret
from web.api.subject import (
    CONFLICTS,
    Items,
    Listed,
    Order,
    Page,
    Subject,
    Tagged,
    Value,
    expected_version,
    items_of,
    page_of,
    tagged,
)
from web.guard.access import Role, site

accounts = Subject("accounts", "Accounts and their roles.")

RoleName = Literal["viewer", "operator", "admin"]


class AccountPath(BaseModel):
    """An account by its name."""

    name: str = Field(min_length=1, max_length=100)


class Lockout(Value):
    """An account that cannot sign in from an address, after too many failed attempts.

    Without a name, no user can sign in from there.
    """

    name: str
    address: str
    until: float = Field(description="Epoch seconds.")


class Account(Value):
    """A user account. `external` accounts sign in with OpenID Connect and have no password here."""

    name: str
    role: str
    disabled: bool
    external: bool
    created_at: float
    row_version: int = Field(description="Version of the account; also returned as ETag.")
    lockouts: list[Lockout] = Field([], description="Addresses that it cannot sign in from.")


class NewAccount(Order):
    """A new account."""

    name: str = Field(min_length=1, max_length=100)
    role: RoleName
    password: Secret = Field(min_length=10, max_length=1000)


class AccountChange(Order):
    """The changes; fields that are left out stay as they are."""

    role: RoleName | None = None
    disabled: bool | None = None


class NewPassword(Order):
    """A new password."""

    password: Secret = Field(min_length=10, max_length=1000)


@accounts.verb("GET", "", needs=Role.ADMIN)
def list_accounts(query: Page) -> Listed[Account]:
    """List all accounts, sorted by name."""
    found = page_of(Account, operations.list_accounts(site()), query)
    locked = lockouts.list_lockouts(site())
    for one in found.items:
        one.lockouts = [Lockout.of(each) for each in lockouts.lockouts_of(locked, one.name)]
    return found


@accounts.verb("POST", "", needs=Role.ADMIN, status=201, action="create")
def create_account(body: NewAccount) -> Tagged[Account]:
    """Create an account."""
    made = operations.create_account(site(), body.name, body.password, body.role)
    return tagged(Account, made)


@accounts.verb("GET", "/<name>", needs=Role.ADMIN)
def get_account(path: AccountPath) -> Tagged[Account]:
    """Get an account."""
    found, headers = tagged(Account, operations.get_account(site(), path.name))
    locked = lockouts.lockouts_of(lockouts.list_lockouts(site()), found.name)
    return found.model_copy(update={"lockouts": [Lockout.of(one) for one in locked]}), headers


@accounts.verb(
    "PATCH", "/<name>", needs=Role.ADMIN, action="change", refuses=CONFLICTS, current=get_account
)
def change_account(path: AccountPath, body: AccountChange) -> Tagged[Account]:
    """Change an account's role, or disable it. Takes effect at once."""
    version, changes = expected_version(), body.model_dump()
    return tagged(
        Account, operations.change_account(site(), path.name, **changes, row_version=version)
    )


@accounts.verb("PUT", "/<name>/password", needs=Role.ADMIN, action="set_password")
def set_account_password(path: AccountPath, body: NewPassword) -> None:
    """Set a new password. All sessions and tokens of the account end."""
    operations.set_password(site(), path.name, body.password)


@accounts.verb("DELETE", "/<name>/lockouts", needs=Role.ADMIN, action="unlock")
def unlock_account(path: AccountPath) -> Items[Lockout]:
    """Unlock an account after failed attempts to sign in. Returns the lock-outs that ended."""
    return items_of(Lockout, lockouts.unlock(site(), path.name))


@accounts.verb("DELETE", "/<name>", needs=Role.ADMIN, action="delete")
def delete_account(path: AccountPath) -> None:
    """Delete an account with its sessions and tokens."""
    operations.delete_account(site(), path.name)
