"""`netboot machine`: known machines and their devices."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from netboot.commands.output import local_time, on_caught_up_site, print_json, print_list, say
from netboot.commands.recorded import Verbs
from netboot.images.boot_image.uefi_loader import AUTHORITIES
from netboot.images.drivers.device import MAX_TEXT
from netboot.operations.machines import coverage, machines
from netboot.operations.machines import image_choice as machine_images
from netboot.store.content.named_files import read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netboot.images.coverage import MachineCoverage
    from netboot.operations.machines.coverage import Outlook
    from netboot.operations.machines.image_choice import Decision
    from netboot.operations.machines.machines import KnownMachine
    from netboot.site import Site

TITLES = ["Machine", "Seen", "Architecture", "Firmware", "Gets", "Network", "Storage", "Devices"]


@click.group(cls=Verbs)
def machine() -> None:
    """Known machines and their devices."""


@machine.command("list", changes=False)
@on_caught_up_site
def list_(site: Site, *, json_: bool) -> None:
    """Show all machines that booted or were imported, and what their next boot will bring."""
    decide, fates = machine_images.decider(site), coverage.outlook(site)
    rows = [(item, decide(item), fates.get(item.key)) for item in machines.list_machines(site)]
    print_list([_plain(*row) for row in rows], TITLES, [_cells(*row) for row in rows], json_=json_)


@machine.command(changes=False)
@click.argument("name")
@click.option("--image", default="", help="Compare it with this image instead of its own.")
@on_caught_up_site
def show(site: Site, *, name: str, image: str, json_: bool) -> None:
    """Show machine NAME, its devices, and their drivers in the image that it gets."""
    item = machines.get_machine(site, name)
    decision = machine_images.decider(site)(item)
    chosen = (image,) if image else decision.images[:1]
    held = {wanted: coverage.machine_coverage(site, wanted, item) for wanted in chosen}
    if json_:
        print_json({**_plain(item, decision, None), "held": _plain_held(held)})
    else:
        _tell(item, decision, held)


def _tell(item: KnownMachine, decision: Decision, held: Mapping[str, MachineCoverage]) -> None:
    click.echo(f"{item.key} ({' '.join(filter(None, (item.architecture, item.firmware))) or '-'})")
    for reason in decision.reasons:
        click.echo(f"  why       {reason}")
    if item.authority:
        click.echo(f"  loader    signed under {AUTHORITIES[item.authority]}")
    for device in item.devices:
        click.echo(f"  device    {device.label} {device.hardware_ids(0)[0]}")
    for wanted, found in held.items():
        click.echo(f"  image     {wanted}")
        for one in found.devices:
            driven = one.match.driver.name if one.match else "NO DRIVER"
            fixes = ", ".join(fix.driver.name for fix in one.fixes)
            click.echo(f"  {one.kind.value:9} {one.device.label}: {driven}")
            if one.match:
                click.echo(f"            {one.match.explanation}")
            elif fixes:
                click.echo(f"            fixed by {fixes}")


@machine.command("import", changes=True)
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@on_caught_up_site
def import_(site: Site, *, name: str, file: BinaryIO, json_: bool) -> None:
    """Import FILE as the devices of machine NAME.

    FILE is the output of `pnputil /enum-devices /connected` (Windows) or of `lspci -nn -v` (Linux),
    CSV of Get-PnpDevice, or a list of PNPDeviceIDs.
    """
    data = read_all(
        file, 4 * MAX_TEXT, "the device list", hint=f"Write it again with: {machines.COMMAND}"
    )
    found = machines.import_devices(site, name, _decoded(data))
    plain = {
        "machine": found.machine.key,
        "devices": [one.label for one in found.machine.devices],
        "unread": found.unread,
        "left_out": found.left_out,
        "guessed": dict(found.guessed),
    }
    say(plain, found.summary, *(f"  note: {one}" for one in found.remarks), json_=json_)
    for line in found.unread:
        click.echo(f"  not understood: {line}", file=sys.stderr)


@machine.command(changes=True)
@click.argument("name")
@on_caught_up_site
def forget(site: Site, name: str, *, json_: bool) -> None:
    """Delete machine NAME; it comes back when it boots again."""
    machines.forget(site, name)
    say({"forgotten": name}, f"{name} was deleted.", json_=json_)


@machine.command("set-authority", changes=True)
@click.argument("name")
@click.argument("authority", type=click.Choice(["unknown", *AUTHORITIES]))
@on_caught_up_site
def set_authority(site: Site, *, name: str, authority: str, json_: bool) -> None:
    """Set whose UEFI boot loader machine NAME needs; this overrides image and site.

    2011: Microsoft Windows Production PCA 2011. 2023: Windows UEFI CA 2023, which machines trust
    after a firmware update, and need if the one of 2011 was revoked.
    """
    wanted = "" if authority == "unknown" else authority
    known = machines.set_authority(site, name, wanted)
    loader = AUTHORITIES[wanted] if wanted else "image and site"
    plain = {"machine": known.key, "authority": known.authority}
    say(plain, f"{known.key} gets the boot loader of {loader}.", json_=json_)


def _decoded(data: bytes) -> str:
    """PowerShell's > writes UTF-16 with a byte order mark, everything else ASCII or UTF-8."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _cells(item: KnownMachine, decision: Decision, fate: Outlook | None) -> tuple[str, ...]:
    return (
        item.key,
        local_time(item.seen_at),
        item.architecture or "-",
        item.firmware or "-",
        " or ".join(decision.images) or "-",
        fate.coverage.network.value if fate else "-",
        fate.coverage.storage.value if fate else "-",
        f"{len(item.devices)} ({item.source})",
    )


def _plain_held(held: Mapping[str, MachineCoverage]) -> list[dict[str, object]]:
    return [
        {
            "image": image,
            "network": found.network.value,
            "storage": found.storage.value,
            "devices": [
                {
                    "device": one.device.label,
                    "kind": one.kind.value,
                    "driver": one.match.driver.name if one.match else None,
                    "fixes": [fix.driver.digest for fix in one.fixes],
                }
                for one in found.devices
            ],
        }
        for image, found in held.items()
    ]


def _plain(item: KnownMachine, decision: Decision, fate: Outlook | None) -> dict[str, object]:
    return {
        "machine": item.key,
        "source": item.source,
        "architecture": item.architecture,
        "firmware": item.firmware,
        "image": item.image,
        "authority": item.authority,
        "gets": list(decision.images),
        "why": list(decision.reasons),
        "network": fate.coverage.network.value if fate else None,
        "storage": fate.coverage.storage.value if fate else None,
        "devices": [device.label for device in item.devices],
        "seen_at": item.seen_at,
    }
