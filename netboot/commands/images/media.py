"""`netboot media`: ISO, USB and disk images, and packages for machines' own disks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.output import local_time, on_site, print_json, print_list, progress_bar, say
from netboot.commands.recorded import Verbs
from netboot.errors import InvalidInput
from netboot.images.media.disk_package import System
from netboot.images.media.request import DiskFormat, MediaKind, MediaOrder
from netboot.operations.media import disk_packages
from netboot.operations.media import media as operations

if TYPE_CHECKING:
    from netboot.operations.media.media import MediumView
    from netboot.site import Site

NEWEST = 0
_VERSION = click.IntRange(min=1)
_HOME = "Address of the site's boot files (http://192.0.2.1:8081), or `site` for its own."


@click.group(cls=Verbs)
def media() -> None:
    """Bootable media: ISO, USB and disk images, packages for disks."""


@media.command(changes=True)
@click.argument("image")
@click.option("--with", "other", default="", help="A second image, for the other architecture.")
@click.option("--version", "number", type=_VERSION, help="Version; else the newest.")
@click.option("--with-version", "other_number", type=_VERSION, help="That of the other.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in MediaKind]),
    default=MediaKind.ISO.value,
    show_default=True,
    help="A disc (also for sticks; Windows PE: UEFI only), a stick, or a machine's disk.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in DiskFormat]),
    default=DiskFormat.RAW.value,
    show_default=True,
    help="Format of a disk image.",
)
@click.option("--label", default="NETBOOT", show_default=True, help="Volume label.")
@click.option("--expires", default="", metavar="YYYY-MM-DD", help="Shown at each start.")
@click.option("--password", is_flag=True, help="Ask now for a password that each start requires.")
@click.option("--report-home", "home", default="", metavar="ADDRESS", help=_HOME)
@click.option("--size", "size_mib", type=int, default=0, help="MiB of a disk; else the smallest.")
@click.option("--output", type=click.Path(path_type=Path), help="Copy it to this file or folder.")
@on_site
def build(
    site: Site,
    *,
    image: str,
    other: str,
    number: int | None,
    other_number: int | None,
    kind: str,
    form: str,
    label: str,
    expires: str,
    password: bool,
    home: str,
    size_mib: int,
    output: Path | None,
    json_: bool,
) -> None:
    """Make a medium of IMAGE, with the same WIM that machines get by the network."""
    order = MediaOrder(
        kind=MediaKind(kind),
        format=DiskFormat(form),
        label=label,
        expires=expires,
        password_hash=operations.hashed(_ask_password()) if password else "",
        home=operations.home_of(site, home),
        size=size_mib << 20,
    )
    wanted = [(image, number or NEWEST), *([(other, other_number or NEWEST)] if other else [])]
    with progress_bar("Making the medium") as tell:
        view = operations.build_media(site, order, wanted, progress=tell)
    if output is not None:
        operations.save_medium(site, view.id, output)
    if json_:
        print_json({**_plain(view), "saved": str(output) if output else None})
        return
    _tell(view)
    saved = f"  saved    {output}" if output else None
    click.echo(saved or f"  -> Copy it: netboot media save {view.id} FILE")


def _ask_password() -> str:
    password: str = click.prompt("Start password", hide_input=True, confirmation_prompt=True)
    if not password:
        raise InvalidInput("a start password may not be empty")
    return password


def _tell(view: MediumView) -> None:
    click.echo(f"{view.id}: {view.file_name}, {view.size} bytes, label {view.label}")
    click.echo(f"  digest   {view.digest}")
    click.echo(f"  starts   {', '.join(view.firmware) or 'nothing'}")
    for each in view.carried:
        click.echo(f"  carries  {each.label}, boot.wim {each.wim}")
    for word, value in (("expires", view.expires), ("reports", view.home)):
        if value:
            click.echo(f"  {word}  {value}")
    if view.has_password:
        click.echo("  asks for a password at each start (user: start)")


@media.command("list", changes=False)
@click.argument("image", required=False, default="")
@on_site
def list_(site: Site, image: str, *, json_: bool) -> None:
    """Show all media, or those of IMAGE."""
    views = operations.list_media(site, image)
    rows = (
        (
            view.id,
            view.file_name,
            ", ".join(each.label for each in view.carried),
            ", ".join(view.firmware),
            view.size,
            view.digest[7:19],
        )
        for view in views
    )
    titles = ("Id", "File", "Carries", "Starts", "Bytes", "Digest")
    print_list([_plain(view) for view in views], titles, rows, json_=json_)


@media.command(changes=False)
@click.argument("medium_id", metavar="ID", type=int)
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@on_site
def save(site: Site, *, medium_id: int, target: Path, json_: bool) -> None:
    """Copy medium ID to FILE, or into a folder."""
    view = operations.save_medium(site, medium_id, target)
    words = f"Saved {view.file_name}, {view.size} bytes, {view.digest}."
    say(_plain(view), words, json_=json_)


@media.command(changes=False)
@click.argument("medium_id", metavar="ID", type=int)
@on_site
def show(site: Site, medium_id: int, *, json_: bool) -> None:
    """Show medium ID."""
    view = operations.get_medium(site, medium_id)
    if json_:
        print_json(_plain(view))
    else:
        _tell(view)


@media.command(changes=True)
@click.argument("medium_id", metavar="ID", type=int)
@on_site
def delete(site: Site, medium_id: int, *, json_: bool) -> None:
    """Delete medium ID; copies made of it are not affected."""
    view = operations.delete_medium(site, medium_id)
    words = f"{view.file_name} was deleted; the next clean-up frees its space."
    say(_plain(view), words, json_=json_)


@media.command(changes=True)
@click.argument("image")
@click.option("--version", "number", type=_VERSION, help="Version; else the newest.")
@click.option(
    "--system",
    type=click.Choice([system.value for system in System]),
    default=System.WINDOWS.value,
    show_default=True,
    help="What runs on the machine now.",
)
@click.option("--address", "home", default="site", show_default=True, help=_HOME)
@click.option("--hours", type=int, default=1, show_default=True, help="How long the link is valid.")
@on_site
def package(
    site: Site, *, image: str, number: int | None, system: str, home: str, hours: int, json_: bool
) -> None:
    """Make a link that works once, by which a running machine puts IMAGE on its disk."""
    link = disk_packages.make_link(
        site, image, number or NEWEST, system=System(system), home=home, hours=hours
    )
    if json_:
        print_json({"label": link.label, "url": link.url, "until": link.until,
                    "commands": link.commands})  # fmt: skip
        return
    until = local_time(link.until, "%H:%M")
    click.echo(f"{link.label} for one {link.system} machine, until {until}. On that machine:")
    for command in link.commands:
        click.echo(f"  {command}")


def _plain(view: MediumView) -> dict[str, object]:
    return {
        "id": view.id,
        "kind": view.kind.value,
        "format": view.format.value,
        "file": view.file_name,
        "label": view.label,
        "digest": view.digest,
        "size": view.size,
        "firmware": view.firmware,
        "carried": [
            {"image": each.image, "version": each.number, "wim": each.wim} for each in view.carried
        ],
        "expires": view.expires,
        "password": view.has_password,
        "home": view.home,
    }
