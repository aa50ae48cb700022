"""`netboot run` and its parts: boot services, boot HTTP, page, projector, worker; and `check`."""

import os
import sys
from pathlib import Path

import click

from netboot.commands.recorded import Verb

RUN_HELP = (
    "Network interface that machines boot through (may be repeated); without one, those of the"
    " settings, or a private lab."
)


PAGE_HELP = """\b
The page is at http://127.0.0.1:8080/ and opens on this computer only.
From another computer, tunnel to it:
  ssh -L 8080:127.0.0.1:8080 THIS-COMPUTER
or let it listen on the network, with TLS, and restart the site:
  netboot settings set web_address=0.0.0.0 tls=self-signed
Another port: netboot settings set web_port=8443
"""


@click.command(cls=Verb, changes=False, epilog=PAGE_HELP)
@click.option("--interface", "interfaces", multiple=True, help=RUN_HELP)
@click.pass_obj
def run(data: Path, interfaces: tuple[str, ...]) -> None:
    """Start the site: boot services, page, projector and worker."""
    from netboot.daemons.run_site import run_site

    raise click.exceptions.Exit(run_site(data, interfaces))


INTERFACE_HELP = "Network interface to serve, may be repeated (default: the settings)."
IN_LAB = click.option(
    "--in-lab", is_flag=True, hidden=True, help="Serve the network of a lab next to the site's own."
)
ADDRESS_HELP = "IPv4 address of this server for machines (default: the interface's first)."


@click.command(cls=Verb, changes=False)
@click.option("--interface", "interfaces", multiple=True, help=INTERFACE_HELP)
@click.option("--address", default="", help=ADDRESS_HELP)
@IN_LAB
@click.pass_obj
def boot(data: Path, *, interfaces: tuple[str, ...], address: str, in_lab: bool) -> None:
    """Serve proxyDHCP and TFTP (a part of `run`)."""
    from netboot.daemons.boot_services import serve_boot
    from netboot.daemons.starting.network_wait import find_networks
    from netboot.daemons.starting.own_service import SHOWN, own_service
    from netboot.site import LabSite, Site

    kind = ("lab-boot", LabSite) if in_lab else ("boot", Site)
    with own_service(data, *kind) as site:
        serve_boot(site, find_networks(site, SHOWN["boot"], interfaces, address))


@click.command(cls=Verb, changes=False)
@click.option("--interface", "interfaces", multiple=True, help=INTERFACE_HELP)
@click.option("--address", default="", help=ADDRESS_HELP)
@IN_LAB
@click.pass_obj
def http(data: Path, *, interfaces: tuple[str, ...], address: str, in_lab: bool) -> None:
    """Serve boot files over HTTP (a part of `run`)."""
    from netboot.daemons.boot_http import serve_boot_files
    from netboot.daemons.starting.network_wait import find_networks
    from netboot.daemons.starting.own_service import SHOWN, own_service
    from netboot.site import LabSite, Site

    kind = ("lab-http", LabSite) if in_lab else ("http", Site)
    with own_service(data, *kind) as site:
        serve_boot_files(site, find_networks(site, SHOWN["http"], interfaces, address))


@click.command(cls=Verb, changes=False)
@click.option("--address", default="", help="Instead of the setting web_address.")
@click.option("--port", default=0, help="Instead of the setting web_port.")
@click.pass_obj
def web(data: Path, address: str, port: int) -> None:
    """Serve the administrators' page and the API (a part of `run`)."""
    # The console is not imported from here: everything below it works without Flask.
    command = [sys.executable, "-m", "web", "--data", str(data)]
    command += ["--address", address, "--port", str(port)]
    os.execv(sys.executable, command)  # noqa: S606  # no shell is wanted


@click.command(cls=Verb, changes=False)
@click.pass_obj
def projector(data: Path) -> None:
    """Write boots and machines as rows (a part of `run`)."""
    from netboot.daemons.projector import run_projector
    from netboot.daemons.starting.own_service import own_service

    with own_service(data, "projector") as site:
        run_projector(site)


@click.command(cls=Verb, changes=False)
@click.pass_obj
def worker(data: Path) -> None:
    """Do queued jobs (a part of `run`)."""
    from netboot.daemons.starting.own_service import own_service
    from netboot.daemons.worker import run_worker

    with own_service(data, "worker") as site:
        run_worker(site)


@click.command(cls=Verb, changes=False)
@click.pass_obj
def lab(data: Path) -> None:
    """Boot test machines in a private network (a part of `run`)."""
    # Virtual machines are another part of netboot, which nothing below imports.
    os.execv(sys.executable, [sys.executable, "-m", "vm.standby", "--data", str(data)])  # noqa: S606


@click.command(
    cls=Verb,
    changes=False,
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def check(data: Path, arguments: tuple[str, ...]) -> None:
    """Ask the network as a machine would, and report what is wrong."""
    # scapy is GPL-2.0-only and slow to load, so it has a process of its own.
    command = [sys.executable, "-m", "netboot.diagnose", "--data", str(data), *arguments]
    os.execv(sys.executable, command)  # noqa: S606  # no shell is wanted
