"""`netboot account`: who may sign in on the page, and what scripts sign in with."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, print_json, print_table
from netboot.operations import accounts, tokens


@click.group()
def account() -> None:
    """Who may sign in on the page."""


@account.command("setup-token")
@click.pass_obj
def setup_token(data: Path) -> None:
    """Show a new one-time token for the first administrator."""
    click.echo(accounts.issue_setup_token(open_site(data)))


@account.command()
@click.argument("name")
@click.option("--role", type=click.Choice(accounts.ROLES), default="operator", show_default=True)
@click.password_option()
@click.pass_obj
def create(data: Path, name: str, role: str, password: str) -> None:
    """Make an account NAME."""
    made = accounts.create_account(open_site(data), name, password, role)
    click.echo(f"{made.name} may sign in as {made.role}.")


@account.command()
@click.argument("name")
@click.password_option()
@click.pass_obj
def password(data: Path, name: str, password: str) -> None:
    """Give account NAME another password; its sessions and tokens end."""
    accounts.set_password(open_site(data), name, password)
    click.echo(f"{name} has a new password.")


@account.command()
@click.argument("name")
@click.argument("role", type=click.Choice(accounts.ROLES))
@click.pass_obj
def role(data: Path, name: str, role: str) -> None:
    """Give account NAME another ROLE; counts at once."""
    changed = accounts.change_account(open_site(data), name, role=role)
    click.echo(f"{changed.name} is {changed.role} now.")


@account.command()
@click.argument("name")
@click.pass_obj
def disable(data: Path, name: str) -> None:
    """Keep account NAME from signing in."""
    accounts.change_account(open_site(data), name, disabled=True)
    click.echo(f"{name} may not sign in any more.")


@account.command()
@click.argument("name")
@click.pass_obj
def enable(data: Path, name: str) -> None:
    """Let account NAME sign in again."""
    accounts.change_account(open_site(data), name, disabled=False)
    click.echo(f"{name} may sign in again.")


@account.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(data: Path, name: str, *, yes: bool) -> None:
    """Forget account NAME with its sessions and tokens."""
    site = open_site(data)
    found = accounts.get_account(site, name)
    if not yes:
        click.confirm(f"Delete {found.name} ({found.role})?", abort=True)
    accounts.delete_account(site, found.name)
    click.echo(f"{found.name} is gone.")


@account.command("list")
@as_json
@click.pass_obj
def list_(data: Path, *, json_: bool) -> None:
    """Show all accounts."""
    found = accounts.list_accounts(open_site(data))
    if json_:
        print_json([asdict(item) for item in found])
        return
    rows = [
        (
            item.name,
            item.role,
            "single sign-on" if item.external else "password",
            "disabled" if item.disabled else "active",
        )
        for item in found
    ]
    print_table(("Account", "Role", "Signs in with", "State"), rows)


@account.command()
@click.argument("name")
@click.option("--label", default="made on the console", help="What the token is for.")
@click.option("--scope", type=click.Choice(list(tokens.SCOPES)), default="read", show_default=True)
@click.option("--days", type=click.IntRange(1, tokens.LONGEST_DAYS), default=90, show_default=True)
@as_json
@click.pass_obj
def token(data: Path, *, name: str, label: str, scope: str, days: int, json_: bool) -> None:
    """Make an API token of account NAME, and show it this once."""
    site = open_site(data)
    made, text = tokens.create_token(
        site, accounts.get_account(site, name), label, scope=scope, days=days
    )
    if json_:
        print_json({**asdict(made), "token": text})
        return
    click.echo(text)


@account.command("tokens")
@click.argument("name")
@as_json
@click.pass_obj
def tokens_(data: Path, name: str, *, json_: bool) -> None:
    """Show the API tokens of account NAME."""
    site = open_site(data)
    found = tokens.list_tokens(site, accounts.get_account(site, name).id)
    if json_:
        print_json([asdict(one) for one in found])
        return
    rows = [
        (one.id, one.name, one.scope, time.strftime("%Y-%m-%d", time.localtime(one.expires_at)))
        for one in found
    ]
    print_table(("No.", "Token", "Scope", "Ends"), rows)


@account.command()
@click.argument("name")
@click.argument("number", type=int)
@click.pass_obj
def revoke(data: Path, name: str, number: int) -> None:
    """Make API token NUMBER of account NAME worth nothing."""
    site = open_site(data)
    tokens.revoke_token(site, accounts.get_account(site, name).id, number)
    click.echo(f"Token {number} opens nothing any more.")
