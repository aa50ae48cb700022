"""`netboot site`: the data folder, cleaned up and verified."""

import time

import click

from netboot.commands.output import (
    on_caught_up_site,
    on_site,
    print_json,
    print_table,
    progress_bar,
    say,
)
from netboot.commands.recorded import Verbs
from netboot.errors import ContentFault
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import quarantine as damaged
from netboot.site import Site


@click.group(cls=Verbs)
def site() -> None:
    """The data folder: clean up, verify."""


@site.command(changes=True)
@click.option("--force", is_flag=True, help="Even where the database looks like another's.")
@on_caught_up_site
def clean(site: Site, *, force: bool, json_: bool) -> None:
    """Delete what nothing refers to any more (a running site does this every day)."""
    with progress_bar("Cleaning") as tell:
        done = housekeeping.collect_garbage(site, time.time(), force=force, progress=tell)
    say(
        done,
        *(f"no longer kept on the distribution point: {label}" for label in done.versions),
        *([_altered_gone(done.altered)] if done.altered else []),
        f"{done.blobs} blobs, {done.leftovers} leftovers, {done.events} old events and"
        f" {done.jobs} old jobs are gone; {done.size / (1 << 20):.1f} MiB are free again.",
        json_=json_,
    )


@site.command(changes=False)
@on_site
def verify(site: Site, *, json_: bool) -> None:
    """Read every byte that is stored or served, and compare it with its digest."""
    with progress_bar("Verifying") as tell:
        count, wrong = housekeeping.verify(site, progress=tell)
    for sentence in wrong:
        click.echo(sentence, err=True)
    if not wrong or json_:
        words = f"{count} blobs are what they should be."
        say({"blobs": count, "wrong": wrong}, words, json_=json_)
    if wrong:
        raise ContentFault(f"{len(wrong)} of {count} blobs are not what they should be")


@site.command(changes=False)
@on_site
def altered(site: Site, *, json_: bool) -> None:
    """List damaged bytes that the daily check took out of use and kept to be looked at."""
    found = damaged.list_altered(site)
    if json_:
        print_json(found)
        return
    print_table(
        ("Set aside", "Store", "Bytes", "Digest that it should have", "Needed for"),
        [
            (
                time.strftime("%Y-%m-%d %H:%M", time.localtime(one.at)),
                *(one.where, one.size, one.digest, one.what),
            )
            for one in found
        ],
    )
    if found:
        click.echo("  -> Delete them: netboot site delete-altered DIGEST, or --all")


@site.command("delete-altered", changes=True)
@click.argument("digest", required=False)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@on_site
def delete_altered(site: Site, *, digest: str | None, everything: bool, json_: bool) -> None:
    """Delete damaged bytes that were set aside: those of DIGEST, or all."""
    if bool(digest) == everything:
        raise click.UsageError("Name a digest, or say --all.")
    done = damaged.delete_altered(site, digest or "")
    say(done, f"{done.files} files are gone, {done.size} bytes.", json_=json_)


def _altered_gone(count: int) -> str:
    return f"{count} files of damaged bytes, set aside long ago, are gone."
