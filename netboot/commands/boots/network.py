"""`netboot network`: networks, requests and their answers, and other boot servers."""

import time
from dataclasses import asdict

import click

from netboot.commands.output import local_time, on_site, print_json, print_list, print_table
from netboot.commands.recorded import Verbs
from netboot.operations.boots import network as operations
from netboot.operations.boots import networks
from netboot.site import Site


@click.group(cls=Verbs)
def network() -> None:
    """Networks, boot requests and their answers; other boot servers."""


@network.command("log", changes=False)
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@click.option("--ignored", is_flag=True, help="Only requests that got no answer.")
@click.option("--search", default="", help="Only those with these words: MAC, address, file, why.")
@on_site
def log_(site: Site, limit: int, search: str, *, ignored: bool, json_: bool) -> None:
    """Show each boot request, its answer, and the reason."""
    found = operations.decisions(site, limit, ignored_only=ignored, search=search)
    rows = (
        (local_time(one.at, "%m-%d %H:%M:%S"), one.mac or one.ip or "-", one.port,
         one.file or "ignored", f"{one.reason} ({one.warning})" if one.warning else one.reason)
        for one in found
    )  # fmt: skip
    plain = [{**asdict(one), "ignored": one.ignored} for one in found]
    print_list(plain, ("When", "Machine", "Port", "Answer", "Why"), rows, json_=json_)


@network.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show each network, how it is served, and what was heard there."""
    found = networks.list_networks(site)
    rows = (
        (one.name, one.address or "-", f"{one.state}: {one.reason}" if one.reason else one.state,
         one.heard, local_time(one.last, "%m-%d %H:%M:%S") if one.last else "-",
         ", ".join(one.relays) or "-")
        for one in found
    )  # fmt: skip
    headings = ("Network", "Address", "State", "Requests", "Last", "Relays")
    print_list([asdict(one) for one in found], headings, rows, json_=json_)


@network.command("servers", changes=False)
@on_site
def servers(site: Site, *, json_: bool) -> None:
    """Show what this site serves, and other boot servers on the network."""
    ours, others = operations.serving(site), operations.other_servers(site)
    if json_:
        print_json({"ours": ours, "others": others})
        return
    if ours is None:
        click.echo("The boot services have never served a network here.")
    else:
        click.echo(f"Serving {ours.interface} as {ours.address} on UDP {ours.ports}.")
        for note in ours.notes:
            click.echo(f"\nNote: {note}")
    if not others:
        click.echo("No other boot server was seen.")
        return
    click.echo("\nOther boot servers: a machine takes the first answer.")
    now = time.time()
    print_table(
        ("Server", "Offers", "Last seen", "Answered"),
        [(one.server, one.file or "-", f"{now - one.last:.0f} s ago", one.mac) for one in others],
    )
