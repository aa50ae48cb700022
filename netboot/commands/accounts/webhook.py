"""`netboot webhook`: who outside is told of what happens here."""

from dataclasses import asdict

import click

from netboot.commands.output import on_site, print_json, print_table, say
from netboot.commands.recorded import Verbs
from netboot.operations.accounts import webhooks as operations
from netboot.site import Site


@click.group(cls=Verbs)
def webhook() -> None:
    """External services that are notified of events."""


@webhook.command(changes=True)
@click.argument("url")
@click.argument("events", metavar="EVENT...", nargs=-1, required=True)
@on_site
def add(site: Site, url: str, events: tuple[str, ...], *, json_: bool) -> None:
    """Tell URL of every EVENT, like boot.offline, job.failed, 'audit.*'."""
    made, secret = operations.add_webhook(site, url, events)
    if json_:
        print_json({**asdict(made), "secret": secret})
        return
    click.echo(f"Webhook {made.id} is told of {', '.join(made.events)}.")
    click.echo(f"Its messages are signed with this secret, shown once: {secret}")


@webhook.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all webhooks."""
    found = operations.list_webhooks(site)
    if json_:
        print_json(found)
        return
    rows = [(one.id, one.url, ", ".join(one.events), "on" if one.enabled else "off")
            for one in found]  # fmt: skip
    print_table(("No.", "Address", "Events", "State"), rows)


@webhook.command(changes=False)
@click.argument("number", type=int)
@on_site
def deliveries(site: Site, number: int, *, json_: bool) -> None:
    """Show what was told to webhook NUMBER, newest first."""
    found = operations.deliveries(site, number)
    if json_:
        print_json(found)
        return
    rows = [(one.id, one.event, one.state, one.attempts, one.answer or "-") for one in found]
    print_table(("No.", "Event", "State", "Tries", "Answer"), rows)


@webhook.command(changes=False)
@click.argument("number", type=int)
@on_site
def show(site: Site, number: int, *, json_: bool) -> None:
    """Show webhook NUMBER."""
    found = operations.get_webhook(site, number)
    state = "on" if found.enabled else "off"
    say(found, f"{found.id}: {found.url}, {', '.join(found.events)}, {state}", json_=json_)


@webhook.command("set", changes=True)
@click.argument("number", type=int)
@click.option("--url", help="Where events are sent from now on.")
@click.option("--event", "events", multiple=True, help="Which events it gets. May be repeated.")
@on_site
def set_(site: Site, *, number: int, url: str | None, events: tuple[str, ...], json_: bool) -> None:
    """Change what webhook NUMBER is told, or where."""
    if url is None and not events:
        raise click.UsageError("Say --url, --event or both.")
    found = operations.change_webhook(site, number, url=url, events=events or None)
    words = f"Webhook {found.id} tells {found.url} of {', '.join(found.events)}."
    say(found, words, json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@on_site
def test(site: Site, number: int, *, json_: bool) -> None:
    """Send webhook NUMBER a message, by the running site's worker."""
    sent = operations.send_test(site, number)
    say(sent, f"Queued. See how it went: netboot webhook deliveries {number}", json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@click.argument("state", type=click.Choice(["on", "off"]))
@on_site
def switch(site: Site, *, number: int, state: str, json_: bool) -> None:
    """Switch webhook NUMBER on or off."""
    found = operations.change_webhook(site, number, enabled=state == "on")
    say(found, f"Webhook {number} is {state}.", json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@on_site
def remove(site: Site, number: int, *, json_: bool) -> None:
    """Remove webhook NUMBER."""
    operations.remove_webhook(site, number)
    say({"removed": number}, f"Webhook {number} is gone.", json_=json_)
