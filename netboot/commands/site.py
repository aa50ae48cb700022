"""`netboot site`: the data folder, made, cleaned up and verified."""

import time
from pathlib import Path

import click

from netboot.commands.backup import RecordedByItself
from netboot.commands.output import (
    as_json,
    local_time,
    on_caught_up_site,
    on_site,
    print_list,
    progress_bar,
    say,
)
from netboot.commands.recorded import Verbs, who
from netboot.errors import ContentFault
from netboot.operations import site_making
from netboot.operations.backups import moving, taking_back
from netboot.operations.points import cleanup, quarantine
from netboot.site import Site


@click.group(cls=Verbs)
def site() -> None:
    """The data folder: create, clean up, verify, move to another database, undo an upgrade."""


@site.command(changes=False)  # there is no audit log before
@click.option(
    "--token/--no-token",
    default=True,
    help="Print a set-up token if there is no administrator; it replaces an older one.",
)
@as_json
@click.pass_obj
def create(data: Path, *, token: bool, json_: bool) -> None:
    """Make a site without starting it; make one that is there ready for its start.

    It needs no network, no compiler and no image, and says what else is missing for what.
    """
    from netboot.daemons.starting import own_user

    became = own_user.enter(data, ())
    made = site_making.create_site(data, with_token=token)
    lines = [f"The site in {made.data} is {'made' if made.is_new else 'ready'}."]
    if made.setup_token:
        lines.append(
            f"  Set-up token {made.setup_token}   (needed once, to make the first administrator)"
        )
    lines += [f"  Missing      for {one.what}: {', '.join(one.packages)}" for one in made.missing]
    if isinstance(became, own_user.Account):
        lines.append(f"  Owner        {became.name}, as whom `netboot run` works")
    say(made, *lines, *(f"  Note         {note}" for note in made.notes), json_=json_)


@site.command(changes=True)
@click.option("--force", is_flag=True, help="Even if the database seems to belong to another site.")
@on_caught_up_site
def clean(site: Site, *, force: bool, json_: bool) -> None:
    """Delete what nothing refers to any more (a running site does this every day)."""
    with progress_bar("Cleaning") as tell:
        done = cleanup.collect_garbage(site, time.time(), force=force, progress=tell)
    say(
        done,
        *(f"no longer kept on the distribution point: {label}" for label in done.versions),
        *([f"{done.altered} old quarantined files were deleted."] if done.altered else []),
        f"{done.blobs} blobs, {done.leftovers} leftovers, {done.events} old events and"
        f" {done.jobs} old jobs were deleted; {done.size / (1 << 20):.1f} MiB are free again.",
        json_=json_,
    )


@site.command(changes=False)
@on_site
def verify(site: Site, *, json_: bool) -> None:
    """Read every byte that is stored or served, and compare it with its digest."""
    with progress_bar("Verifying") as tell:
        count, wrong = cleanup.verify(site, progress=tell)
    for sentence in wrong:
        click.echo(sentence, err=True)
    if not wrong or json_:
        words = f"{count} blobs are intact."
        say({"blobs": count, "wrong": wrong}, words, json_=json_)
    if wrong:
        raise ContentFault(f"{len(wrong)} of {count} blobs are damaged")


@site.command(changes=False)
@on_site
def altered(site: Site, *, json_: bool) -> None:
    """List damaged files that the daily check took out of use and kept for an inspection."""
    found = quarantine.list_altered(site)
    rows = ((local_time(one.at), one.where, one.size, one.digest, one.what) for one in found)
    titles = ("Quarantined", "Store", "Bytes", "Digest that it should have", "Needed for")
    print_list(found, titles, rows, json_=json_)
    if found and not json_:
        click.echo("  -> Delete them: netboot site delete-altered DIGEST, or --all")


@site.command("delete-altered", changes=True)
@click.argument("digest", required=False)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@on_site
def delete_altered(site: Site, *, digest: str | None, everything: bool, json_: bool) -> None:
    """Delete quarantined files: those of DIGEST, or all."""
    if bool(digest) == everything:
        raise click.UsageError("Name a digest, or use --all.")
    done = quarantine.delete_altered(site, digest or "")
    say(done, f"{done.files} files were deleted, {done.size} bytes.", json_=json_)


@site.command(cls=RecordedByItself, changes=True)
@click.argument("url", metavar="URL|sqlite")
@click.option("--force", is_flag=True, help="Move tables of the new database aside; keep them.")
@on_site
def move(site: Site, url: str, *, force: bool, json_: bool) -> None:
    """Move all rows to another database: postgresql://… or sqlite. Stop the site before.

    The old database stays as it is. All tables are compared before the settings name the new one.
    """
    with progress_bar("Moving") as tell:
        done = moving.move(site, url, force=force, actor=who(), progress=tell)
    lines = [
        f"{done.rows} rows of {done.tables} tables are in {done.new}, compared one by one.",
        f"The old database {done.old} is as it was; delete it when all is well.",
    ]
    if done.set_aside:
        lines.append(f"What was there before is kept as {done.set_aside}.")
    if done.variable:
        lines.append(f"Now set {done.variable} where the site is started, then start it.")
    else:
        lines.append("The settings name the new database. Start the site.")
    say(done, *lines, json_=json_)


@site.command("take-back", cls=RecordedByItself, changes=True)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@on_site
def take_back(site: Site, file: Path | None, *, json_: bool) -> None:
    """Take back an upgrade: use the database from before it. Stop the site before.

    FILE is one of those in the folder before-upgrade; without it, the newest.
    """
    with progress_bar("Taking back") as tell:
        done = taking_back.take_back(site, file, progress=tell)
    release = f"netboot {done.release}" if done.release else "an earlier release"
    back = (
        f"The database of {local_time(done.made_at)} is back: schema {done.schema},"
        f" {done.rows} rows, of {release}."
    )
    install = "Install that release now: this one upgrades the database again when it opens it."
    lines = [back, install]
    if done.aside:
        lines.append(f"The upgraded database is kept as {done.aside}.")
    say(done, *lines, json_=json_)
