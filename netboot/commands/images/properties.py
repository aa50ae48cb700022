"""`netboot image`: properties of an image, and extra files in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netboot.commands.images.printing import plain_image, shortfall_lines
from netboot.commands.output import on_site, say
from netboot.commands.recorded import Verb
from netboot.images.boot_image.properties import SCRATCH_SPACES
from netboot.images.boot_image.uefi_loader import AUTHORITIES
from netboot.operations.images import curl, images
from netboot.operations.images import properties as image_properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from netboot.site import Site

FILE = click.Path(path_type=Path)


@click.command("set", cls=Verb, changes=True)
@click.argument("name")
@click.option("--version-label", help="A name for this version, like `24H2, August`.")
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
    help="A file for it, in %SystemRoot%\\Prestart. May be repeated.",
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
    help="Signer of the UEFI boot loader: 2011, 2023, or as the site says.",
)
@click.option(
    "--report-home", help='Where Windows PE reports to, like http://192.0.2.1:8081; "" for nowhere.'
)
@click.option("--boot-sdi", type=FILE, help="A boot.sdi that replaces the image's own.")
@click.option("--no-boot-sdi", is_flag=True, help="The image's own boot.sdi again.")
@on_site
def set_(site: Site, /, name: str, *, json_: bool, **wanted: Any) -> None:
    """Set properties of image NAME; machines get them with the next version."""
    # A value that was given counts, also 0 and "" (0 == False); a switch that was not is no value.
    given = {
        key: value
        for key, value in wanted.items()
        if not (value is None or value == () or (value is False and key != "command_shell"))
    }
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
    for operation, path in files:
        operation(site, name, path)
    if details:
        image_properties.set_details(site, name, **details)
    _said(images.get_image(site, name), json_=json_)


def _file_changes(given: dict[str, Any]) -> list[tuple[Callable[..., Any], Path | None]]:
    """The options that name files, removed from `given`: operations with their files."""
    calls: list[tuple[Callable[..., Any], Path | None]] = []
    for key, operation in (
        ("background", image_properties.set_background),
        ("boot_sdi", image_properties.set_boot_sdi),
    ):
        if given.pop(f"no_{key}", False):
            calls.append((operation, None))
        if path := given.pop(key, None):
            calls.append((operation, path))
    return calls + [(image_properties.add_file, one) for one in given.pop("prestart_files", ())]


@click.command("add-file", cls=Verb, changes=True)
@click.argument("name")
@click.argument("file", type=FILE)
@click.argument("target")
@on_site
def add_file(site: Site, *, name: str, file: Path, target: str, json_: bool) -> None:
    """Add FILE to image NAME at TARGET, a path like /Tools/ask.cmd (or a folder/)."""
    _said(image_properties.add_file(site, name, file, target), json_=json_)


@click.command("remove-file", cls=Verb, changes=True)
@click.argument("name")
@click.argument("target")
@on_site
def remove_file(site: Site, *, name: str, target: str, json_: bool) -> None:
    """Remove the extra file at TARGET from the recipe of image NAME."""
    _said(image_properties.remove_file(site, name, target), json_=json_)


@click.command("add-curl", cls=Verb, changes=True)
@click.argument("name")
@click.option("--from", "lender", default="", metavar="IMAGE", help="Else any that has it.")
@on_site
def add_curl(site: Site, *, name: str, lender: str, json_: bool) -> None:
    """Add the curl.exe of another image to image NAME, so that it can report."""
    _said(curl.add_curl(site, name, lender=lender), json_=json_)


def _said(view: images.ImageView, *, json_: bool) -> None:
    lines = [f"{view.name} was changed; the next version has the change."]
    lines += shortfall_lines(view)
    if view.needs_build:
        lines.append(f'  -> Build a version: netboot image build "{view.name}"')
    say(plain_image(view), *lines, json_=json_)


VERBS = (set_, add_file, add_curl, remove_file)
