"""`netboot points`: update, verify, roll back."""

from collections.abc import Iterator

import click

from netboot.commands.output import on_site, print_json, print_list, progress_bar, say
from netboot.commands.recorded import Verbs
from netboot.errors import ContentFault
from netboot.operations.images import images
from netboot.operations.machines.recipients import who_gets
from netboot.operations.points import points as operations
from netboot.site import Site


@click.group(cls=Verbs)
def points() -> None:
    """Distribution points: update, verify, roll back."""


@points.command(changes=True)
@click.argument("image", required=False)
@click.option("--all", "all_", is_flag=True, help="Every image that has a version.")
@on_site
def update(site: Site, image: str | None, *, all_: bool, json_: bool) -> None:
    """Update Distribution Points: machines get the newest version of IMAGE from now on."""
    if bool(image) == all_:
        raise click.UsageError("Name one image, or use --all.")
    names = [image] if image else [v.name for v in images.list_images(site) if v.current]
    done = []
    for name in names:
        with progress_bar("Updating") as tell:
            done.append(operations.update_distribution_points(site, name, progress=tell))
        if not json_:
            for line in _updated(site, done[-1]):
                click.echo(line)
    if json_:
        print_json(done)


def _updated(site: Site, result: operations.UpdateResult) -> Iterator[str]:
    """What an update did, whom it reaches, and how to undo it."""
    if not result.changed:
        yield f"{result.label}: up to date."
        return
    yield f"{result.label} is served. {who_gets(site, images.get_image(site, result.image)).words}"
    if result.before:
        yield f'  -> to undo: netboot points rollback "{result.image}" {result.before}'


@points.command(changes=False)
@on_site
def status(site: Site, *, json_: bool) -> None:
    """Compare what each point serves with the newest versions."""
    views = operations.point_status(site)
    found = [
        (view.name, one.image, one.held, one.current, one.status.value)
        for view in views
        for one in view.images
    ]
    keys = ("point", "image", "held", "newest", "status")
    plain = [dict(zip(keys, row, strict=True)) for row in found]
    rows = [[cell or "-" for cell in row] for row in found]
    print_list(plain, ("Point", "Image", "Served", "Newest", "Status"), rows, json_=json_)


@points.command(changes=True)
@click.argument("image")
@click.argument("version", type=int)
@on_site
def rollback(site: Site, *, image: str, version: int, json_: bool) -> None:
    """Serve VERSION of IMAGE again."""
    with progress_bar("Verifying") as tell:
        result = operations.rollback(site, image, version, progress=tell)
    reach = who_gets(site, images.get_image(site, result.image)).words
    say(result, f"{result.label} is served. {reach}", json_=json_)


@points.command(changes=False)
@click.argument("image")
@on_site
def verify(site: Site, image: str, *, json_: bool) -> None:
    """Compare every served byte of IMAGE with its digest.

    A version with an altered file is out of service from then on.
    """
    with progress_bar("Verifying") as tell:
        found, wrong = operations.verify(site, image, progress=tell)
    if not wrong or json_:
        words = f"{found.image} v{found.held or '-'}: {found.status.value}"
        say({"image": found.image, "held": found.held, "status": found.status.value,
             "altered": wrong}, words, json_=json_)  # fmt: skip
    if wrong:
        raise ContentFault(
            f"{found.image} v{found.held} is out of service: altered: {', '.join(wrong)}"
        )
