"""`netboot run`: prepares the site, starts its processes, prints the address of the page."""

import json
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from netboot.boot.networks import Network, place, serving_addresses, summary
from netboot.config import Settings, load_settings
from netboot.daemons.keep_at import keep_at
from netboot.daemons.starting import own_user
from netboot.daemons.starting.default_images import DefaultImages
from netboot.daemons.starting.network_wait import chosen, require
from netboot.daemons.starting.service_manager import service_manager
from netboot.daemons.supervisor import Child, Supervisor, answers
from netboot.errors import DatabaseFault, DiskFault, OperatorFault, PortTaken, sentence
from netboot.interfaces import read_host
from netboot.operations.extras import list_missing
from netboot.operations.site_making import clear_and_ready, publish_policy
from netboot.site import Site
from netboot.tls import certificate_of

LAB_ADDRESS = "10.77.0.2"
START_SECONDS = 60.0
BOOT_SERVICES = ("boot services", "boot files over HTTP")


def run_site(data: Path, interfaces: Sequence[str]) -> int:
    """Run the site in `data` until it is stopped; returns an exit code.

    Without `interfaces`, and without networks in the settings, it starts in lab mode: a private
    network with test machines. Root becomes the user that the data folder belongs to.
    """
    manager = service_manager()  # its messages are this process's, not the children's
    _become_user(data, interfaces)
    site = Site.open(data)
    lock = site.claim()
    try:
        networks = _networks(site, interfaces)
        _require_free(site)
        clear_and_ready(site, tuple(serving_addresses(networks)) or (LAB_ADDRESS,), _tell)
        preparation = Preparation(site)
        if not site.point.numbers():  # machines get nothing yet: they do not miss a short wait
            preparation.now()
        supervisor = Supervisor(_children(site, interfaces, networks), _tell)
        preparation.begin()
        with DefaultImages(site, _tell) as images:

            def started() -> None:
                _welcome(site, supervisor, networks, preparation)
                images.begin()
                manager.ready("the site is up")

            return supervisor.run(started)
    finally:
        manager.stopping()
        lock.release()


class Preparation:
    """What the start writes to the database and reads from it.

    On a site with published images the boot services do not wait for it: the database may be locked
    or away, and it is tried again until it answers.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self.token = ""
        self.trouble = ""
        self.fault: OperatorFault | None = None

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def now(self) -> None:
        """Raises OperatorFault if the database cannot be used."""
        self.token = publish_policy(self._site)
        self._over.set()

    def begin(self) -> None:
        """Go on in the background, if something is left to do."""
        if not self.is_over:
            threading.Thread(target=self._try, name="preparation", daemon=True).start()

    def _try(self) -> None:
        keep_at(self._step, self._over, what="start", trouble=self._note)

    def _step(self) -> float:
        try:
            self.now()
        except (DatabaseFault, DiskFault):
            raise  # tried again
        except OperatorFault as fault:
            self.fault = fault
            self._over.set()
        return 0.0

    def _note(self, text: str) -> None:
        self.trouble = text


def _become_user(data: Path, interfaces: Sequence[str]) -> None:
    """Leave root's rights, but for those of the sockets, and say as whom the site runs."""
    if data.is_dir() and not os.access(data, os.R_OK | os.X_OK):
        return  # opening the site names what is wrong
    settings = load_settings(data)
    rights = own_user.rights_of_port(settings.web_port)
    on_network = _is_on_network(settings, interfaces)
    if on_network:
        rights |= own_user.NETWORK
    became = own_user.enter(data, rights, lab=not on_network)
    if isinstance(became, own_user.Stays):
        _tell(f"Every part of this site runs as root: {became.reason}.")
        _tell(f"  -> {became.hint}")
    elif became is not None:
        what = "the boot services alone may open low ports" if on_network else "no part is root's"
        _tell(f"This site runs as the user {became.name}; {what}.")


def _is_on_network(settings: Settings, interfaces: Sequence[str]) -> bool:
    """Whether it serves real networks; else it starts in lab mode."""
    return bool(interfaces or settings.all_networks)


def _networks(site: Site, interfaces: Sequence[str]) -> tuple[Network, ...]:
    """The networks to serve; none in the lab. Raises InvalidInput where one is not there."""
    if not _is_on_network(site.settings, interfaces):
        return ()
    networks = place(chosen(site.settings, interfaces, ""), read_host())
    require(networks, every=not service_manager().is_there)
    return networks


