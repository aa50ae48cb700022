"""`netboot webhook`: who outside is told of what happens here."""

from dataclasses import asdict
from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, print_json, print_table, say
from netboot.commands.recorded import Verbs
from netboot.operations.accounts import webhooks as operations


@click.group(cls=Verbs)
def webhook() -> None:
    """External services that are notified of events."""


@webhook.command(changes=True)
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


@webhook.command("list", changes=False)
@as_json
@click.pass_obj
def list_(data: Path, *, json_: bool) -> None:
    """Show all webhooks."""
    found = operations.list_webhooks(open_site(data))
    if json_:
        print_json(found)
        return
    rows = [(one.id, one.url, ", ".join(one.events), "on" if one.enabled else "off")
            for one in found]  # fmt: skip
    print_table(("No.", "Address", "Events", "State"), rows)


@webhook.command(changes=False)
@click.argument("number", type=int)
@as_json
@click.pass_obj
def deliveries(data: Path, number: int, *, json_: bool) -> None:
    """Show what was told to webhook NUMBER, newest first."""
    found = operations.deliveries(open_site(data), number)
    if json_:
        print_json(found)
        return
    rows = [(one.id, one.event, one.state, one.attempts, one.answer or "-") for one in found]
    print_table(("No.", "Event", "State", "Tries", "Answer"), rows)


@webhook.command(changes=False)
@click.argument("number", type=int)
@as_json
@click.pass_obj
def show(data: Path, number: int, *, json_: bool) -> None:
    """Show webhook NUMBER."""
    found = operations.get_webhook(open_site(data), number)
    state = "on" if found.enabled else "off"
    say(found, f"{found.id}: {found.url}, {', '.join(found.events)}, {state}", json_=json_)


@webhook.command("set", changes=True)
@click.argument("number", type=int)
@click.option("--url", help="Where it is told from now on.")
@click.option("--event", "events", multiple=True, help="What it is told. May be repeated.")
@as_json
@click.pass_obj
def set_(data: Path, *, number: int, url: str | None, events: tuple[str, ...], json_: bool) -> None:
    """Change what webhook NUMBER is told, or where."""
    if url is None and not events:
        raise click.UsageError("Say --url, --event or both.")
    found = operations.change_webhook(open_site(data), number, url=url, events=events or None)
    words = f"Webhook {found.id} tells {found.url} of {', '.join(found.events)}."
    say(found, words, json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@as_json
@click.pass_obj
def test(data: Path, number: int, *, json_: bool) -> None:
    """Send webhook NUMBER a message, by the running site's worker."""
    sent = operations.send_test(open_site(data), number)
    say(sent, f"Queued. See how it went: netboot webhook deliveries {number}", json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@click.argument("state", type=click.Choice(["on", "off"]))
@as_json
@click.pass_obj
def switch(data: Path, *, number: int, state: str, json_: bool) -> None:
    """Switch webhook NUMBER on or off."""
    found = operations.change_webhook(open_site(data), number, enabled=state == "on")
    say(found, f"Webhook {number} is {state}.", json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@as_json
@click.pass_obj
def remove(data: Path, number: int, *, json_: bool) -> None:
    """Remove webhook NUMBER."""
    operations.remove_webhook(open_site(data), number)
    say({"removed": number}, f"Webhook {number} is gone.", json_=json_)
