"""`netboot image`: import, add drivers, build versions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.drivers.conflicts import image_conflict_lines
from netboot.commands.images.boot_chain import chain
from netboot.commands.images.care import COMMANDS
from netboot.commands.images.printing import alarms, state_of, tell_image
from netboot.commands.output import (
    on_site,
    print_json,
    print_table,
    progress_bar,
    say,
)
from netboot.commands.recorded import Verbs
from netboot.images.architecture import Architecture
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.machines import coverage as operations
from netboot.operations.versions import versions

if TYPE_CHECKING:
    from netboot.images.coverage import Coverage, DriverWeight
    from netboot.operations.images.images import ImageView
    from netboot.site import Site


@click.group(cls=Verbs)
def image() -> None:
    """Boot images: import, add drivers, build versions."""


for _command in (*COMMANDS, chain):
    image.add_command(_command)


@image.command("import", changes=True)
@click.argument("wim", type=click.Path(path_type=Path, readable=False))
@click.option("--name", required=True, help="What the image is called from now on.")
@click.option(
    "--architecture",
    type=click.Choice([a.value for a in Architecture]),
    help="Refuse the file unless it is this.",
)
@click.option("--index", type=int, help="Image inside the WIM; else the bootable one.")
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
    """Take WIM (or boot.wim out of an ISO) in as the source of a new boot image."""
    wanted = Architecture(architecture) if architecture else None
    with progress_bar("Importing") as tell:
        view = images.import_image(
            site,
            wim,
            name=name,
            architecture=wanted,
            index=index,
            comment=comment,
            progress=tell,
        )
    say(
        _plain(view),
        f"Imported {view.name} ({view.architecture}).",
        *(f"  note: {sentence}" for sentence in alarms(view)),
        f'  -> Build its first version: netboot image build "{view.name}"',
        json_=json_,
    )


@image.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all boot images."""
    views = images.list_images(site)
    if json_:
        print_json([_plain(view) for view in views])
        return
    print_table(
        ("Image", "Architecture", "Version", "Served", "State", "Drivers"),
        [
            (
                view.name,
                view.architecture,
                view.current.number if view.current else "none built",
                view.served_version or "-",
                state_of(view),
                ", ".join(driver.name for driver in view.drivers) or "-",
            )
            for view in views
        ],
    )


@image.command(changes=False)
@click.argument("name")
@on_site
def show(site: Site, name: str, *, json_: bool) -> None:
    """Show one boot image."""
    view = images.get_image(site, name)
    if json_:
        print_json(_plain(view))
        return
    tell_image(view)
    for line in image_conflict_lines(site, view.drivers, view.name):
        click.echo(line)


@image.command("add-driver", changes=True)
@click.argument("name")
@click.argument("drivers", metavar="DRIVER...", nargs=-1, required=True)
@click.option("--confirm", is_flag=True, help="Add them though they are for no network or disk.")
@click.option("--enable", is_flag=True, help="Enable them on the way.")
@on_site
def add_driver(
    site: Site, *, name: str, drivers: tuple[str, ...], confirm: bool, enable: bool, json_: bool
) -> None:
    """Put every DRIVER into the recipe of image NAME, or none when one cannot be added."""
    view = images.add_drivers(site, name, drivers, confirmed=confirm, enable=enable)
    words = (
        f"{view.name} will hold {', '.join(drivers)}; nothing that machines get has changed yet.",
        *image_conflict_lines(site, view.drivers, view.name),
        f'  -> Build a version: netboot image build "{view.name}"',
    )
    say(_plain(view), *words, json_=json_)


@image.command("remove-driver", changes=True)
@click.argument("name")
@click.argument("drivers", metavar="DRIVER...", nargs=-1, required=True)
@on_site
def remove_driver(site: Site, *, name: str, drivers: tuple[str, ...], json_: bool) -> None:
    """Take every DRIVER out of the recipe of image NAME, or none when one is not in it."""
    view = images.remove_drivers(site, name, drivers)
    say(
        _plain(view),
        f"{view.name} will hold {', '.join(drivers)} no more.",
        f'  -> Build a version: netboot image build "{view.name}"',
        json_=json_,
    )


@image.command(changes=True)
@click.argument("name")
@on_site
def arrange(site: Site, name: str, *, json_: bool) -> None:
    """Put the drivers of image NAME into the order that known pairs ask for."""
    view = images.arrange_drivers(site, name)
    words = f"{view.name}: {', '.join(driver.name for driver in view.drivers) or 'no drivers'}"
    say(_plain(view), words, json_=json_)


@image.command(changes=True)
@click.argument("name")
@on_site
def build(site: Site, name: str, *, json_: bool) -> None:
    """Build a new version of image NAME from its source and its recipe."""
    with progress_bar("Building") as tell:
        result = versions.build_version(site, name, progress=tell)
    told = {"built": result.built, **result.version.to_json()}
    if not result.built:
        say(told, f"Nothing changed: still {result.version.label}.", json_=json_)
        return
    say(
        told,
        f"Built {result.version.label}. Machines get it after an update:",
        f'  -> netboot points update "{result.version.image}"',
        json_=json_,
    )


