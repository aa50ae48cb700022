"""`netboot image`: the drivers of an image, and which machines it will bring up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netboot.commands.drivers.conflicts import image_conflict_lines
from netboot.commands.images.printing import plain_image, shortfall_lines
from netboot.commands.output import on_caught_up_site, on_site, print_list, say
from netboot.commands.recorded import Verb
from netboot.operations.images import images
from netboot.operations.machines import coverage as operations

if TYPE_CHECKING:
    from netboot.images.coverage import Coverage
    from netboot.site import Site


@click.command("add-driver", cls=Verb, changes=True)
@click.argument("name")
@click.argument("drivers", metavar="DRIVER...", nargs=-1, required=True)
@click.option("--confirm", is_flag=True, help="Add them even if not for network or storage.")
@click.option("--enable", is_flag=True, help="Enable them first.")
@on_site
def add_driver(
    site: Site, *, name: str, drivers: tuple[str, ...], confirm: bool, enable: bool, json_: bool
) -> None:
    """Add every DRIVER to the recipe of image NAME, or none if one of them cannot be added."""
    view = images.add_drivers(site, name, drivers, confirmed=confirm, enable=enable)
    words = (
        f"{view.name} will hold {', '.join(drivers)}. It is served after a build and an update.",
        *image_conflict_lines(site, view.drivers, view.name),
        *shortfall_lines(view),
        f'  -> Build a version: netboot image build "{view.name}"',
    )
    say(plain_image(view), *words, json_=json_)


@click.command("remove-driver", cls=Verb, changes=True)
@click.argument("name")
@click.argument("drivers", metavar="DRIVER...", nargs=-1, required=True)
@on_site
def remove_driver(site: Site, *, name: str, drivers: tuple[str, ...], json_: bool) -> None:
    """Remove every DRIVER from the recipe of image NAME, or none if one is not in it."""
    view = images.remove_drivers(site, name, drivers)
    say(
        plain_image(view),
        f"{view.name} will no longer hold {', '.join(drivers)}.",
        f'  -> Build a version: netboot image build "{view.name}"',
        json_=json_,
    )


@click.command(cls=Verb, changes=True)
@click.argument("name")
@on_site
def arrange(site: Site, name: str, *, json_: bool) -> None:
    """Sort the drivers of image NAME into the order that known pairs require."""
    view = images.arrange_drivers(site, name)
    words = f"{view.name}: {', '.join(driver.name for driver in view.drivers) or 'no drivers'}"
    say(plain_image(view), words, json_=json_)


@click.command(cls=Verb, changes=("fix", "remove_unneeded"))
@click.argument("name")
@click.option("--all", "everybody", is_flag=True, help="All machines, not only its own.")
@click.option("--served", is_flag=True, help="The version that machines get now, not the next.")
@click.option("--fix", is_flag=True, help="Enable and add the missing drivers.")
@click.option("--remove-unneeded", is_flag=True, help="Remove drivers that no machine needs.")
@on_caught_up_site
def coverage(
    site: Site,
    *,
    name: str,
    everybody: bool,
    served: bool,
    fix: bool,
    remove_unneeded: bool,
    json_: bool,
) -> None:
    """Show which known machines image NAME will bring up, before they boot."""
    found = operations.coverage(site, name, everybody=everybody, served=served)
    rows = (
        (
            item.machine.name,
            item.network.value,
            item.storage.value,
            ", ".join(device.device.label for device in item.lacking) or "-",
            ", ".join(d.fixes[0].driver.name for d in item.lacking if d.fixes) or "-",
        )
        for item in found.machines
    )
    titles = ("Machine", "Network", "Storage", "Missing", "Fixed by")
    print_list(_plain_coverage(found), titles, rows, json_=json_)
    for weight in () if json_ else found.weights:
        unneeded = "no machine needs it" if weight.judged else "whether it is needed is not known"
        needed = f"needed by {len(weight.machines)}" if weight.machines else unneeded
        click.echo(f"driver     {weight.driver.name}: {weight.size} bytes, {needed}")
    if fix:
        for driver in operations.fix_all(site, name, everybody=everybody):
            click.echo(f"added {driver.name}", err=json_)
    elif found.fixes and not json_:
        click.echo(f'  -> Add what is missing: netboot image coverage "{name}" --fix')
    if remove_unneeded:
        for driver in operations.remove_unneeded(site, name, everybody=everybody):
            click.echo(f"removed {driver.name}", err=json_)


def _plain_coverage(found: Coverage) -> list[dict[str, object]]:
    return [
        {
            "machine": item.machine.name,
            "network": item.network.value,
            "storage": item.storage.value,
            "lacking": [
                {
                    "device": device.device.label,
                    "kind": device.kind.value,
                    "fixes": [fix.driver.digest for fix in device.fixes],
                }
                for device in item.lacking
            ],
        }
        for item in found.machines
    ]


VERBS = (add_driver, remove_driver, arrange, coverage)
