"""`netboot image`, second page: properties, newer sources, secrets, comparison of versions."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netboot.commands.images.printing import tell_comparison, tell_report
from netboot.commands.output import on_site, print_json, progress_bar, say
from netboot.commands.recorded import Verb
from netboot.images.boot_image.properties import SCRATCH_SPACES
from netboot.images.boot_image.uefi_loader import AUTHORITIES
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.images import source as image_source
from netboot.operations.versions import publication_gate as publication
from netboot.operations.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from netboot.site import Site

FILE = click.Path(path_type=Path)


@click.command("set", cls=Verb, changes=True)
@click.argument("name")
@click.option("--version-label", help="What people call this version, like `24H2, August`.")
@click.option("--comment")
@click.option(
    "--scratch-space",
    "scratch_space_mb",
    type=click.Choice(["0", *map(str, SCRATCH_SPACES)]),
    help="MB of writable RAM disk; 0 leaves the image's own.",
)
@click.option("--background", type=FILE, help="A JPEG picture.")
@click.option("--no-background", is_flag=True, help="The image's own picture again.")
@click.option("--prestart", "prestart_command", help='A command line; "" for none.')
@click.option(
    "--prestart-file", "prestart_files", type=FILE, multiple=True,
    help="A file for it; lies in %SystemRoot%\\Prestart. May be repeated.",
)  # fmt: skip
@click.option("--shell/--no-shell", "command_shell", default=None, help="A command prompt.")
@click.option("--keyboard", help='A layout like 00000407; "" leaves the image\'s own.')
@click.option("--locale", help='A name like de-DE; "" leaves the image\'s own.')
@click.option("--time-limit", "menu_seconds", type=int, help="Seconds that a boot menu waits.")
@click.option("--tftp-block-size", type=int, help="Bytes; 0 leaves the boot manager's own.")
@click.option("--tftp-window-size", type=int, help="Blocks; 0 leaves the boot manager's own.")
@click.option(
    "--uefi-authority",
    type=click.Choice(["site", *AUTHORITIES]),
    help="Whose boot loader UEFI machines get: 2011, 2023, or what the site says.",
)
@click.option(
    "--report-home", help='Where Windows PE reports to, like http://192.0.2.1:8081; "" for nowhere.'
)
@click.option("--boot-sdi", type=FILE, help="A boot.sdi in place of the image's own.")
@click.option("--no-boot-sdi", is_flag=True, help="The image's own boot.sdi again.")
@on_site
def set_(site: Site, /, name: str, *, json_: bool, **wanted: Any) -> None:
    """Set properties of image NAME; machines get them with the next version."""
    given = {key: value for key, value in wanted.items() if value not in (None, False, ())}
    if wanted["command_shell"] is False:
        given["command_shell"] = False
    if not given:
        raise click.UsageError("Name at least one property; `netboot image set --help` has them.")
    if "scratch_space_mb" in given:
        given["scratch_space_mb"] = int(given["scratch_space_mb"])
    if given.get("uefi_authority") == "site":
        given["uefi_authority"] = ""
    details = {key: given.pop(key) for key in ("version_label", "comment") if key in given}
    files = _file_changes(given)
    if given:
        images.get_image(site, name)
        image_properties.set_properties(site, name, given)
    for change in files:
        change(site, name)
    if details:
        image_properties.set_details(site, name, **details)
    _said(images.get_image(site, name), json_=json_)


def _file_changes(given: dict[str, Any]) -> list[Callable[[Any, str], Any]]:
    """The options that name files, taken out of what was given, as calls."""
    calls: list[Callable[[Any, str], Any]] = []
    for key, operation in (
        ("background", image_properties.set_background),
        ("boot_sdi", image_properties.set_boot_sdi),
    ):
        if given.pop(f"no_{key}", False):
            calls.append(partial(_with_file, operation, None))
        if path := given.pop(key, None):
            calls.append(partial(_with_file, operation, path))
    calls += [
        partial(_with_file, image_properties.add_file, path)
        for path in given.pop("prestart_files", ())
    ]
    return calls


def _with_file(operation: Callable[..., Any], path: Path | None, site: Site, name: str) -> None:
    operation(site, name, path)


@click.command("add-file", cls=Verb, changes=True)
@click.argument("name")
@click.argument("file", type=FILE)
@click.argument("target")
@on_site
def add_file(site: Site, *, name: str, file: Path, target: str, json_: bool) -> None:
    """Put FILE into image NAME at TARGET, a path like /Tools/ask.cmd (or a folder/)."""
    _said(image_properties.add_file(site, name, file, target), json_=json_)


@click.command("remove-file", cls=Verb, changes=True)
@click.argument("name")
@click.argument("target")
@on_site
def remove_file(site: Site, *, name: str, target: str, json_: bool) -> None:
    """Take the extra file at TARGET out of the recipe of image NAME."""
    _said(image_properties.remove_file(site, name, target), json_=json_)


@click.command(cls=Verb, changes=True)
@click.argument("name")
@click.argument("file", type=FILE, required=False)
@click.option("--index", type=int, help="Image inside the WIM; else the bootable one.")
@click.option("--yes", is_flag=True, help="Take it without asking, unless there are conflicts.")
@click.option("--report", "report_only", is_flag=True, help="Only examine it; take it later.")
@click.option("--give-up", is_flag=True, help="Forget the one that was examined.")
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

    Without FILE the source that was examined before is taken.
    """
    if give_up:
        view = image_source.give_up_source(site, name)
        say(_plain(view), f"{view.name} keeps its source.", json_=json_)
        return
    view = images.get_image(site, name)
    if file is not None:
        with progress_bar("Examining") as tell:
            view = image_source.examine_source(site, name, file, index=index, progress=tell)
    if view.candidate is not None and not json_:
        tell_report(view.candidate.report)
    if report_only:
        told = {**_plain(view), "report": view.candidate.report if view.candidate else None}
        say(told, f'  -> Take it: netboot image reload "{view.name}" --yes', json_=json_)
        return
    if view.candidate is not None and not view.candidate.report.conflicts and not (yes or json_):
        click.confirm(f"Build {view.name} from it from now on?", abort=True)
    view = image_source.take_source(site, name)
    say(
        _plain(view),
        f"{view.name} is built from {view.source_name} from now on.",
        f'  -> Build a version: netboot image build "{view.name}"',
        json_=json_,
    )


