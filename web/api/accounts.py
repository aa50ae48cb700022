"""Accounts over the API: who may do what, and the tokens of whoever asks."""

from typing import Literal

from flask_login import current_user  # type: ignore[import-untyped]
from pydantic import BaseModel, Field, SecretStr

from netboot.operations import accounts as operations
from netboot.operations import tokens as own_tokens
from web.access import Role, role_now, site
from web.api.subject import (
    Listed,
    NumberPath,
    Order,
    Page,
    Subject,
    Value,
    etag,
    expected_version,
    next_page,
    part_of,
)

accounts = Subject("accounts", "Who may do what.")
me = Subject("me", "The account that asks, and its API tokens.")

RoleName = Literal["viewer", "operator", "admin"]
ScopeName = Literal["read", "operate", "administer"]


class AccountPath(BaseModel):
    """An account by its name."""

    name: str = Field(min_length=1, max_length=100)


class Account(Value):
    """Somebody who may sign in. `external`: by OpenID Connect, without a password here."""

    name: str
    role: str
    disabled: bool
    external: bool
    created_at: float
    row_version: int = Field(description="Changes with the account; also given as ETag.")


class Accounts(Listed):
    """A part of the accounts, by name."""

    items: list[Account]


class NewAccount(Order):
    """An account to be made."""

    name: str = Field(min_length=1, max_length=100)
    role: RoleName
    password: SecretStr = Field(min_length=10, max_length=1000)


class AccountChange(Order):
    """What is to be changed; what is left out stays."""

    role: RoleName | None = None
    disabled: bool | None = None


class NewPassword(Order):
    """A password in place of the one that is there."""

    password: SecretStr = Field(min_length=10, max_length=1000)


class Me(Value):
    """Who asks, and what may be done now."""

    name: str
    role: str = Field(description="Of the account, or less where the token's scope is less.")
    external: bool


class Token(Value):
    """An API token; its text was shown once, when it was made."""

    id: int
    name: str
    handle: str
    scope: str
    created_at: float
    expires_at: float
    used_at: float


class TokenMade(Token):
    """A new token with its text, which is not shown again."""

    token: str


class Tokens(Value):
    """The account's tokens, newest first."""

    items: list[Token]


class NewToken(Order):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=100)
    scope: ScopeName = "read"
    days: int = Field(90, ge=1, le=own_tokens.LONGEST_DAYS, description="Until it ends.")


def _answer(account: operations.Account) -> tuple[Account, dict[str, str]]:
    return Account.model_validate(account), etag(account.row_version)


@accounts.verb("GET", "", needs=Role.ADMIN, gives=Accounts)
def list_accounts(query: Page) -> Accounts:
    """Everybody who may sign in, by name."""
    found = operations.list_accounts(site())
    return Accounts(
        items=[Account.model_validate(one) for one in part_of(found, query)],
        total=len(found),
        limit=query.limit,
        offset=query.offset,
        next=next_page(query, len(found)),
    )


@accounts.verb("POST", "", needs=Role.ADMIN, gives=Account, status=201, action="create")
def create_account(body: NewAccount) -> tuple[Account, dict[str, str]]:
    """Make an account."""
    password = body.password.get_secret_value()
    return _answer(operations.create_account(site(), body.name, password, body.role))


@accounts.verb("GET", "/<name>", needs=Role.ADMIN, gives=Account)
def get_account(path: AccountPath) -> tuple[Account, dict[str, str]]:
    """One account."""
    return _answer(operations.get_account(site(), path.name))


@accounts.verb(
    "PATCH", "/<name>", needs=Role.ADMIN, gives=Account, action="change", conditional=True
)
def change_account(path: AccountPath, body: AccountChange) -> tuple[Account, dict[str, str]]:
    """Give an account another role, or keep it from signing in; counts at once."""
    return _answer(
        operations.change_account(
            site(),
            path.name,
            role=body.role,
            disabled=body.disabled,
            row_version=expected_version(),
        )
    )


@accounts.verb("PUT", "/<name>/password", needs=Role.ADMIN, action="set_password")
def set_account_password(path: AccountPath, body: NewPassword) -> None:
    """Give an account another password; its sessions and tokens end."""
    operations.set_password(site(), path.name, body.password.get_secret_value())


@accounts.verb("DELETE", "/<name>", needs=Role.ADMIN, action="delete")
def delete_account(path: AccountPath) -> None:
    """Forget an account with its sessions and tokens."""
    operations.delete_account(site(), path.name)


@me.verb("GET", "", needs=Role.VIEWER, gives=Me)
def get_me() -> Me:
    """Who asks, and what may be done now."""
    account = current_user.account
    return Me(name=account.name, role=role_now().name.lower(), external=account.external)


@me.verb("GET", "/tokens", needs=Role.VIEWER, gives=Tokens)
def list_tokens() -> Tokens:
    """The account's tokens, newest first."""
    found = own_tokens.list_tokens(site(), current_user.id)
    return Tokens(items=[Token.model_validate(token) for token in found])


@me.verb(
    "POST", "/tokens", needs=Role.VIEWER, gives=TokenMade, status=201, action="create_token",
    gives_secret=True,
)  # fmt: skip
def create_token(body: NewToken) -> TokenMade:
    """Make a token; it may do no more than what makes it."""
    made, text = own_tokens.create_token(
        site(),
        current_user.account,
        body.name,
        scope=body.scope,
        days=body.days,
        at_most=role_now().name.lower(),
    )
    return TokenMade(**Token.model_validate(made).model_dump(), token=text)


@me.verb("DELETE", "/tokens/<int:number>", needs=Role.VIEWER, action="revoke_token")
def revoke_token(path: NumberPath) -> None:
    """Make a token worth nothing."""
    own_tokens.revoke_token(site(), current_user.id, path.number)