def _require_free(site: Site) -> None:
    """Before anything is started: the lab would start for nothing."""
    address, port = site.settings.web_address, site.settings.web_port
    if answers(_reachable(address), port):
        from netboot.serve.port_holder import who_holds

        raise PortTaken(
            f"TCP port {port} of {address} is taken by {who_holds(port, protocol='tcp')}",
            hint="Stop that program, or choose another port: `netboot settings set web_port=8090`,"
            " or NETBOOT_WEB_PORT=8090.",
        )


def _reachable(address: str) -> str:
    """The local address that reaches what listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104  compared only


def _children(site: Site, interfaces: Sequence[str], networks: Sequence[Network]) -> list[Child]:
    netboot = [sys.executable, "-m", "netboot", "--data", str(site.data)]
    named = [word for interface in interfaces for word in ("--interface", interface)]
    named += [] if networks else ["--address", LAB_ADDRESS]
    boot, http = [*netboot, "boot", *named], [*netboot, "http", *named]
    page = [sys.executable, "-m", "web", "--data", str(site.data)]
    of_page = own_user.rights_of_port(site.settings.web_port)
    of_http = own_user.rights_of_port(site.settings.http_port)
    inner = [
        Child("page", own_user.with_rights(page, of_page)),
        Child("projector", own_user.with_rights([*netboot, "projector"], ())),
        Child("worker", own_user.with_rights([*netboot, "worker"], ())),
    ]
    if networks:
        return [
            Child(BOOT_SERVICES[0], own_user.with_rights(boot, own_user.NETWORK)),
            Child(BOOT_SERVICES[1], own_user.with_rights(http, of_http)),
            *inner,
            Child("lab", own_user.with_rights([*netboot, "lab"], ())),
        ]
    lab = [sys.executable, "-m", "vm.lab", "run", "--data", str(site.data)]
    lab += ["--boot-command", json.dumps([*boot, "--interface", "eth0"])]
    lab += ["--http-command", json.dumps(http)]
    return [Child("lab", own_user.with_rights(lab, own_user.LAB)), *inner]


def _welcome(
    site: Site,
    supervisor: Supervisor,
    networks: Sequence[Network],
    preparation: Preparation,
) -> None:
    """Say where the page is, once it answers. Raises OperatorFault if the site cannot work here."""
    port = site.settings.web_port
    host = _reachable(site.settings.web_address)
    # A service that cannot work here ends with its message, perhaps later than the page is up.
    supervisor.wait_until_ready(BOOT_SERVICES, seconds=START_SECONDS)
    up = supervisor.wait_until(lambda: answers(host, port), seconds=START_SECONDS)
    supervisor.wait_until(
        lambda: preparation.is_over or bool(preparation.trouble), seconds=START_SECONDS
    )
    if preparation.fault is not None:
        raise preparation.fault
    if preparation.trouble and not preparation.is_over:
        _tell(sentence(preparation.trouble))
        _tell("  -> Boot services run without it; it is tried again until it works.")
    if not up:
        if not supervisor.ending:
            _tell(f"The page does not answer on port {port} after {START_SECONDS:.0f} s.")
            _tell("  -> See its messages above. Boot services still run; Ctrl-C stops the site.")
        return
    certificate = certificate_of(site)
    own = f"http{'s' if certificate else ''}://{site.settings.web_address}:{port}"
    page = f"{site.settings.web_url or own}/"
    where = (
        f"serving {summary(networks)}"
        if networks
        else "in a lab (a private network; nothing on your LAN is touched)"
    )
    _tell(f"The site is up, {where}.")
    _tell(f"  Page         {page}")
    if site.settings.web_address in {"127.0.0.1", "::1", "localhost"} and not site.settings.web_url:
        own_name = socket.gethostname()
        _tell(
            f"  Elsewhere    ssh -L {port}:127.0.0.1:{port} {own_name}, then the same address there"
        )
    if certificate is not None and site.settings.tls == "self-signed":
        _tell(f"  Certificate  SHA-256 {certificate.fingerprint}")
    if preparation.token:
        _tell(
            f"  Set-up token {preparation.token}   (needed once, to make the first administrator)"
        )
        _tell("  Next         open the page, make the first administrator, follow Getting started.")
    else:
        _tell("  Next         open the page and sign in.")
    for lack in list_missing():
        _tell(f"  Missing      for {lack.what}: {', '.join(lack.packages)}")
    _tell("  Stop         Ctrl-C")


def _tell(text: str) -> None:
    with suppress(OSError):  # a log on a full disk, or a console that is gone
        click.echo(text)
        sys.stdout.flush()
