"""`netboot export`, `netboot plan`, `netboot apply`: the site as files for git."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netboot.commands.output import on_site, print_json, progress_bar, say
from netboot.commands.recorded import Verb
from netboot.images.declared import Change, Kind
from netboot.operations import declarative

if TYPE_CHECKING:
    from netboot.site import Site

MARKS = {Kind.ADD: ("+", "green"), Kind.CHANGE: ("~", "yellow"), Kind.REMOVE: ("-", "red")}
DIFFERENT = 3

FOLDER = click.Path(path_type=Path, file_okay=False)
prune_option = click.option("--prune", is_flag=True, help="Remove images that no file declares.")


@click.command(cls=Verb, changes=False)
@click.argument("folder", type=FOLDER)
@on_site
def export(site: Site, folder: Path, *, json_: bool) -> None:
    """Write images, drivers and assignments into FOLDER, as files for git."""
    written = declarative.export(site, folder)
    say({"files": written}, f"{len(written)} files are in {folder}.", json_=json_)


@click.command(cls=Verb, changes=False)
@click.argument("folder", type=FOLDER)
@prune_option
@click.option(
    "--exit-code",
    "exit_code",
    is_flag=True,
    help=f"Exit with {DIFFERENT} if something would change.",
)
@on_site
def plan(site: Site, folder: Path, *, prune: bool, exit_code: bool, json_: bool) -> int:
    """Show what `netboot apply FOLDER` would change; change nothing."""
    found = declarative.plan(site, folder, prune=prune)
    if json_:
        print_json(_plain(found))
    else:
        _show(found)
    return DIFFERENT if exit_code and found.changes else 0


@click.command(cls=Verb, changes=True)
@click.argument("folder", type=FOLDER)
@prune_option
@click.option(
    "--delete-served",
    multiple=True,
    metavar="IMAGE",
    help="Remove this image although it is served to machines. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_site
def apply(
    site: Site, folder: Path, *, prune: bool, delete_served: tuple[str, ...], yes: bool, json_: bool
) -> None:
    """Change images, drivers and assignments to match FOLDER.

    Nothing is built and nothing that machines get changes: build versions and update the
    distribution points afterwards.
    """
    if not json_ and not yes:
        found = declarative.plan(site, folder, prune=prune)
        _show(found)
        if not found.changes:
            return
        click.confirm("Change this?", abort=True)
    with progress_bar("Applying") as progress:
        done = declarative.apply(
            site, folder, prune=prune, delete_served=delete_served, progress=progress
        )
    if json_:
        print_json(_plain(done))
    else:
        click.echo(f"{_counted(done.changes)} done.")


def _show(found: declarative.Plan) -> None:
    for source in found.sources:
        click.echo(f"  import {source}")
    for change in found.changes:
        mark, colour = MARKS[change.kind]
        click.secho(f"{mark} {change.subject} {change.label}", fg=colour)
        for line in change.details:
            click.echo(f"    {line}")
    click.echo(f"{_counted(found.changes)} to make." if found.changes else "Nothing to change.")


def _counted(changes: tuple[Change, ...]) -> str:
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}"


def _plain(found: declarative.Plan) -> dict[str, Any]:
    return {
        "sources": [str(path) for path in found.sources],
        "changes": [
            {
                "change": change.kind.value,
                "subject": change.subject,
                "key": change.key,
                "label": change.label,
                "details": list(change.details),
            }
            for change in found.changes
        ],
    }
