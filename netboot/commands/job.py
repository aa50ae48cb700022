"""`netboot job`: long work, its progress and its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.output import local_time, on_site, print_json, print_list, progress_bar, say
from netboot.commands.recorded import Verbs
from netboot.operations import jobs as operations
from netboot.operations import lab

if TYPE_CHECKING:
    from netboot.site import Site


wait_option = click.option("--wait", is_flag=True, help="Wait until it is done.")


@click.group(cls=Verbs)
def job() -> None:
    """Long work that the worker does."""


@job.command("list", changes=False)
@click.option("--limit", default=20, type=click.IntRange(1, 1000), show_default=True)
@click.option("--kind", default="", help="Only these, like build_version.")
@on_site
def list_(site: Site, *, limit: int, kind: str, json_: bool) -> None:
    """Show the newest jobs."""
    found = operations.list_jobs(site, limit, kind=kind)
    rows = (
        (
            one.id,
            one.title,
            one.state,
            f"{one.progress:.0%}",
            local_time(one.created_at),
            one.message or one.stage or "-",
        )
        for one in found
    )
    print_list(found, ("No.", "Job", "State", "Done", "Created", "Message"), rows, json_=json_)


@job.command(changes=False)
@click.argument("number", type=int)
@on_site
def show(site: Site, number: int, *, json_: bool) -> None:
    """Show job NUMBER with its log."""
    found = operations.get_job(site, number)
    if json_:
        print_json(found)
        return
    click.echo(f"{found.title}: {found.state} ({found.progress:.0%})")
    for words in filter(None, (found.message, lab.came_to(found))):
        click.echo(f"  {words}")
    for line in found.log:
        click.echo(f"  {line}")


@job.command(changes=True)
@click.argument("number", type=int)
@on_site
def cancel(site: Site, number: int, *, json_: bool) -> None:
    """Ask job NUMBER to stop."""
    found = operations.cancel(site, number)
    say(found, f'"{found.title}" was asked to stop.', json_=json_)


@job.command(changes=True)
@click.argument("number", type=int)
@wait_option
@on_site
def retry(site: Site, *, number: int, wait: bool, json_: bool) -> int:
    """Queue job NUMBER again, which failed or was cancelled."""
    return queued(site, operations.retry(site, number), wait=wait, json_=json_)


@job.command(changes=True)
@click.argument("number", type=int)
@on_site
def dismiss(site: Site, *, number: int, json_: bool) -> None:
    """Mark failed job NUMBER as seen: it needs no decision."""
    found = operations.dismiss(site, number)
    say(found, f'"{found.title}" was dismissed.', json_=json_)


@job.command(changes=False)
@click.argument("number", type=int)
@on_site
def wait(site: Site, number: int, *, json_: bool) -> int:
    """Wait until job NUMBER has ended; exit code 1 when it failed or was cancelled."""
    return finish(site, number, json_=json_)


@job.command(changes=False)
@click.argument("number", type=int)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@on_site
def screenshot(site: Site, *, number: int, file: Path, json_: bool) -> None:
    """Save the last picture of the test machine of job NUMBER as FILE (PNG)."""
    size = operations.save_screenshot(site, number, file)
    say({"file": str(file), "size": size}, f"Saved {file}, {size} bytes.", json_=json_)


def finish(site: Site, number: int, *, json_: bool) -> int:
    """Follow a job to its end, with a bar; returns an exit code. Ctrl-C does not stop the job."""
    found = operations.get_job(site, number)
    with progress_bar(found.title) as tell:
        for found in operations.follow(site, number):
            tell(found.progress, found.stage)
    words = [found.state, found.message, lab.came_to(found)]
    say(found, f"{found.title}: {': '.join(filter(None, words))}", json_=json_)
    return 0 if found.state == "succeeded" else 1


def queued(site: Site, found: operations.JobView, *, wait: bool, json_: bool) -> int:
    """Wait for a queued job, or only say how to; returns an exit code."""
    if wait:
        return finish(site, found.id, json_=json_)
    say(found, f"{found.title}: job {found.id}.", f"  -> Wait for it: netboot job wait {found.id}",
        json_=json_)  # fmt: skip
    return 0