@image.command("versions", changes=False)
@click.argument("name")
@on_site
def versions_(site: Site, name: str, *, json_: bool) -> None:
    """Show the versions of image NAME, newest first."""
    view = images.get_image(site, name)
    if json_:
        print_json([one.to_json() for one in view.versions])
        return
    rows = [
        (
            one.number,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(one.built_at)),
            ", ".join(driver.name for driver in one.drivers) or "-",
            ", ".join(one.chains),
            _standing(view, one.number),
        )
        for one in view.versions
    ]
    print_table(("Version", "Built", "Drivers", "Starts by", "State"), rows)


def _standing(view: ImageView, number: int) -> str:
    if number in view.altered:
        return "altered, out of service"
    return "machines get it" if number == view.served_version else "-"


@image.command(changes=("fix", "remove_unneeded"))
@click.argument("name")
@click.option("--all", "everybody", is_flag=True, help="All machines, not those that would get it.")
@click.option("--served", is_flag=True, help="The version that machines get now, not the next.")
@click.option("--fix", is_flag=True, help="Enable and add the drivers that are lacking.")
@click.option("--remove-unneeded", is_flag=True, help="Remove drivers that no machine needs.")
@on_site
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
    """Tell which known machines image NAME will bring up, before they boot."""
    found = operations.coverage(site, name, everybody=everybody, served=served)
    if json_:
        print_json(_plain_coverage(found))
    else:
        _tell_coverage(found)
    if fix:
        for driver in operations.fix_all(site, name, everybody=everybody):
            click.echo(f"added {driver.name}", err=json_)
    elif found.fixes and not json_:
        click.echo(f'  -> Mend it: netboot image coverage "{name}" --fix')
    if remove_unneeded:
        for driver in operations.remove_unneeded(site, name, everybody=everybody):
            click.echo(f"removed {driver.name}", err=json_)


def _tell_coverage(found: Coverage) -> None:
    print_table(
        ("Machine", "Network", "Storage", "Lacking", "Would be mended by"),
        [
            (
                item.machine.name,
                item.network.value,
                item.storage.value,
                ", ".join(device.device.label for device in item.lacking) or "-",
                ", ".join(d.fixes[0].driver.name for d in item.lacking if d.fixes) or "-",
            )
            for item in found.machines
        ],
    )
    for weight in found.weights:
        needed = f"needed by {len(weight.machines)}" if weight.machines else _unneeded(weight)
        click.echo(f"driver     {weight.driver.name}: {weight.size} bytes, {needed}")


def _unneeded(weight: DriverWeight) -> str:
    return "no machine needs it" if weight.judged else "nobody knows whether it is needed"


@image.command(changes=True)
@click.argument("name")
@click.argument("new_name", metavar="NEW")
@on_site
def rename(site: Site, *, name: str, new_name: str, json_: bool) -> None:
    """Give image NAME the name NEW; deployments and defaults follow, nothing is copied."""
    view = image_properties.set_details(site, name, name=new_name)
    lines = [f"It is called {view.name} now, and whatever referred to {name} refers to it."]
    if view.needs_build and view.current:
        lines += [
            "What it is called inside (boot menu, reports) changes with the next version:",
            f'  -> netboot image build "{view.name}"',
        ]
    say(_plain(view), *lines, json_=json_)


@image.command("set-default", changes=True)
@click.argument("name")
@on_site
def set_default(site: Site, name: str, *, json_: bool) -> None:
    """Give image NAME to all machines of its architecture."""
    view = images.set_default(site, name)
    words = f"{view.name} is now the default for {view.architecture} machines."
    say(_plain(view), words, json_=json_)


@image.command(changes=True)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_site
def delete(site: Site, name: str, *, yes: bool, json_: bool) -> None:
    """Forget image NAME and stop serving it."""
    view = images.get_image(site, name)
    if not yes:
        click.confirm(f"Delete {view.name} with its {len(view.versions)} versions?", abort=True)
    images.delete_image(site, view.name)
    say({"deleted": view.name}, f"{view.name} is gone.", json_=json_)


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


def _plain(view: ImageView) -> dict[str, object]:
    return {
        "name": view.name,
        "slug": view.slug,
        "architecture": view.architecture.value,
        "comment": view.comment,
        "source": {
            "name": view.source_name,
            "digest": view.source_digest,
            "size": view.source_size,
            "facts": view.facts.to_json(),
            "altered": bool(view.source_altered_at),
        },
        "version_label": view.version_label,
        "properties": view.properties.to_json(),
        "secrets": [secret.sentence for secret in view.secrets],
        "altered": {str(number): list(names) for number, names in view.altered.items()},
        "drivers": [{"name": d.name, "digest": d.digest} for d in view.drivers],
        "versions": [version.number for version in view.versions],
        "current": view.current.number if view.current else None,
        "served": view.served_version,
        "state": view.distribution,
        "needs_build": view.needs_build,
        "default": view.is_default,
    }
