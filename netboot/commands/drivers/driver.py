"""`netboot driver`: import, find, enable, sort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.drivers.conflicts import conflicts, pair, plain_pair, tell_partners
from netboot.commands.output import on_site, print_json, print_list, progress_bar, say
from netboot.commands.recorded import Verbs
from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.device import parse_devices
from netboot.images.drivers.driver import Driver, DriverKind, Signature
from netboot.operations.drivers import bulk, drivers, importing, known_pairs
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers import search as driver_search
from netboot.operations.machines import coverage

if TYPE_CHECKING:
    from netboot.images.drivers.matching import Match
    from netboot.operations.drivers.importing import ImportReport
    from netboot.operations.drivers.relations import Relations
    from netboot.site import Site
    from netboot.store.drivers.entry import DriverSummary

SIGNATURES = {"catalog": Signature.CATALOG, "programs": Signature.SELF, "none": Signature.NONE}


@click.group(cls=Verbs)
def driver() -> None:
    """Driver catalog: import, enable, disable."""


for _command in (conflicts, pair):
    driver.add_command(_command)


@driver.command("import", changes=True)
@click.argument("path", type=click.Path(path_type=Path, readable=False))
@click.option("--enable", is_flag=True, help="Enable what was imported.")
@click.option("--ids", is_flag=True, help="Print the newly covered hardware ids.")
@on_site
def import_(site: Site, path: Path, *, enable: bool, ids: bool, json_: bool) -> None:
    """Import the driver packages in PATH: a folder, an INF, a ZIP, a CAB or a vendor pack."""
    with progress_bar("Importing") as tell:
        report = importing.import_drivers(site, path, progress=tell)
    wanted = [new.digest for new in report.new] if enable else []
    refused = bulk.enable(site, wanted).refused
    if json_:
        print_json(_plain_import(report, refused))
        return
    _tell_import(report, refused, ids=ids)
    if report.new and not enable:
        click.echo("  -> Enable the drivers to use: netboot driver enable NAME")


def _plain_import(report: ImportReport, refused: tuple[tuple[str, str], ...]) -> dict[str, object]:
    return {
        "new": [{"name": one.name, "digest": one.digest, "findings": list(one.findings)}
                for one in report.new],
        "known": [{"name": one.name, "digest": one.digest} for one in report.duplicates],
        "refused": [{"path": str(where), "reason": reason} for where, reason in report.refused],
        "not_enabled": [{"name": name, "reason": reason} for name, reason in refused],
        "new_hardware_ids": list(report.new_hardware_ids),
    }  # fmt: skip


def _tell_import(report: ImportReport, refused: tuple[tuple[str, str], ...], *, ids: bool) -> None:
    for new in report.new:
        click.echo(f"new        {_line(new)}")
        for finding in new.findings:
            click.echo(f"           note: {finding}")
    for name, reason in refused:
        click.echo(f"not enabled {name}: {reason}")
    for known in report.duplicates:
        click.echo(f"known      {_line(known)}")
    for where, reason in report.refused:
        click.echo(f"refused    {where}: {reason}")
    for hardware_id in report.new_hardware_ids if ids else ():
        click.echo(f"covered    {hardware_id}")
    click.echo(
        f"{len(report.new)} new, {len(report.duplicates)} known, {len(report.refused)} refused;"
        f" {len(report.new_hardware_ids)} hardware ids newly covered."
    )


@driver.command("list", changes=False)
@click.option("--search", default="", help="Words of names, makers, devices or hardware ids.")
@click.option("--kind", type=click.Choice([k.value for k in DriverKind]))
@click.option("--architecture", type=click.Choice([a.value for a in Architecture]))
@click.option("--enabled/--disabled", default=None, help="Only enabled or only disabled ones.")
@click.option("--signature", "signed", type=click.Choice(list(SIGNATURES)))
@click.option("--findings/--no-findings", default=None, help="Only those with findings, or none.")
@click.option("--category", default="")
@click.option("--limit", type=click.IntRange(min=1), help="Show at most this many.")
@on_site
def list_(
    site: Site,
    *,
    search: str,
    kind: str | None,
    architecture: str | None,
    enabled: bool | None,
    signed: str | None,
    findings: bool | None,
    category: str,
    limit: int | None,
    json_: bool,
) -> None:
    """Show the catalog, or the drivers that match."""
    wanted = DriverFilter(
        text=search,
        kind=DriverKind(kind) if kind else None,
        architecture=Architecture(architecture) if architecture else None,
        enabled=enabled,
        signature=SIGNATURES[signed] if signed else None,
        has_findings=findings,
        category=category,
    )
    found = driver_search.search_drivers(site, wanted, limit=limit)
    titles = ("Driver", "Version", "For", "Architectures", "Provider", "Enabled", "Digest")
    rows = (_cells(item) for item in found.drivers)
    print_list([_plain_summary(item) for item in found.drivers], titles, rows, json_=json_)
    if found.total > len(found.drivers) and not json_:
        click.echo(f"{found.total} drivers match; {len(found.drivers)} are shown.")


@driver.command(changes=False)
@click.argument("name")
@on_site
def show(site: Site, name: str, *, json_: bool) -> None:
    """Show one driver (NAME, or a digest) and how it relates to others."""
    item = drivers.get_driver(site, name)
    others = driver_relations.relations(site, item.digest)
    used_by = drivers.images_using(site, item.digest)
    known = known_pairs.partners_of(site, item.digest)
    if json_:
        pairs = {"known_pairs": [plain_pair(one.pair) for one in known]}
        print_json({**_plain(item), **_plain_relations(others), **pairs, "images": list(used_by)})
        return
    click.echo(_line(item))
    click.echo(f"  provider  {item.provider}, class {item.class_name}, dated {item.date or '-'}")
    click.echo(f"  state     {'enabled' if item.enabled else 'not enabled'}, {item.size} bytes")
    if item.kind.about:
        click.echo(f"  kind      {item.kind.about}")
    click.echo(f"  signed    {item.signed}")
    if item.categories:
        click.echo(f"  category  {', '.join(item.categories)}")
    for file in item.files:
        click.echo(f"  file      {file.path} ({file.size} bytes)")
    for hardware_id in item.hardware_ids:
        click.echo(f"  id        {hardware_id}")
    for finding in item.findings:
        click.echo(f"  note      {finding}")
    _tell_relations(others)
    tell_partners(known)
    for image in used_by:
        click.echo(f"  in image  {image}")


@driver.command(changes=False)
@click.argument("device")
@click.option(
    "--architecture",
    type=click.Choice([a.value for a in Architecture]),
    default="x64",
    show_default=True,
    help="Architecture of Windows PE.",
)
@click.option("--build", type=click.IntRange(min=1), help="Build of Windows PE; else the newest.")
@on_site
def match(site: Site, *, device: str, architecture: str, build: int | None, json_: bool) -> None:
    """Show which driver Windows would take for DEVICE (a PNPDeviceID, or 8086:15be), and why."""
    wanted = parse_devices(device).devices[0]
    found = coverage.candidates(site, wanted, Architecture(architecture), build=build or 0)
    if json_:
        print_json([_plain_match(one) for one in found])
        return
    for place, one in enumerate(found):
        click.echo(f"{'takes' if place == 0 else 'else ':10} {_line(one.driver)}")
        click.echo(f"           {one.explanation}")
        if not one.driver.enabled:
            click.echo("           It is not enabled.")
    if not found:
        click.echo(f"No driver of the catalog is for {wanted.label} on {architecture}.")


@driver.command(changes=True)
@click.argument("names", nargs=-1, required=True)
@on_site
def enable(site: Site, names: tuple[str, ...], *, json_: bool) -> None:
    """Allow drivers in images (NAMES, or digests)."""
    _treated(bulk.enable(site, names), "enabled", json_=json_)


@driver.command(changes=True)
@click.argument("names", nargs=-1, required=True)
@on_site
def disable(site: Site, names: tuple[str, ...], *, json_: bool) -> None:
    """Keep drivers out of more images (NAMES, or digests)."""
    result = bulk.disable(site, names)
    _treated(result, "disabled", json_=json_)
    for item in () if json_ else result.drivers:
        for image in drivers.images_using(site, item.digest):
            click.echo(f"           still in the recipe of {image}: {item.name}")


@driver.command(changes=True)
@click.argument("name")
@click.argument("words", nargs=-1)
@on_site
def categories(site: Site, *, name: str, words: tuple[str, ...], json_: bool) -> None:
    """Put driver NAME into the categories WORDS and no others; without WORDS, into none."""
    item = drivers.set_categories(site, name, words)
    say(_plain(item), f"{item.name} is in: {', '.join(item.categories) or 'no category'}",
        json_=json_)  # fmt: skip


@driver.command(changes=True)
@click.argument("names", nargs=-1, required=True)
@click.option("--add", multiple=True, metavar="CATEGORY", help="Add them. May be repeated.")
@click.option("--remove", multiple=True, metavar="CATEGORY", help="Remove them. May be repeated.")
@on_site
def sort(
    site: Site,
    *,
    names: tuple[str, ...],
    add: tuple[str, ...],
    remove: tuple[str, ...],
    json_: bool,
) -> None:
    """Add drivers (NAMES, or digests) to categories, or remove them; other categories stay."""
    _treated(bulk.sort(site, names, add=add, remove=remove), "sorted", json_=json_)


@driver.command(changes=True)
@click.argument("names", nargs=-1, required=True)
@on_site
def delete(site: Site, names: tuple[str, ...], *, json_: bool) -> None:
    """Remove drivers that no image uses (NAMES, or digests)."""
    _treated(bulk.delete(site, names), "deleted", json_=json_)


def _treated(result: bulk.Treated, done: str, *, json_: bool) -> None:
    """Show the result; the command fails if a driver was refused."""
    plain = {
        done: [_plain_summary(item) for item in result.drivers],
        "refused": [{"name": name, "reason": reason} for name, reason in result.refused],
    }
    say(plain, *(f"{done:10} {_line(item)}" for item in result.drivers), json_=json_)
    if result.refused:
        name, reason = result.refused[0]
        more = f" (and {len(result.refused) - 1} more)" if len(result.refused) > 1 else ""
        raise OperatorFault(
            f"{reason}{more}", hint=f"{name} is unchanged; `netboot driver show` shows more."
        )


def _tell_relations(others: Relations) -> None:
    for version in others.versions:
        click.echo(f"  version   {version.version} {version.date} {version.digest[7:19]}")
    if others.superseded_by:
        newer = others.superseded_by
        click.echo(f"  outdated  {newer.version} ({newer.digest[7:19]}) claims all of its devices")
    for rival in others.rivals:
        ids = f"{rival.hardware_ids[0]} and {len(rival.hardware_ids) - 1} more"
        state = "enabled" if rival.driver.enabled else "not enabled"
        click.echo(f"  rival     {_line(rival.driver)}, {state}: {ids}")


def _line(item: Driver | DriverSummary) -> str:
    where = ", ".join(sorted(item.architectures))
    return f"{item.name} {item.version} ({item.kind}, {where}) {item.digest[7:19]}"


def _cells(item: DriverSummary) -> tuple[str, ...]:
    return (
        item.name,
        item.version,
        item.kind,
        ", ".join(sorted(item.architectures)),
        item.provider,
        "yes" if item.enabled else "no",
        item.digest[7:19],
    )


def _plain_match(one: Match) -> dict[str, object]:
    return {
        "digest": one.driver.digest,
        "name": one.driver.name,
        "version": one.driver.version,
        "enabled": one.driver.enabled,
        "device_id": one.device_id,
        "rank": f"{one.rank:08X}",
        "why": one.explanation,
    }


def _plain_relations(others: Relations) -> dict[str, object]:
    newer = others.superseded_by
    return {
        "superseded_by": newer.digest if newer else None,
        "versions": [one.digest for one in others.versions],
        "rivals": [
            {"digest": one.driver.digest, "name": one.driver.name, "ids": list(one.hardware_ids)}
            for one in others.rivals
        ],
    }


def _plain_summary(item: DriverSummary) -> dict[str, object]:
    found = {"signature": item.signature.value, "hardware_id_count": item.ids}
    return {**_plain_both(item), **found}


def _plain(item: Driver) -> dict[str, object]:
    return {
        **_plain_both(item),
        "signature": item.signature.value,
        "signed": item.signed,
        "catalog_file": item.catalog_file,
        "catalog_checked": item.catalog_checked,
        "hardware_ids": list(item.hardware_ids),
        "files": [file.path for file in item.files],
    }


def _plain_both(item: Driver | DriverSummary) -> dict[str, object]:
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
        "categories": list(item.categories),
        "findings": list(item.findings),
    }
