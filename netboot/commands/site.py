"""`netboot site`: the data folder, cleaned up and verified."""

import time
from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, progress_bar, say
from netboot.errors import ContentFault
from netboot.operations import housekeeping


@click.group()
def site() -> None:
    """The data folder: clean up, verify."""


@site.command()
@click.option("--force", is_flag=True, help="Even where the database looks like another's.")
@as_json
@click.pass_obj
def clean(data: Path, *, force: bool, json_: bool) -> None:
    """Let go of what nothing names any more (a running site does it every day)."""
    opened = open_site(data)
    with progress_bar("Cleaning") as tell:
        done = housekeeping.collect_garbage(opened, time.time(), force=force, progress=tell)
    say(
        done,
        *(f"no longer kept on the distribution point: {label}" for label in done.versions),
        f"{done.blobs} blobs, {done.leftovers} leftovers, {done.events} old events and"
        f" {done.jobs} old jobs are gone; {done.size / (1 << 20):.1f} MiB are free again.",
        json_=json_,
    )


@site.command()
@as_json
@click.pass_obj
def verify(data: Path, *, json_: bool) -> None:
    """Read every byte that is stored or served, and compare it with its digest."""
    with progress_bar("Verifying") as tell:
        count, wrong = housekeeping.verify(open_site(data), progress=tell)
    for sentence in wrong:
        click.echo(sentence, err=True)
    if not wrong or json_:
        words = f"{count} blobs are what they should be."
        say({"blobs": count, "wrong": wrong}, words, json_=json_)
    if wrong:
        raise ContentFault(f"{len(wrong)} of {count} blobs are not what they should be")
