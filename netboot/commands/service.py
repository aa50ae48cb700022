"""`netboot run` and its parts: boot services, boot HTTP, projector, worker, and `check`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netboot.commands.recorded import Verb
from netboot.errors import InvalidInput

if TYPE_CHECKING:
    from netboot.site import Site

RUN_HELP = "Network interface that machines boot through; without it, a private lab."


PAGE_HELP = """\b
The page is at http://127.0.0.1:8080/ and opens on this computer only.
From another computer, tunnel to it:
  ssh -L 8080:127.0.0.1:8080 THIS-COMPUTER
or let it listen on the network, with TLS, and restart the site:
  netboot settings set web_address=0.0.0.0 tls=self-signed
Another port: netboot settings set web_port=8443
"""


@click.command(cls=Verb, changes=False, epilog=PAGE_HELP)
@click.option("--interface", default="", help=RUN_HELP)
@click.pass_obj
def run(data: Path, interface: str) -> None:
    """Start the site: boot services, page, projector and worker."""
    from netboot.daemons.run_site import run_site

    raise click.exceptions.Exit(run_site(data, interface))


@click.command(cls=Verb, changes=False)
@click.option("--interface", default="", help="Network interface to serve.")
@click.option("--address", default="", help="IPv4 address of this server for machines.")
@click.pass_obj
def boot(data: Path, interface: str, address: str) -> None:
    """Serve proxyDHCP and TFTP (a part of `run`)."""
    from netboot.daemons.boot_services import serve_boot
    from netboot.daemons.supervisor import die_with_parent

    die_with_parent()
    site = _opened(data, "boot")
    interface = interface or site.settings.interface
    address = address or site.settings.address or address_of(interface)
    serve_boot(site, interface=interface, address=address)


@click.command(cls=Verb, changes=False)
@click.option("--interface", default="", help="Network interface to serve.")
@click.option("--address", default="", help="IPv4 address of this server for machines.")
@click.pass_obj
def http(data: Path, interface: str, address: str) -> None:
    """Serve boot files over HTTP (a part of `run`)."""
    from netboot.daemons.boot_http import serve_boot_files
    from netboot.daemons.supervisor import die_with_parent

    die_with_parent()
    site = _opened(data, "http")
    interface = interface or site.settings.interface
    serve_boot_files(site, address=address or site.settings.address or address_of(interface))


@click.command(cls=Verb, changes=False)
@click.pass_obj
def projector(data: Path) -> None:
    """Write boots and machines as rows (a part of `run`)."""
    from netboot.daemons.projector import run_projector
    from netboot.daemons.supervisor import die_with_parent

    die_with_parent()
    run_projector(_opened(data, "projector"))


@click.command(cls=Verb, changes=False)
@click.pass_obj
def worker(data: Path) -> None:
    """Do queued jobs (a part of `run`)."""
    from netboot.daemons.supervisor import die_with_parent
    from netboot.daemons.worker import run_worker

    die_with_parent()
    run_worker(_opened(data, "worker"))


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


def _opened(data: Path, process: str) -> "Site":
    """The site, for a process of `run` that logs as the settings say."""
    from netboot.logs import configure_logs
    from netboot.site import Site

    site = Site.open(data)
    configure_logs(site.settings.log_format, process=process)
    return site


def address_of(interface: str) -> str:
    """The first IPv4 address of an interface. Raises InvalidInput with a hint."""
    from netboot.interfaces import ipv4_addresses

    if not interface:
        raise InvalidInput(
            "no network was named: neither an interface nor an address",
            hint="Use --interface eth0, or set `interface` in netboot.toml.",
        )
    return ipv4_addresses(interface)[0]
