"""`netboot deployment`: which machine gets which image."""

import click

from netboot.commands.output import on_site, print_list, say
from netboot.commands.recorded import Verbs
from netboot.operations.deployments import deployments as policy
from netboot.protocols.mac import require_mac
from netboot.site import Site


@click.group(cls=Verbs)
def deployment() -> None:
    """Deployments: which machine gets which image."""


@deployment.command("set", changes=True)
@click.argument("mac")
@click.argument("image")
@click.option("--comment", default="")
@on_site
def set_(site: Site, *, mac: str, image: str, comment: str, json_: bool) -> None:
    """Assign IMAGE to the machine with address MAC."""
    made = policy.deploy(site, mac, image, comment=comment)
    say(made, f"{made.mac} gets {made.image}.", json_=json_)


@deployment.command(changes=True)
@click.argument("mac")
@on_site
def remove(site: Site, mac: str, *, json_: bool) -> None:
    """Let the machine with address MAC get the default of its architecture again."""
    policy.withdraw(site, mac)
    address = require_mac(mac)
    say({"mac": address, "image": None}, f"{address} gets the default image.", json_=json_)


@deployment.command("list", changes=False)
@on_site
def list_(site: Site, *, json_: bool) -> None:
    """Show the default images and all deployments."""
    rows = [(f"all {key}", name, "default") for key, name in policy.defaults(site).items()]
    rows += [(made.mac, made.image, made.comment) for made in policy.deployments(site)]
    plain = [{"machine": m, "image": i, "comment": c} for m, i, c in rows]
    print_list(plain, ("Machine", "Image", "Comment"), rows, json_=json_)
