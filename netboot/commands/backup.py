"""`netboot backup` and `netboot restore`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.output import as_json, local_time, on_site, progress_bar, say
from netboot.commands.recorded import Verb, Verbs, who
from netboot.errors import DatabaseFault
from netboot.operations.accounts import audit
from netboot.operations.backups import finding, making, restoring

if TYPE_CHECKING:
    from netboot.site import Site

FILE = click.Path(path_type=Path, dir_okay=False)
BASE_HELP = "A backup that FILE is based on, if it is not in the same folder; may be repeated."


class RecordedByItself(Verb):
    """A command whose change is recorded when it is made, not noted before.

    The database cannot be opened before, or its disk may be full, which must not prevent a backup.
    """

    def invoke(self, ctx: click.Context) -> object:
        """Run it, without log lines: the answer goes to standard output."""
        import structlog

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        return click.Command.invoke(self, ctx)


class _BackupVerbs(Verbs):
    """`netboot backup FILE` is `netboot backup make FILE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help", "-h"}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_BackupVerbs)
def backup() -> None:
    """Backups of the whole site: netboot backup FILE, made while it runs."""


@backup.command(cls=RecordedByItself, changes=True)
@click.argument("target", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@click.option("--since", type=FILE, help="An earlier backup: leave out the content that it has.")
@click.option("--incremental", is_flag=True, help="As --since the newest backup in FOLDER.")
@on_site
def make(site: Site, target: Path, *, since: Path | None, incremental: bool, json_: bool) -> None:
    """Back up database, content, settings, keys and journal, while the site runs.

    In a FOLDER the file gets a name with the time. The file is for its owner only: it contains the
    site's keys.
    """
    with progress_bar("Backup") as tell:
        made = making.make_backup(site, target, since=since, incremental=incremental, progress=tell)
    try:
        audit.record(
            site,
            actor=who(),
            via=audit.VIA_CLI,
            action="backups.make",
            subject="backups",
            details={"file": made.file, "backup": made.id},
        )
    except DatabaseFault as fault:  # on a full disk the backup is needed most
        click.echo(f"The backup is made; its audit entry could not be written: {fault}", err=True)
    based = f", {made.elsewhere} in {', '.join(made.bases)}" if made.bases else ""
    say(
        made,
        f"{made.file}: {made.size / (1 << 20):.1f} MiB, {made.rows} rows,"
        f" {made.entries} journal entries, {made.blobs} files of content{based}.",
        json_=json_,
    )
    _warn_of_missing(made.missing)


@backup.command(changes=False)
@on_site
def last(site: Site, *, json_: bool) -> None:
    """Show when the last backup was made, and where backups from the page go."""
    state = making.backup_state(site)
    one = state.last
    kind = "incremental" if one and one.incremental else "full"
    made = "No backup was made yet."
    if one:
        size = f"{one.size / (1 << 20):.1f} MiB"
        made = f"Last backup: {local_time(one.made_at)}, {kind}, {size}: {one.file}"
    folder = state.folder or "not set (backup_folder)"
    say(state, made, f"Folder for backups from the page: {folder}", json_=json_)


@backup.command(changes=False)
@click.argument("file", type=FILE)
@click.option("--base", "bases", type=FILE, multiple=True, help=BASE_HELP)
@as_json
def verify(file: Path, *, bases: tuple[Path, ...], json_: bool) -> None:
    """Read every byte of a backup, and of those that it is based on."""
    with progress_bar("Verifying") as tell:
        found = finding.verify_backup(file, bases, progress=tell)
    based = f", based on {', '.join(found.bases)}" if found.bases else ""
    say(
        found,
        f"{found.file} is intact: made {local_time(found.made_at)} by netboot {found.release},"
        f" schema {found.schema}, {found.blobs} files of content{based}.",
        json_=json_,
    )
    _warn_of_missing(found.missing)


@click.command(cls=RecordedByItself, changes=True)
@click.argument("file", type=FILE)
@click.option("--base", "bases", type=FILE, multiple=True, help=BASE_HELP)
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder of the restored site; default: that of `netboot --data`.",
)
@click.option(
    "--database",
    help="URL of an empty database for the restored site, or `sqlite`; default: as in its"
    " settings.",
)
@click.option("--force", is_flag=True, help="Move a site that is there aside, and keep it.")
@as_json
@click.pass_obj
def restore(
    data: Path,
    file: Path,
    *,
    bases: tuple[Path, ...],
    folder: Path | None,
    database: str | None,
    force: bool,
    json_: bool,
) -> None:
    """Make the site of a backup again, in an empty data folder. Stop the site before."""
    with progress_bar("Restoring") as tell:
        done = restoring.restore(
            folder or data,
            file,
            others=bases,
            database=database,
            force=force,
            actor=who(),
            progress=tell,
        )
    restored = (
        f"The site of {local_time(done.made_at)} (netboot {done.release}) is restored in"
        f" {done.data}: {done.rows} rows, {done.entries} journal entries, {done.blobs} files of"
        " content. Start it now. Users sign in again."
    )
    lines = [restored]
    if done.aside:
        lines.append(f"The site from before is in {done.aside}; delete it when all is well.")
    if done.database_aside:
        lines.append(f"The tables from before are in the schema {done.database_aside}.")
    if done.system_settings:
        lines.append(
            f"The settings below /etc of the machine that was backed up are in"
            f" {done.system_settings}: take over what this machine needs."
        )
    say(done, *lines, json_=json_)
    _warn_of_missing(done.missing)


def _warn_of_missing(missing: tuple[str, ...]) -> None:
    if missing:
        click.echo(
            f"{len(missing)} files of content were damaged or missing in the site and are not in"
            " the backup; `netboot site verify` says what needs them.",
            err=True,
        )
