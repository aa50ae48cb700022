"""`netboot audit`: who did what, and whether the log is intact."""

import click

from netboot.commands.output import local_time, on_site, print_json, print_list
from netboot.commands.recorded import Verbs
from netboot.errors import ContentFault
from netboot.operations.accounts import audit as operations
from netboot.site import Site


@click.group(cls=Verbs)
def audit() -> None:
    """The audit log: who did what, and whether it is intact."""


@audit.command("list", changes=False)
@click.option("--actor", default="", help="Only what this account did.")
@click.option("--subject", default="", help="Only what was done to this: images/lab-pe-x64.")
@click.option("--action", default="", help="Only this action, or those that begin with it: images.")
@click.option("--limit", default=50, type=click.IntRange(1, 10_000), show_default=True)
@on_site
def list_(site: Site, *, actor: str, subject: str, action: str, limit: int, json_: bool) -> None:
    """Show what was done, newest first."""
    found = operations.entries(site, actor=actor, subject=subject, action=action, limit=limit)
    rows = (
        (
            entry.id,
            local_time(entry.at, "%Y-%m-%d %H:%M:%S"),
            f"{entry.actor} ({entry.via})",
            entry.action,
            entry.subject or "-",
            entry.outcome,
        )
        for entry in found
    )
    print_list(found, ("No.", "When", "Who", "Action", "Subject", "Outcome"), rows, json_=json_)


@audit.command(changes=False)
@click.option("--head", default="", help="A hash that was noted earlier, in another place.")
@on_site
def verify(site: Site, *, head: str, json_: bool) -> None:
    """Verify the chain of hashes: whether an entry was altered, inserted or removed."""
    verdict = operations.verify(site, head=head)
    if json_:
        print_json(verdict)
    elif not verdict.faults:
        click.echo(f"The log is intact: {verdict.count} entries.")
        click.echo(f"Newest hash, to note elsewhere: {verdict.head}")
    if verdict.faults:
        raise ContentFault(f"the audit log is not as it was written: {'; '.join(verdict.faults)}")