@click.command("accept-secrets", cls=Verb, changes=True)
@click.argument("name")
@click.option("--reason", required=True, help="Why everybody who boots it may read them.")
@on_site
def accept_secrets(site: Site, *, name: str, reason: str, json_: bool) -> None:
    """Let image NAME be published although it holds secrets; later ones block it again."""
    known = [f"  {secret.sentence}" for secret in images.get_image(site, name).secrets]
    view = publication.accept_secrets(site, name, reason, by=getpass.getuser())
    words = f"{view.name} may be published with these secrets."
    say(_plain(view), *known, words, json_=json_)


@click.command(cls=Verb, changes=False)
@click.argument("name")
@click.argument("old", type=int)
@click.argument("new", type=int)
@on_site
def compare(site: Site, name: str, old: int, new: int, *, json_: bool) -> None:
    """Show what version NEW of image NAME has that OLD has not, and the other way round."""
    change = versions.compare(site, name, old, new)
    if json_:
        print_json(asdict(change))
        return
    tell_comparison(change)


def _said(view: images.ImageView, *, json_: bool) -> None:
    lines = [f"{view.name} was changed; machines get it with the next version."]
    if view.needs_build:
        lines.append(f'  -> Build a version: netboot image build "{view.name}"')
    say(_plain(view), *lines, json_=json_)


def _plain(view: images.ImageView) -> dict[str, object]:
    return {
        "name": view.name,
        "version_label": view.version_label,
        "comment": view.comment,
        "properties": view.properties.to_json(),
        "source": {"name": view.source_name, "digest": view.source_digest},
        "candidate": view.candidate.name if view.candidate else None,
        "secrets": [secret.sentence for secret in view.secrets],
        "needs_build": view.needs_build,
    }


COMMANDS = (set_, add_file, remove_file, reload, accept_secrets, compare)
