"""`netboot run`: makes the site ready, starts its processes, says where the page is."""

import json
import subprocess
import sys
from pathlib import Path

import click

from netboot.errors import OperatorFault, PortTaken
from netboot.interfaces import ipv4_addresses
from netboot.operations import accounts
from netboot.site import Site
from netboot.store.boot_programs import prepare_programs
from netboot.supervisor import Child, Supervisor, answers

LAB_ADDRESS = "10.77.0.2"
START_SECONDS = 60.0


def run_site(data: Path, interface: str) -> int:
    """Run the site in `data` until it is stopped; its exit code.

    Without `interface` it starts in lab mode: a private network with test machines.
    """
    site = Site.open(data)
    lock = site.claim()
    try:
        interface = interface or site.settings.interface
        address = _address(site, interface)
        _require_free(site)
        site.blobs.clear_staging()
        site.point.blobs.clear_staging()
        prepare_programs(site.point, site.settings.programs, address)
        _provide_default_images(site)
        token = accounts.issue_setup_token(site) if accounts.setup_needed(site) else ""
        supervisor = Supervisor(_children(site, interface, address), _tell)
        return supervisor.run(lambda: _welcome(site, supervisor, interface, address, token))
    finally:
        lock.release()


def _address(site: Site, interface: str) -> str:
    if not interface:
        return LAB_ADDRESS
    return site.settings.address or ipv4_addresses(interface)[0]


def _require_free(site: Site) -> None:
    """Look before anything is started: a page that cannot open should not cost a lab."""
    address, port = site.settings.web_address, site.settings.web_port
    if answers("127.0.0.1" if address == "0.0.0.0" else address, port):  # noqa: S104
        from netboot.serve.port_holder import who_holds

        raise PortTaken(
            f"TCP port {port} of {address} is taken by {who_holds(port, protocol='tcp')}",
            hint="Stop that program, or choose another port: NETBOOT_WEB_PORT=8090 make run",
        )


def _provide_default_images(site: Site) -> None:
    """The two default images, x86 and x64, for a site that has none yet."""
    from netboot.operations.images import list_images

    if list_images(site):
        return
    click.echo("First start: building the Lab PE images (x64 and x86); this takes a minute or two.")
    command = [sys.executable, "-m", "vm.defaults", "--data", str(site.data)]
    if subprocess.run(command, check=False).returncode != 0:
        raise OperatorFault(
            "the default images could not be made",
            hint="The reason stands above. Mend it and start again; what was made is kept.",
        )


def _children(site: Site, interface: str, address: str) -> list[Child]:
    netboot = [sys.executable, "-m", "netboot", "--data", str(site.data)]
    boot = [*netboot, "boot", "--address", address]
    http = [*netboot, "http", "--address", address]
    web = Child("page", [sys.executable, "-m", "web", "--data", str(site.data)])
    worker = Child("worker", [*netboot, "worker"])
    if interface:
        return [
            Child("boot services", [*boot, "--interface", interface]),
            Child("boot files over HTTP", http),
            web,
            worker,
        ]
    lab = [sys.executable, "-m", "vm.lab", "run", "--data", str(site.data)]
    lab += ["--netd-command", json.dumps([*boot, "--interface", "eth0"])]
    lab += ["--http-command", json.dumps(http)]
    return [Child("lab", lab), web, worker]


def _welcome(site: Site, supervisor: Supervisor, interface: str, address: str, token: str) -> None:
    port = site.settings.web_port
    ready = supervisor.wait_until(
        lambda: answers(site.settings.web_address, port), seconds=START_SECONDS
    )
    if not ready:
        return
    page = f"http://{site.settings.web_address}:{port}/"
    where = (
        f"serving the network behind {interface} as {address}"
        if interface
        else "in a lab of its own (a private network; nothing on your LAN is touched)"
    )
    _tell(f"The site is up, {where}.")
    _tell(f"  Page         {page}")
    if token:
        _tell(f"  Set-up token {token}   (asked for once, when you make the first administrator)")
        _tell("  Next         open the page, make the first administrator, follow First steps.")
    else:
        _tell("  Next         open the page and sign in.")
    _tell("  Stop         Ctrl-C")


def _tell(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()
