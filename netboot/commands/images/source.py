"""`netboot image`: import a source, replace it by a newer one, accept secrets in it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.images.printing import alarms, plain_image, tell_report
from netboot.commands.output import on_site, progress_bar, say
from netboot.commands.recorded import Verb
from netboot.images.architecture import Architecture
from netboot.operations.images import images
from netboot.operations.images import source as image_source
from netboot.operations.versions import publication_gate as publication

if TYPE_CHECKING:
    from netboot.site import Site

_INDEX = click.IntRange(min=1)


@click.command("import", cls=Verb, changes=True)
@click.argument("wim", type=click.Path(path_type=Path, readable=False))
@click.option("--name", required=True, help="Name of the image.")
@click.option(
    "--architecture",
    type=click.Choice([a.value for a in Architecture]),
    help="Refuse a file of another architecture.",
)
@click.option("--index", type=_INDEX, help="Image inside the WIM; else the bootable one.")
@click.option("--comment", default="")
@on_site
def import_(
    site: Site,
    *,
    wim: Path,
    name: str,
    architecture: str | None,
    index: int | None,
    comment: str,
    json_: bool,
) -> None:
    """Import WIM (or boot.wim from an ISO) as the source of a new boot image."""
    wanted = Architecture(architecture) if architecture else None
    with progress_bar("Importing") as tell:
        view = images.import_image(
            site, wim, name=name, architecture=wanted, index=index, comment=comment, progress=tell
        )
    say(
        plain_image(view),
        f"Imported {view.name}: {view.facts.words}.",
        *(f"  note: {sentence}" for sentence in alarms(view)),
        f'  -> Build its first version: netboot image build "{view.name}"',
        json_=json_,
    )


@click.command(cls=Verb, changes=True)
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--index", type=_INDEX, help="Image inside the WIM; else the bootable one.")
@click.option("--yes", is_flag=True, help="Take it without asking, unless there are conflicts.")
@click.option("--report", "report_only", is_flag=True, help="Only examine it; take it later.")
@click.option("--give-up", is_flag=True, help="Discard the one that was examined.")
@on_site
def reload(
    site: Site,
    *,
    name: str,
    file: Path | None,
    index: int | None,
    yes: bool,
    report_only: bool,
    give_up: bool,
    json_: bool,
) -> None:
    """Examine FILE (a WIM or ISO) as a newer source of image NAME, report, and take it.

    Without FILE, take the source that was examined before.
    """
    if give_up:
        view = image_source.give_up_source(site, name)
        say(plain_image(view), f"{view.name} keeps its source.", json_=json_)
        return
    view = images.get_image(site, name)
    if file is not None:
        with progress_bar("Examining") as tell:
            view = image_source.examine_source(site, name, file, index=index, progress=tell)
    if view.candidate is not None and not json_:
        tell_report(view.candidate.report)
    if report_only:
        plain = {**plain_image(view), "report": view.candidate.report if view.candidate else None}
        say(plain, f'  -> Take it: netboot image reload "{view.name}" --yes', json_=json_)
        return
    if view.candidate is not None and not view.candidate.report.conflicts and not (yes or json_):
        click.confirm(f"Build {view.name} from it from now on?", abort=True)
    view = image_source.take_source(site, name)
    say(
        plain_image(view),
        f"{view.name} is built from {view.source_name} from now on.",
        f'  -> Build a version: netboot image build "{view.name}"',
        json_=json_,
    )


@click.command("accept-secrets", cls=Verb, changes=True)
@click.argument("name")
@click.option("--reason", required=True, help="Why anyone who boots the image may read them.")
@on_site
def accept_secrets(site: Site, *, name: str, reason: str, json_: bool) -> None:
    """Let image NAME be published although it holds secrets; later ones block it again."""
    known = [f"  {secret.sentence}" for secret in images.get_image(site, name).secrets]
    view = publication.accept_secrets(site, name, reason, by=getpass.getuser())
    words = f"{view.name} may be published with these secrets."
    say(plain_image(view), *known, words, json_=json_)


VERBS = (import_, reload, accept_secrets)
