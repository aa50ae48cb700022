"""`netboot image`: build versions, list and compare them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from netboot.commands.images.printing import shortfall_lines, tell_comparison
from netboot.commands.output import local_time, on_site, print_json, print_list, progress_bar, say
from netboot.commands.recorded import Verb
from netboot.operations.images import images
from netboot.operations.versions import versions

if TYPE_CHECKING:
    from netboot.operations.images.images import ImageView
    from netboot.site import Site


@click.command(cls=Verb, changes=True)
@click.argument("name")
@on_site
def build(site: Site, name: str, *, json_: bool) -> None:
    """Build a new version of image NAME from its source and its recipe."""
    with progress_bar("Building") as tell:
        result = versions.build_version(site, name, progress=tell)
    plain = {"built": result.built, **result.version.to_json()}
    if not result.built:
        say(
            plain, f"Nothing to build: {result.version.label} already has all changes.", json_=json_
        )
        return
    say(
        plain,
        f"Built {result.version.label}. It is served after an update:",
        *shortfall_lines(images.get_image(site, name)),
        f'  -> netboot points update "{result.version.image}"',
        json_=json_,
    )


@click.command("versions", cls=Verb, changes=False)
@click.argument("name")
@on_site
def versions_(site: Site, name: str, *, json_: bool) -> None:
    """Show the versions of image NAME, newest first."""
    view = images.get_image(site, name)
    rows = (
        (
            one.number,
            local_time(one.built_at),
            ", ".join(driver.name for driver in one.drivers) or "-",
            ", ".join(one.chains),
            _standing(view, one.number),
        )
        for one in view.versions
    )
    titles = ("Version", "Built", "Drivers", "Starts by", "State")
    print_list([one.to_json() for one in view.versions], titles, rows, json_=json_)


def _standing(view: ImageView, number: int) -> str:
    if number in view.altered:
        return "altered, out of service"
    return "served" if number == view.served_version else "-"


@click.command(cls=Verb, changes=False)
@click.argument("name")
@click.argument("old", type=int)
@click.argument("new", type=int)
@on_site
def compare(site: Site, name: str, old: int, new: int, *, json_: bool) -> None:
    """Show the differences between versions OLD and NEW of image NAME."""
    change = versions.compare(site, name, old, new)
    if json_:
        print_json(asdict(change))
    else:
        tell_comparison(change)


VERBS = (build, versions_, compare)
