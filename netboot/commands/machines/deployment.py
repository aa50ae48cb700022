"""`netboot deployment`: which machine gets which image."""

from pathlib import Path

import click

from netboot.commands.output import as_json, open_site, print_json, print_table, say
from netboot.commands.recorded import Verbs
from netboot.operations.deployments import deployments as policy
from netboot.protocols.mac import require_mac


@click.group(cls=Verbs)
def deployment() -> None:
    """Deployments: which machine gets which image."""


@deployment.command("set", changes=True)
@click.argument("mac")
@click.argument("image")
@click.option("--comment", default="")
@as_json
@click.pass_obj
def set_(data: Path, *, mac: str, image: str, comment: str, json_: bool) -> None:
    """Give the machine with address MAC the image IMAGE."""
    made = policy.deploy(open_site(data), mac, image, comment=comment)
    say(made, f"{made.mac} gets {made.image}.", json_=json_)


@deployment.command(changes=True)
@click.argument("mac")
@as_json
@click.pass_obj
def remove(data: Path, mac: str, *, json_: bool) -> None:
    """Let the machine with address MAC get the default of its architecture again."""
    policy.withdraw(open_site(data), mac)
    told = require_mac(mac)
    say({"mac": told, "image": None}, f"{told} gets the default image.", json_=json_)


@deployment.command("list", changes=False)
@as_json
@click.pass_obj
def list_(data: Path, *, json_: bool) -> None:
    """Show defaults and machines with an image of their own."""
    site = open_site(data)
    rows = [(f"all {key}", name, "default") for key, name in policy.defaults(site).items()]
    rows += [(made.mac, made.image, made.comment) for made in policy.deployments(site)]
    if json_:
        print_json([{"machine": m, "image": i, "comment": c} for m, i, c in rows])
        return
    print_table(("Machine", "Image", "Comment"), rows)
