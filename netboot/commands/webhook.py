"""`netboot webhook`: who outside is told of what happens here."""

from dataclasses import asdict
from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, print_json, print_table
from netboot.operations import webhooks as operations


@click.group()
def webhook() -> None:
    """Who outside is told of what happens here."""


@webhook.command()
@click.argument("url")
@click.argument("events", metavar="EVENT...", nargs=-1, required=True)
@as_json
@click.pass_obj
def add(data: Path, url: str, events: tuple[str, ...], *, json_: bool) -> None:
    """Tell URL of every EVENT, like boot.offline, job.failed, 'audit.*'."""
    made, secret = operations.add_webhook(open_site(data), url, events)
    if json_:
        print_json({**asdict(made), "secret": secret})
        return
    click.echo(f"Webhook {made.id} is told of {', '.join(made.events)}.")
    click.echo(f"Its messages are signed with this secret, shown once: {secret}")


@webhook.command("list")
@as_json
@click.pass_obj
def list_(data: Path, *, json_: bool) -> None:
    """Show all webhooks."""
    found = operations.list_webhooks(open_site(data))
    if json_:
        print_json([asdict(one) for one in found])
        return
    rows = [(one.id, one.url, ", ".join(one.events), "on" if one.enabled else "off")
            for one in found]  # fmt: skip
    print_table(("No.", "Address", "Events", "State"), rows)


@webhook.command()
@click.argument("number", type=int)
@as_json
@click.pass_obj
def deliveries(data: Path, number: int, *, json_: bool) -> None:
    """Show what was told to webhook NUMBER, newest first."""
    found = operations.deliveries(open_site(data), number)
    if json_:
        print_json([asdict(one) for one in found])
        return
    rows = [(one.id, one.event, one.state, one.attempts, one.answer or "-") for one in found]
    print_table(("No.", "Event", "State", "Tries", "Answer"), rows)


@webhook.command()
@click.argument("number", type=int)
@click.pass_obj
def test(data: Path, number: int) -> None:
    """Send webhook NUMBER a message, by the running site's worker."""
    operations.send_test(open_site(data), number)
    click.echo(f"Queued. See how it went: netboot webhook deliveries {number}")


@webhook.command()
@click.argument("number", type=int)
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_obj
def switch(data: Path, number: int, state: str) -> None:
    """Switch webhook NUMBER on or off."""
    operations.change_webhook(open_site(data), number, enabled=state == "on")
    click.echo(f"Webhook {number} is {state}.")


@webhook.command()
@click.argument("number", type=int)
@click.pass_obj
def remove(data: Path, number: int) -> None:
    """Remove webhook NUMBER."""
    operations.remove_webhook(open_site(data), number)
    click.echo(f"Webhook {number} is gone.")
