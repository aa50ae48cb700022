"""Packages for machines' own disks: a script behind a link that works once."""

import time
from dataclasses import dataclass

from netboot.boot.files.ipxe_script import KERNEL_ARGUMENTS
from netboot.boot.files.names import version_path
from netboot.errors import InvalidInput, OperatorFault
from netboot.images.boot_image.description import ImageFacts
from netboot.images.media.disk_package import DiskPackage, System, check_system
from netboot.images.media.plan import LOADERS
from netboot.operations.media.media import find_version, home_of
from netboot.pe_reports import ReportTokens
from netboot.site import Site
from netboot.store.content.one_time_links import Ticket, Tickets
from netboot.store.images.rows import find_image
from netboot.store.media.disk_scripts import make_package

LONGEST_HOURS = 24
"""A superseded version stays on the point for a day; a link must not outlive it."""


@dataclass(frozen=True, slots=True)
class PackageLink:
    """A link that works once until `until` (epoch seconds), and the commands for the machine."""

    label: str
    system: System
    url: str
    file_name: str
    until: float
    commands: tuple[str, ...]


def make_link(
    site: Site, image: str, number: int, *, system: System, home: str = "site", hours: int = 1
) -> PackageLink:
    """A link to the package of a version that the distribution point holds.

    `home` is the address of the site's boot files, or `site` for its own. Raises InvalidInput,
    NotFound, or OperatorFault for a version that is not on the point.
    """
    if not 1 <= hours <= LONGEST_HOURS:
        raise InvalidInput(f"a link is valid for 1 to {LONGEST_HOURS} hours, not {hours}")
    address = home_of(site, home)
    version = find_version(site, image, number)
    if (version.image, version.number) not in site.point.load().kept:
        raise OperatorFault(
            f"{version.label} is not on the distribution point, so no machine can fetch it",
            hint=f'Update it first: netboot points update "{version.image}"',
        )
    check_system(version, system)
    with site.database.transaction() as session:
        facts = ImageFacts.from_json(find_image(session, version.image).facts)
    token = ReportTokens(site.secret).issue_lasting(version, "package")
    package = DiskPackage(
        version=version,
        system=system,
        base=address + version_path(version).rstrip("/"),
        arguments=f"{KERNEL_ARGUMENTS} labpe.report={address}/report/{token}",
        loaders=(facts.loader(".exe") or LOADERS[0], facts.loader(".efi") or LOADERS[1]),
    )
    made = make_package(package)
    now = time.time()
    until = now + hours * 3600
    ticket = Ticket(made.name, made.kind, made.data, (version.image, version.number))
    url = f"{address}/package/{Tickets(site.point.root).issue(ticket, now=now, until=until)}"
    return PackageLink(version.label, system, url, made.name, until, _commands(system, url))


def _commands(system: System, url: str) -> tuple[str, ...]:
    if system is System.LINUX:
        return (f"curl -fsS -o netboot-disk.sh {url}", "sudo sh netboot-disk.sh install")
    # In Windows PowerShell, `curl` without .exe is an alias of Invoke-WebRequest.
    return (
        f"curl.exe -fsS -o netboot-disk.zip {url}",
        "powershell -Command Expand-Archive netboot-disk.zip netboot-disk",
        r"powershell -ExecutionPolicy Bypass -File netboot-disk\netboot-disk.ps1 install",
    )
