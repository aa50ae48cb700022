"""`netboot wimboot`, and `netboot image chain`: how machines start an image."""

from pathlib import Path

import click

from netboot.commands.output import on_site, print_json, say
from netboot.commands.recorded import Verb, Verbs
from netboot.images.boot_image.properties import CHAINS
from netboot.operations.images import boot_chain
from netboot.site import Site

AUTOMATIC = "auto"
_CHOICES = click.Choice([AUTOMATIC, *CHAINS])


@click.command(cls=Verb, changes=True)
@click.argument("name")
@click.option("--bios", type=_CHOICES, help="For machines with a BIOS.")
@click.option("--uefi", type=_CHOICES, help="For machines with UEFI.")
@on_site
def chain(site: Site, *, name: str, bios: str | None, uefi: str | None, json_: bool) -> None:
    """Prefer a way to start image NAME, by firmware.

    native: Microsoft's own loaders by TFTP (works with Secure Boot). wimboot: iPXE and wimboot
    by HTTP. linux: the Lab PE's kernel. auto: the best that the image offers.
    """
    wanted = {"bios": bios, "uefi": uefi}
    chains = {
        firmware: "" if word == AUTOMATIC else word for firmware, word in wanted.items() if word
    }
    if not chains:
        raise click.UsageError("Use --bios, --uefi or both.")
    view = boot_chain.prefer_chain(site, name, chains=chains)
    lines = [
        f"{view.name}: {firmware.upper()} machines get {word or 'the best chain'}."
        for firmware, word in chains.items()
    ]
    if view.needs_build:
        lines.append(f'  -> It takes effect with a new version: netboot image build "{view.name}"')
    plain = {"name": view.name, "chains": chains, "needs_build": view.needs_build}
    say(plain, *lines, json_=json_)


@click.group(cls=Verbs)
def wimboot() -> None:
    """The wimboot that machines get over HTTP; you supply the file."""


@wimboot.command("import", changes=True)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sha256", default="", help="The digest that its publisher names.")
@on_site
def import_(site: Site, *, file: Path, sha256: str, json_: bool) -> None:
    """Serve FILE as wimboot, pinned by its digest."""
    made = boot_chain.import_wimboot(site, file, sha256=sha256)
    lines = [f"wimboot is served: {made.size} bytes, {made.digest}"]
    if not sha256:
        lines.append("  -> Compare the digest with the one that its publisher names.")
    say({"digest": made.digest, "size": made.size}, *lines, json_=json_)


@wimboot.command(changes=False)
@on_site
def show(site: Site, *, json_: bool) -> None:
    """Show which wimboot is served; its bytes are checked."""
    held = boot_chain.served_wimboot(site)
    if json_:
        print_json({"digest": held.digest, "size": held.size} if held else {})
    elif held is None:
        click.echo("No wimboot is served.\n  -> netboot wimboot import FILE")
    else:
        click.echo(f"{held.digest}, {held.size} bytes")


@wimboot.command(changes=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_site
def remove(site: Site, *, yes: bool, json_: bool) -> None:
    """Serve no wimboot any more."""
    typed = None
    if not yes and boot_chain.serves_wimboot(site):
        click.echo("wimboot is served. Images that need it can no longer start by HTTP.", err=True)
        typed = click.prompt("Type wimboot to remove it", err=True)
    boot_chain.forget_wimboot(site, typed=typed)
    say({"wimboot": None}, "No wimboot is served any more.", json_=json_)
