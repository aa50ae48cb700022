"""`netboot lab-pe`: images that start Linux, to try a boot without a Windows PE."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.job import queued, wait_option
from netboot.commands.output import as_json, on_site, print_list, progress_bar, say
from netboot.commands.recorded import Verbs
from netboot.operations import lab_pe as operations

if TYPE_CHECKING:
    from netboot.site import Site


@click.group("lab-pe", cls=Verbs)
def lab_pe() -> None:
    """The Lab PE, which starts Linux to try a boot: build, import, export."""


@lab_pe.command(changes=False)
@on_site
def show(site: Site, *, json_: bool) -> None:
    """Show its images on this site, and what is missing to build them."""
    state = operations.lab_pe_state(site)
    if not json_:
        if state.job:
            click.echo(f"Job {state.job} makes it now.")
        missing = ", ".join(state.missing)
        click.echo(f"To build it, these packages are missing: {missing}" if missing
                   else "It can be built here, from a Debian mirror.")  # fmt: skip
    rows = ((one.name, one.architecture, one.served_version or "-") for one in state.images)
    print_list(state, ("Image", "Architecture", "Served version"), rows, json_=json_)


@lab_pe.command(changes=True)
@wait_option
@on_site
def build(site: Site, *, wait: bool, json_: bool) -> int:
    """Build it from Debian packages, by the running site's worker.

    It needs a compiler and a Debian mirror. Without them, import a file from another machine.
    """
    return queued(site, operations.ask_build(site), wait=wait, json_=json_)


@lab_pe.command("import", changes=True)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@on_site
def import_(site: Site, *, file: Path, json_: bool) -> None:
    """Import a prepared FILE, for a site without compiler and mirror.

    FILE is what `netboot lab-pe export` wrote on a machine that has both. All of it is checked
    before anything is used.
    """
    with progress_bar("Lab PE") as tell:
        names = operations.import_file(site, file, progress=tell)
    say({"images": names}, f"Ready: {', '.join(names)}.", json_=json_)


@lab_pe.command(changes=False)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, readable=False))
@as_json
def export(*, file: Path, json_: bool) -> int:
    """Write it as FILE, for a site without compiler and mirror; builds it if necessary.

    Run this on any Debian or Ubuntu machine that has netboot, gcc, binutils, gnu-efi, grub-common,
    grub-pc-bin, wimtools and a Debian mirror; no site is needed there. Copy FILE to the other
    machine, then run `netboot lab-pe import FILE` there, or upload it on the page of the Lab PE.
    """
    command = [sys.executable, *operations.EXPORTER, str(file), *(["--json"] if json_ else [])]
    return subprocess.run(command, check=False).returncode
