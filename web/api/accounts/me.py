"""The caller's own account over the API: password, sessions and tokens."""

import time
from typing import Literal

from flask_login import current_user  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from netboot.access import LONGEST_DAYS, SCOPES
from netboot.operations.accounts import accounts, sessions
from netboot.operations.accounts import tokens as own_tokens
from netboot.secret import Secret
from web.api.subject import TRIES, Items, NumberPath, Order, Subject, Value, items_of
from web.guard.access import Role, role_now, session_digest, site
from web.pages.accounts.own_account import require_password, the_whole_account

me = Subject("me", "The caller's account, sessions and API tokens.")

ScopeName = Literal["read", "operate", "administer"]


class Me(Value):
    """The caller and its current permissions."""

    name: str
    role: str = Field(description="Role of the account, limited by the scope of the token.")
    external: bool


class Token(Value):
    """An API token; its text is shown only when it is created."""

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


class NewToken(Order):
    """A new token."""

    name: str = Field(min_length=1, max_length=100)
    scope: ScopeName = "read"
    days: int = Field(90, ge=1, le=LONGEST_DAYS, description="Days until the token expires.")


class Session(Value):
    """A signed-in browser; `handle` identifies the session but cannot be used to sign in."""

    handle: str
    began: float
    seen: float
    address: str
    browser: str


class SessionPath(BaseModel):
    """A session by its handle."""

    handle: str = Field(min_length=1, max_length=64)


class OwnPassword(Order):
    """A new password, with the current one."""

    old_password: Secret = Field(max_length=1000)
    password: Secret = Field(min_length=accounts.SHORTEST_PASSWORD, max_length=1000)


@me.verb("GET", "", needs=Role.VIEWER)
def get_me() -> Me:
    """Get the caller's account and permissions."""
    account = current_user.account
    return Me(name=account.name, role=role_now().name.lower(), external=account.external)


@me.verb("PUT", "/password", needs=Role.VIEWER, action="set_password", refuses=TRIES)
def set_own_password(body: OwnPassword) -> None:
    """Change the password. All other sessions of the account end."""
    the_whole_account()
    require_password(body.old_password.get_secret_value())
    accounts.set_password(
        site(),
        current_user.name,
        body.password.get_secret_value(),
        keep_session=session_digest(),
        keep_tokens=True,
    )


@me.verb("GET", "/sessions", needs=Role.VIEWER)
def list_sessions() -> Items[Session]:
    """List the account's sessions, last used first."""
    return items_of(Session, sessions.list_sessions(site(), current_user.id, now=time.time()))


@me.verb("DELETE", "/sessions/<handle>", needs=Role.VIEWER, action="end_session")
def end_session(path: SessionPath) -> None:
    """End a session."""
    the_whole_account()
    sessions.end_one(site(), current_user.id, path.handle)


@me.verb("GET", "/tokens", needs=Role.VIEWER)
def list_tokens() -> Items[Token]:
    """List the account's tokens, newest first."""
    return items_of(Token, own_tokens.list_tokens(site(), current_user.id))


@me.verb("POST", "/tokens", needs=Role.VIEWER, status=201, action="create_token", gives_secret=True)
def create_token(body: NewToken) -> TokenMade:
    """Create a token, with at most the permissions of the caller."""
    made, text = own_tokens.create_token(
        site(),
        current_user.account,
        body.name,
        scope=body.scope,
        days=body.days,
        at_most=role_now().name.lower(),
    )
    return TokenMade(**Token.of(made).model_dump(), token=text)


@me.verb("DELETE", "/tokens/<int:number>", needs=Role.VIEWER, action="revoke_token")
def revoke_token(path: NumberPath) -> None:
    """Revoke a token. A token cannot revoke one with more permissions."""
    held = own_tokens.list_tokens(site(), current_user.id)
    scope = next((token.scope for token in held if token.id == path.number), "read")
    if Role.named(SCOPES[scope]) > role_now():
        the_whole_account()
    own_tokens.revoke_token(site(), current_user.id, path.number)
