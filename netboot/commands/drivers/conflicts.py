"""`netboot driver conflicts` and `netboot driver pair`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netboot.commands.output import on_site, print_json, print_table, say
from netboot.commands.recorded import Verb, Verbs
from netboot.images.drivers.known_pairs import Clash, KnownPair, Side, Trouble
from netboot.operations.drivers import known_pairs
from netboot.operations.drivers import relations as driver_relations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netboot.images.drivers.driver import Driver
    from netboot.images.drivers.matching import Conflict, Package
    from netboot.operations.drivers.known_pairs import Partner
    from netboot.operations.drivers.relations import Conflicts
    from netboot.site import Site

SHOWN = 20


@click.command(cls=Verb, changes=False)
@click.option("--image", default="", help="Among the drivers of this image; else all enabled ones.")
@on_site
def conflicts(site: Site, image: str, *, json_: bool) -> None:
    """Show drivers that conflict.

    Known bad pairs, versions of one package in an image, drivers that claim the same device,
    and drivers that install a service of the same name.
    """
    found = driver_relations.conflicts(site, image)
    if json_:
        print_json(_plain(found))
        return
    for clash in found.pairs:
        click.echo(f"known      {clash.pair.rule}")
        click.echo(f"           here: {_named(clash.first)}; and {_named(clash.second) or 'it'}")
        click.echo(f"           {clash.pair.reason}")
        if clash.pair.source:
            click.echo(f"           source: {clash.pair.source}")
        if clash.pair.trouble is Trouble.ORDER:
            click.echo(f'           -> Put them in order: netboot image arrange "{image}"')
    for versions in found.versions:
        click.echo(f"versions   {_named(versions)}: Windows PE keeps the one that it loads first")
    rows = [("device", *_cells(one)) for one in found.ids]
    rows += [("service", *_cells(one)) for one in found.services]
    if rows:
        print_table(("What", "Claimed", "Architecture", "By"), rows)
    elif not found.pairs and not found.versions:
        click.echo("No drivers conflict.")


@click.group(cls=Verbs)
def pair() -> None:
    """Known driver conflicts: pairs that do not work together."""


@pair.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all pairs, those that come with netboot and the site's own."""
    pairs = known_pairs.list_pairs(site)
    lines = [line for one in pairs for line in _lines(one)]
    say([plain_pair(one) for one in pairs], *lines, json_=json_)


@pair.command(changes=True)
@click.argument("trouble", type=click.Choice([one.value for one in Trouble]))
@click.option("--first", required=True, help="INF names; * and ? match any letters.")
@click.option("--second", required=True, help="INF names of the other side.")
@click.option("--first-provider", default="", help="Only drivers of these makers.")
@click.option("--second-provider", default="")
@click.option("--first-since", default="", help="Only from this version on.")
@click.option("--first-before", default="", help="Only before this version.")
@click.option("--second-since", default="")
@click.option("--second-before", default="")
@click.option("--reason", required=True, help="What goes wrong.")
@click.option("--source", default="", help="Where it is documented.")
@on_site
def add(
    site: Site, /, *, trouble: str, reason: str, source: str, json_: bool, **sides: str
) -> None:
    """Record that drivers do not work together.

    TROUBLE is `apart` (never both in one image), `order` (load the first before the second) or
    `release` (the first two numbers of their versions must be the same). A service is named as
    `service:NAME` in place of an INF.
    """
    noted = known_pairs.add_pair(
        site,
        Trouble(trouble),
        _side("first", sides),
        _side("second", sides),
        reason=reason,
        source=source,
    )
    say(plain_pair(noted), *_lines(noted), json_=json_)


@pair.command(changes=True)
@click.argument("pair_id", metavar="PAIR")
@on_site
def remove(site: Site, pair_id: str, *, json_: bool) -> None:
    """Delete PAIR, one of the site's own."""
    gone = known_pairs.remove_pair(site, pair_id)
    say(plain_pair(gone), f"{gone.id} was deleted: {gone.rule}", json_=json_)


def _lines(one: KnownPair) -> list[str]:
    source = [f"           source: {one.source}"] if one.source else []
    return [f"{one.id}  {one.rule}", f"           {one.reason}", *source]


def tell_partners(partners: Iterable[Partner]) -> None:
    for partner in partners:
        here = ", ".join(f"{one.name} {one.version}" for one in partner.drivers)
        click.echo(f"  known     {partner.pair.rule} {partner.pair.reason}")
        click.echo(f"            in the catalog: {here or 'none of the other side'}")


def image_conflict_lines(site: Site, drivers: Sequence[Driver], image: str) -> list[str]:
    """Conflicts among an image's drivers, except shared devices."""
    found = driver_relations.image_conflicts(site, drivers)
    lines = [f"  conflict {clash.pair.rule} {clash.pair.reason}" for clash in found.pairs]
    lines += [
        f"  conflict {_named(versions)}: versions of one package, the first is kept"
        for versions in found.versions
    ]
    lines += [
        f"  conflict {_named(one.drivers)} install one service, {one.hardware_id}"
        for one in found.services
    ]
    if lines:
        lines.append(f'  -> More: netboot driver conflicts --image "{image}"')
    return lines


def plain_pair(one: KnownPair) -> dict[str, object]:
    return {
        "id": one.id,
        "trouble": one.trouble.value,
        "rule": one.rule,
        "first": one.first.label,
        "second": one.second.label,
        "reason": one.reason,
        "source": one.source,
        "own": one.own,
    }


def _side(which: str, said: dict[str, str]) -> Side:
    words = said[which].replace(",", " ").split()
    mark = "service:"
    return Side(
        inf=" ".join(word for word in words if not word.startswith(mark)),
        service=" ".join(word.removeprefix(mark) for word in words if word.startswith(mark)),
        provider=said[f"{which}_provider"],
        since=said[f"{which}_since"],
        before=said[f"{which}_before"],
    )


def _named(drivers: Iterable[Package]) -> str:
    return ", ".join(f"{one.name} {one.version} {one.digest[7:19]}" for one in drivers)


def _cells(one: Conflict) -> tuple[str, str, str]:
    names = [f"{driver.name} {driver.version} {driver.digest[7:19]}" for driver in one.drivers]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return one.hardware_id, one.architecture.value, ", ".join(names[:SHOWN]) + more


def _plain(found: Conflicts) -> dict[str, object]:
    return {
        "pairs": [_plain_clash(one) for one in found.pairs],
        "versions": [_plain_drivers(one) for one in found.versions],
        "ids": _plain_conflicts(found.ids),
        "services": _plain_conflicts(found.services),
    }


def _plain_clash(one: Clash) -> dict[str, object]:
    return {
        **plain_pair(one.pair),
        "drivers": [_plain_drivers(one.first), _plain_drivers(one.second)],
    }


def _plain_conflicts(found: tuple[Conflict, ...]) -> list[dict[str, object]]:
    return [
        {
            "claimed": one.hardware_id,
            "architecture": one.architecture.value,
            "drivers": _plain_drivers(one.drivers),
        }
        for one in found
    ]


def _plain_drivers(drivers: Iterable[Package]) -> list[dict[str, str]]:
    return [{"name": one.name, "version": one.version, "digest": one.digest} for one in drivers]
