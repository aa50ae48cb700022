"""`netboot job`: long work, how far it is, what came of it."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, print_json, print_table
from netboot.operations import jobs as operations


@click.group()
def job() -> None:
    """Long work that the worker does."""


@job.command("list")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), show_default=True)
@as_json
@click.pass_obj
def list_(data: Path, *, limit: int, json_: bool) -> None:
    """Show the newest jobs."""
    found = operations.list_jobs(open_site(data), limit)
    if json_:
        print_json([asdict(one) for one in found])
        return
    rows = [
        (
            one.id,
            one.title,
            one.state,
            f"{one.progress:.0%}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created_at)),
            one.message or one.stage or "-",
        )
        for one in found
    ]
    print_table(("No.", "Job", "State", "Done", "Asked for", "Message"), rows)


@job.command()
@click.argument("number", type=int)
@as_json
@click.pass_obj
def show(data: Path, number: int, *, json_: bool) -> None:
    """Show job NUMBER with its log."""
    found = operations.get_job(open_site(data), number)
    if json_:
        print_json(asdict(found))
        return
    click.echo(f"{found.title}: {found.state} ({found.progress:.0%})")
    if found.message:
        click.echo(f"  {found.message}")
    for line in found.log:
        click.echo(f"  {line}")


@job.command()
@click.argument("number", type=int)
@click.pass_obj
def cancel(data: Path, number: int) -> None:
    """Ask job NUMBER to stop."""
    found = operations.cancel(open_site(data), number)
    click.echo(f'"{found.title}" was asked to stop.')
