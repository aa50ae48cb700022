"""`netboot machine`: known machines and their devices."""

import sys
from pathlib import Path
from typing import TextIO

import click

from netboot.commands.output import as_json, open_site, print_json, print_table
from netboot.operations import machines


@click.group()
def machine() -> None:
    """Known machines and their devices."""


@machine.command("list")
@as_json
@click.pass_obj
def list_(data: Path, *, json_: bool) -> None:
    """Show all machines that were seen booting or listed by hand."""
    found = machines.list_machines(open_site(data))
    if json_:
        print_json(
            [
                {
                    "machine": item.key,
                    "source": item.source,
                    "architecture": item.architecture,
                    "firmware": item.firmware,
                    "image": item.image,
                    "devices": [device.label for device in item.devices],
                }
                for item in found
            ]
        )
        return
    print_table(
        ("Machine", "Architecture", "Firmware", "Image", "Devices", "Known by"),
        [
            (
                item.key,
                item.architecture or "-",
                item.firmware or "-",
                item.image or "-",
                len(item.devices),
                item.source,
            )
            for item in found
        ],
    )


@machine.command("import")
@click.argument("name")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"), default="-")
@click.pass_obj
def import_(data: Path, name: str, file: TextIO) -> None:
    """Take FILE (PNPDeviceIDs, or the output of lspci -nn) as the devices of machine NAME."""
    known, unread = machines.import_devices(open_site(data), name, file.read())
    click.echo(f"{known.key} has {len(known.devices)} devices.")
    for line in unread:
        click.echo(f"  not understood: {line}", file=sys.stderr)


@machine.command()
@click.argument("name")
@click.pass_obj
def forget(data: Path, name: str) -> None:
    """Forget machine NAME; it comes back when it boots again."""
    machines.forget(open_site(data), name)
    click.echo(f"{name} is forgotten.")
