"""`netboot account`: accounts, their sessions and API tokens."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from netboot.access import LONGEST_DAYS, ROLES, SCOPES
from netboot.commands.output import local_time, on_site, print_list, say
from netboot.commands.recorded import Verbs
from netboot.operations.accounts import accounts, lockouts, sessions, tokens
from netboot.secret import Secret

if TYPE_CHECKING:
    from netboot.site import Site


@click.group(cls=Verbs)
def account() -> None:
    """Accounts that may sign in, and tokens for scripts."""


@account.command("setup-token", changes=True)
@on_site
def setup_token(site: Site, *, json_: bool) -> None:
    """Show a new one-time token for the first administrator."""
    token = accounts.issue_setup_token(site)
    say({"token": token}, token, json_=json_)


@account.command(changes=True)
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True)
@click.password_option()
@on_site
def create(site: Site, *, name: str, role: str, password: str, json_: bool) -> None:
    """Make an account NAME."""
    made = accounts.create_account(site, name, Secret(password), role)
    say(made, f"{made.name} may sign in as {made.role}.", json_=json_)


@account.command(changes=True)
@click.argument("name")
@click.password_option()
@on_site
def password(site: Site, *, name: str, password: str, json_: bool) -> None:
    """Change the password of account NAME; its sessions and tokens end."""
    changed = accounts.set_password(site, name, Secret(password))
    say(changed, f"{changed.name} has a new password.", json_=json_)


@account.command(changes=True)
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@on_site
def role(site: Site, *, name: str, role: str, json_: bool) -> None:
    """Change the role of account NAME to ROLE, at once."""
    changed = accounts.change_account(site, name, role=role)
    say(changed, f"{changed.name} is {changed.role} now.", json_=json_)


@account.command(changes=True)
@click.argument("name")
@on_site
def disable(site: Site, name: str, *, json_: bool) -> None:
    """Disable account NAME: it may not sign in."""
    changed = accounts.change_account(site, name, disabled=True)
    say(changed, f"{changed.name} may not sign in any more.", json_=json_)


@account.command(changes=True)
@click.argument("name")
@on_site
def enable(site: Site, name: str, *, json_: bool) -> None:
    """Let account NAME sign in again."""
    changed = accounts.change_account(site, name, disabled=False)
    say(changed, f"{changed.name} may sign in again.", json_=json_)


@account.command(changes=True)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_site
def delete(site: Site, name: str, *, yes: bool, json_: bool) -> None:
    """Delete account NAME, its sessions and tokens."""
    found = accounts.get_account(site, name)
    if not yes:
        click.confirm(f"Delete {found.name} ({found.role})?", abort=True)
    accounts.delete_account(site, found.name)
    say(found, f"{found.name} was deleted.", json_=json_)


@account.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all accounts."""
    found, locked = accounts.list_accounts(site), lockouts.list_lockouts(site)
    rows = (
        (
            item.name,
            item.role,
            "single sign-on" if item.external else "password",
            "disabled" if item.disabled else _locked(locked, item.name) or "active",
        )
        for item in found
    )
    print_list(found, ("Account", "Role", "Signs in with", "State"), rows, json_=json_)


def _locked(locked: list[lockouts.Lockout], name: str) -> str:
    """From where an account cannot sign in, and how long; empty if it can from everywhere."""
    return ", ".join(
        f"locked out from {one.address} for {lockouts.in_minutes(one.until - time.time())}"
        for one in lockouts.lockouts_of(locked, name)
    )


@account.command(changes=True)
@click.argument("name")
@on_site
def unlock(site: Site, name: str, *, json_: bool) -> None:
    """Let account NAME sign in again after too many failed attempts."""
    ended = lockouts.unlock(site, name)
    where = ", ".join(one.address for one in ended)
    words = f"{name} can sign in again from {where}." if ended else f"{name} was not locked out."
    say({"unlocked": [asdict(one) for one in ended]}, words, json_=json_)


@account.command(changes=True)
@click.argument("name")
@click.option("--label", default="made on the console", help="What the token is for.")
@click.option("--scope", type=click.Choice(list(SCOPES)), default="read", show_default=True)
@click.option("--days", type=click.IntRange(1, LONGEST_DAYS), default=90, show_default=True)
@on_site
def token(site: Site, *, name: str, label: str, scope: str, days: int, json_: bool) -> None:
    """Make an API token of account NAME, and show it once."""
    made, text = tokens.create_token(
        site, accounts.get_account(site, name), label, scope=scope, days=days
    )
    say({**asdict(made), "token": text}, text, json_=json_)


@account.command("tokens", changes=False)
@click.argument("name")
@on_site
def tokens_(site: Site, name: str, *, json_: bool) -> None:
    """Show the API tokens of account NAME."""
    found = tokens.list_tokens(site, accounts.get_account(site, name).id)
    rows = ((one.id, one.name, one.scope, local_time(one.expires_at, "%Y-%m-%d")) for one in found)
    print_list(found, ("No.", "Token", "Scope", "Expires"), rows, json_=json_)


@account.command(changes=True)
@click.argument("name")
@click.argument("number", type=int)
@on_site
def revoke(site: Site, *, name: str, number: int, json_: bool) -> None:
    """Revoke API token NUMBER of account NAME."""
    tokens.revoke_token(site, accounts.get_account(site, name).id, number)
    say({"revoked": number}, f"Token {number} was revoked.", json_=json_)


@account.command(changes=False)
@click.argument("name")
@on_site
def show(site: Site, name: str, *, json_: bool) -> None:
    """Show account NAME."""
    found = accounts.get_account(site, name)
    way = "by single sign-on" if found.external else "with a password"
    state = "may not sign in" if found.disabled else f"signs in {way}"
    locked = _locked(lockouts.list_lockouts(site), found.name)
    words = f"{found.name}: {found.role}, {state}" + (f", {locked}" if locked else "")
    say(found, words, json_=json_)


@account.command("sessions", changes=False)
@click.argument("name")
@on_site
def sessions_(site: Site, name: str, *, json_: bool) -> None:
    """Show where account NAME is signed in, last used first."""
    account_id = accounts.get_account(site, name).id
    found = sessions.list_sessions(site, account_id, now=time.time())
    rows = (
        (one.handle, local_time(one.seen), one.address or "-", one.browser[:60] or "-")
        for one in found
    )
    print_list(found, ("Session", "Last used", "Address", "Browser"), rows, json_=json_)


@account.command("end-session", changes=True)
@click.argument("name")
@click.argument("session")
@on_site
def end_session(site: Site, *, name: str, session: str, json_: bool) -> None:
    """Sign account NAME out of SESSION; `sessions` lists them."""
    sessions.end_one(site, accounts.get_account(site, name).id, session)
    say({"ended": session}, f"{name} is signed out there.", json_=json_)
