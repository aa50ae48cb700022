"""`netboot test-machine`: virtual machines of the lab that boot from the running site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netboot.commands.job import queued, wait_option
from netboot.commands.output import on_site, print_list
from netboot.commands.recorded import Verbs
from netboot.operations import jobs
from netboot.operations import lab as operations

if TYPE_CHECKING:
    from netboot.site import Site


@click.group("test-machine", cls=Verbs)
def test_machine() -> None:
    """Virtual machines that try a boot."""


@test_machine.command(changes=True)
@click.option("--firmware", type=click.Choice([name for name, _ in operations.FIRMWARES]),
              default="bios-x64", show_default=True)  # fmt: skip
@click.option("--nic", type=click.Choice([name for name, _ in operations.NICS]),
              default="e1000", show_default=True, help="Its network card.")  # fmt: skip
@click.option("--memory", type=click.Choice([str(size) for size in operations.MEMORY_SIZES]),
              default="1024", show_default=True, help="MiB.")  # fmt: skip
@click.option("--image", default="", help="Boot this image, not the one that other machines get.")
@wait_option
@on_site
def boot(
    site: Site, *, firmware: str, nic: str, memory: str, image: str, wait: bool, json_: bool
) -> int:
    """Boot a test machine, by the running site's worker."""
    job = operations.ask_boot(site, firmware=firmware, nic=nic, memory=int(memory), image=image)
    return queued(site, job, wait=wait, json_=json_)


@test_machine.command("list", changes=False)
@click.option("--limit", default=10, type=click.IntRange(1, 1000), show_default=True)
@on_site
def list_(site: Site, *, limit: int, json_: bool) -> None:
    """Show the newest boots of test machines."""
    found = jobs.list_jobs(site, limit, kind=operations.KIND)
    rows = (
        (one.id, one.title, one.state, operations.came_to(one) or one.message or one.stage)
        for one in found
    )
    print_list(found, ("Job", "Test machine", "State", "Result"), rows, json_=json_)


@test_machine.command(changes=False)
@on_site
def choices(site: Site, *, json_: bool) -> None:
    """Show whether test machines can be booted here, and which."""
    view = operations.lab_status(site)
    if not json_:
        click.echo("Test machines can be booted here." if view.available else view.reason)
    rows = [("firmware", *one) for one in view.firmwares] + [("nic", *one) for one in view.nics]
    print_list(view, ("Part", "Name", "Description"), rows, json_=json_)
