"""`netboot image`: list, show, rename, delete; its other verbs are in this folder."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from netboot.commands.drivers.conflicts import image_conflict_lines
from netboot.commands.images import properties, recipe, source
from netboot.commands.images import versions as version_verbs
from netboot.commands.images.boot_chain import chain
from netboot.commands.images.printing import plain_image, state_of, tell_image
from netboot.commands.output import on_site, print_json, print_list, say
from netboot.commands.recorded import Verbs
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.machines.recipients import who_gets
from netboot.operations.versions.versions import list_pending

if TYPE_CHECKING:
    from netboot.site import Site


@click.group(cls=Verbs)
def image() -> None:
    """Boot images: import, add drivers, build versions."""


for _verb in (*recipe.VERBS, *properties.VERBS, *source.VERBS, *version_verbs.VERBS, chain):
    image.add_command(_verb)


@image.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all boot images."""
    views = images.list_images(site)
    rows = (
        (
            view.name,
            view.architecture,
            view.current.number if view.current else "none built",
            view.served_version or "-",
            state_of(view),
            ", ".join(driver.name for driver in view.drivers) or "-",
        )
        for view in views
    )
    titles = ("Image", "Architecture", "Version", "Served", "State", "Drivers")
    print_list([plain_image(view) for view in views], titles, rows, json_=json_)


@image.command(changes=False)
@click.argument("name")
@on_site
def show(site: Site, name: str, *, json_: bool) -> None:
    """Show one boot image."""
    view = images.get_image(site, name)
    if json_:
        pending = [asdict(one) for one in list_pending(site, name)]
        reach = asdict(who_gets(site, view))
        print_json({**plain_image(view), "recipients": reach, "pending": pending})
        return
    tell_image(view, who_gets(site, view).words)
    for change in list_pending(site, name):
        click.echo(f"  pending  {change.words}")
    for line in image_conflict_lines(site, view.drivers, view.name):
        click.echo(line)


@image.command(changes=True)
@click.argument("name")
@click.argument("new_name", metavar="NEW")
@on_site
def rename(site: Site, *, name: str, new_name: str, json_: bool) -> None:
    """Give image NAME the name NEW; deployments and defaults follow, nothing is copied."""
    view = image_properties.set_details(site, name, name=new_name)
    lines = [f"{name} is now called {view.name}, also in deployments and defaults."]
    if view.needs_build and view.current:
        lines += [
            "The name inside the image (boot menu, reports) changes with the next version:",
            f'  -> netboot image build "{view.name}"',
        ]
    say(plain_image(view), *lines, json_=json_)


@image.command("set-default", changes=True)
@click.argument("name")
@on_site
def set_default(site: Site, name: str, *, json_: bool) -> None:
    """Make image NAME the default for all machines of its architecture."""
    view = images.set_default(site, name)
    words = f"{view.name} is now the default for {view.architecture} machines."
    say(plain_image(view), words, json_=json_)


@image.command(changes=True)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_site
def delete(site: Site, name: str, *, yes: bool, json_: bool) -> None:
    """Delete image NAME and stop serving it."""
    view = images.get_image(site, name)
    what = f"Delete {view.name} with its {len(view.versions)} versions?"
    if not yes and view.served_version:
        reach = who_gets(site, view).words
        click.echo(f"{what} Version {view.served_version} is served. {reach}")
        images.delete_image(site, view.name, typed=click.prompt("Type its name to delete it"))
    else:
        if not yes:
            click.confirm(what, abort=True)
        images.delete_image(site, view.name)
    say({"deleted": view.name}, f"{view.name} was deleted.", json_=json_)
