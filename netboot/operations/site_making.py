"""A new site, and what must be in order before any of its processes starts.

It needs neither network nor compiler, and takes seconds: images come later.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from netboot.boot.networks import place, serving_addresses
from netboot.errors import MissingTool
from netboot.interfaces import read_host
from netboot.operations.accounts import accounts
from netboot.operations.deployments import deployments
from netboot.operations.extras import Lack, list_missing
from netboot.site import Site, holds_site
from netboot.store.media.boot_programs import ready_programs


@dataclass(frozen=True, slots=True)
class MadeSite:
    """A site that can be started.

    `is_new` says that the folder held none. `setup_token` makes the first administrator; it is
    empty if there is one, or if none was asked for. `missing` is what cannot be done here yet,
    `notes` what else the administrator should know.
    """

    data: Path
    is_new: bool
    setup_token: str
    missing: tuple[Lack, ...]
    notes: tuple[str, ...] = ()


def create_site(data: Path, *, with_token: bool = True) -> MadeSite:
    """Make a site in `data` without starting it; one that is there is made ready for its start.

    Raises SiteAlreadyRunning, NotPermitted, InvalidInput, DatabaseFault, DiskFault.
    """
    is_new = not data.is_dir() or not holds_site(data)
    site = Site.open(data)
    lock = site.claim()
    notes: list[str] = []
    try:
        missing = list_missing()
        try:
            clear_and_ready(site, known_addresses(site), notes.append)
        except MissingTool as fault:  # the boot services refuse to start without
            missing = (Lack(f"booting machines: {fault}", ("ipxe",)), *missing)
        token = publish_policy(site, with_token=with_token)
        assert site.secret
        return MadeSite(site.data, is_new, token, missing, tuple(notes))
    finally:
        lock.release()


def known_addresses(site: Site) -> tuple[str, ...]:
    """The addresses that machines load from, as far as settings and host say them now."""
    wanted = site.settings.all_networks
    served = serving_addresses(place(wanted, read_host())) if wanted else {}
    return tuple(dict.fromkeys((*served, *(one.address for one in wanted if one.address))))


def clear_and_ready(site: Site, addresses: Collection[str], tell: Callable[[str], None]) -> None:
    """Delete what killed processes left, and put the boot programs on the distribution point.

    Only with the site's lock. Raises MissingTool, DiskFault.
    """
    site.blobs.clear_staging()
    site.point.blobs.clear_staging()
    site.clear_parts()
    ready_programs(site.point, site.settings.programs, addresses, tell)


def publish_policy(site: Site, *, with_token: bool = True) -> str:
    """Hand the policy to the point, in case the last change was interrupted.

    Returns a set-up token if there is no administrator. Raises DatabaseFault, DiskFault.
    """
    deployments.publish(site)
    wanted = accounts.setup_needed(site) and with_token
    return accounts.issue_setup_token(site) if wanted else ""
