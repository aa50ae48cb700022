"""`netboot driver`: import, enable, disable."""

from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, print_json, print_table, progress_bar
from netboot.images.architecture import Architecture
from netboot.images.driver import Driver, DriverKind
from netboot.operations import driver_import, drivers


@click.group()
def driver() -> None:
    """Driver catalog: import, enable, disable."""


@driver.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--enable", is_flag=True, help="Enable what was imported.")
@click.pass_obj
def import_(data: Path, path: Path, *, enable: bool) -> None:
    """Import the driver packages in PATH: a folder, an INF, a ZIP, a CAB or a vendor pack."""
    site = open_site(data)
    with progress_bar("Importing") as tell:
        report = driver_import.import_drivers(site, path, progress=tell)
    for new in report.new:
        click.echo(f"new        {_line(new)}")
        for finding in new.findings:
            click.echo(f"           note: {finding}")
        if enable:
            drivers.enable_driver(site, new.digest)
    for known in report.duplicates:
        click.echo(f"known      {_line(known)}")
    for where, reason in report.refused:
        click.echo(f"refused    {where}: {reason}")
    click.echo(
        f"{len(report.new)} new, {len(report.duplicates)} known, {len(report.refused)} refused;"
        f" {len(report.new_hardware_ids)} hardware ids newly covered."
    )
    if report.new and not enable:
        click.echo("  -> Enable what may be used: netboot driver enable NAME")


@driver.command("list")
@click.option("--search", default="", help="Part of a name, a maker or a hardware id.")
@click.option("--kind", type=click.Choice([k.value for k in DriverKind]))
@click.option("--architecture", type=click.Choice([a.value for a in Architecture]))
@as_json
@click.pass_obj
def list_(
    data: Path, search: str, kind: str | None, architecture: str | None, *, json_: bool
) -> None:
    """Show the catalog."""
    found = drivers.list_drivers(
        open_site(data),
        search=search,
        kind=DriverKind(kind) if kind else None,
        architecture=Architecture(architecture) if architecture else None,
    )
    if json_:
        print_json([_plain(item) for item in found])
        return
    print_table(
        ("Driver", "Version", "For", "Architectures", "Provider", "Enabled", "Digest"),
        [
            (
                item.name,
                item.version,
                item.kind,
                ", ".join(sorted(item.architectures)),
                item.provider,
                "yes" if item.enabled else "no",
                item.digest[7:19],
            )
            for item in found
        ],
    )


@driver.command()
@click.argument("name")
@as_json
@click.pass_obj
def show(data: Path, name: str, *, json_: bool) -> None:
    """Show one driver (NAME, or a digest)."""
    site = open_site(data)
    item = drivers.get_driver(site, name)
    if json_:
        print_json(_plain(item))
        return
    click.echo(_line(item))
    click.echo(f"  provider  {item.provider}, class {item.class_name}, dated {item.date or '-'}")
    for file in item.files:
        click.echo(f"  file      {file.path} ({file.size} bytes)")
    for hardware_id in item.hardware_ids:
        click.echo(f"  id        {hardware_id}")
    for finding in item.findings:
        click.echo(f"  note      {finding}")
    for name_ in drivers.images_using(site, item.digest):
        click.echo(f"  in image  {name_}")


@driver.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def enable(data: Path, names: tuple[str, ...]) -> None:
    """Let drivers be added to images (NAMES, or digests)."""
    site = open_site(data)
    for name in names:
        click.echo(f"enabled    {_line(drivers.enable_driver(site, name))}")


@driver.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def disable(data: Path, names: tuple[str, ...]) -> None:
    """Stop drivers from being added to images (NAMES, or digests)."""
    site = open_site(data)
    for name in names:
        item = drivers.disable_driver(site, name)
        click.echo(f"disabled   {_line(item)}")
        for image in drivers.images_using(site, item.digest):
            click.echo(f"           still in the recipe of {image}")


@driver.command()
@click.argument("name")
@click.pass_obj
def delete(data: Path, name: str) -> None:
    """Remove a driver that no image uses."""
    drivers.delete_driver(open_site(data), name)
    click.echo(f"{name} is gone.")


def _line(item: Driver) -> str:
    where = ", ".join(sorted(item.architectures))
    return f"{item.name} {item.version} ({item.kind}, {where}) {item.digest[7:19]}"


def _plain(item: Driver) -> dict[str, object]:
    return {
        "name": item.name,
        "digest": item.digest,
        "version": item.version,
        "date": item.date,
        "provider": item.provider,
        "class": item.class_name,
        "kind": item.kind.value,
        "architectures": sorted(item.architectures),
        "enabled": item.enabled,
        "size": item.size,
        "hardware_ids": list(item.hardware_ids),
        "files": [file.path for file in item.files],
        "findings": list(item.findings),
    }
