"""`netboot account`: who may sign in on the page."""

from pathlib import Path

import click

from netboot.commands.output import open_site, print_table
from netboot.operations import accounts


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
    """Give account NAME another password."""
    accounts.set_password(open_site(data), name, password)
    click.echo(f"{name} has a new password.")


@account.command("list")
@click.pass_obj
def list_(data: Path) -> None:
    """Show all accounts."""
    rows = [(item.name, item.role) for item in accounts.list_accounts(open_site(data))]
    print_table(("Account", "Role"), rows)
