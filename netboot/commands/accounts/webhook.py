"""`netboot webhook`: other programs that are notified of events."""

from dataclasses import asdict

import click

from netboot.commands.output import on_site, print_list, say
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
    """Notify URL of every EVENT, like boot.offline, job.failed, 'audit.*'."""
    made, secret = operations.add_webhook(site, url, events)
    say(
        {**asdict(made), "secret": secret},
        f"Webhook {made.id} is notified of {', '.join(made.events)}.",
        f"Its messages are signed with this secret, shown once: {secret}",
        json_=json_,
    )


@webhook.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all webhooks."""
    found = operations.list_webhooks(site)
    rows = (
        (one.id, one.url, ", ".join(one.events), "on" if one.enabled else "off") for one in found
    )
    print_list(found, ("No.", "Address", "Events", "State"), rows, json_=json_)


@webhook.command(changes=False)
@click.argument("number", type=int)
@on_site
def deliveries(site: Site, number: int, *, json_: bool) -> None:
    """Show the messages of webhook NUMBER, newest first."""
    found = operations.deliveries(site, number)
    rows = ((one.id, one.event, one.state, one.attempts, one.answer or "-") for one in found)
    print_list(found, ("No.", "Event", "State", "Tries", "Answer"), rows, json_=json_)


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
@click.option("--url", help="New address.")
@click.option("--event", "events", multiple=True, help="An event that it gets. May be repeated.")
@on_site
def set_(site: Site, *, number: int, url: str | None, events: tuple[str, ...], json_: bool) -> None:
    """Change the events or the address of webhook NUMBER."""
    if url is None and not events:
        raise click.UsageError("Use --url, --event or both.")
    found = operations.change_webhook(site, number, url=url, events=events or None)
    words = f"Webhook {found.id} notifies {found.url} of {', '.join(found.events)}."
    say(found, words, json_=json_)


@webhook.command(changes=True)
@click.argument("number", type=int)
@on_site
def test(site: Site, number: int, *, json_: bool) -> None:
    """Send webhook NUMBER a message, by the running site's worker."""
    sent = operations.send_test(site, number)
    say(sent, f"Queued. Its result: netboot webhook deliveries {number}", json_=json_)


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
    say({"removed": number}, f"Webhook {number} was removed.", json_=json_)
