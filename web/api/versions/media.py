"""Boot media and local disk packages over the API."""

from flask import Response
from pydantic import Field

from netboot.images.media.disk_package import System
from netboot.images.media.request import LARGEST_DISK, DiskFormat, MediaKind, MediaOrder
from netboot.operations.media import disk_packages
from netboot.operations.media import media as operations
from netboot.operations.media.disk_packages import LONGEST_HOURS
from netboot.secret import Secret
from web.api.jobs import Accepted, accepted
from web.api.subject import LARGEST_NUMBER, Listed, NumberPath, Order, Page, Subject, Value, page_of
from web.guard.access import Role, site
from web.pages.versions.version import medium_response

media = Subject("media", "Boot media of versions, and packages for local disks.")


class CarriedVersion(Value):
    """A version on a medium; `wim` is the digest of its boot.wim, the same as on the network."""

    image: str
    number: int
    architecture: str
    wim: str


class Medium(Value):
    """A boot medium; its content is at `/api/v1/media/{number}/file`."""

    id: int
    kind: str
    format: str
    label: str
    file_name: str
    digest: str
    size: int
    firmware: list[str] = Field(description="Supported firmware: `bios`, `uefi-x64`, …")
    expires: str
    has_password: bool
    home: str
    created_at: float
    carried: list[CarriedVersion]


class MediaSearch(Page):
    """Which boot media to return."""

    image: str = Field("", max_length=100, description="Only media of this boot image.")


class WantedVersion(Order):
    """A version to put on the medium."""

    image: str = Field(min_length=1, max_length=100)
    number: int = Field(0, ge=0, le=LARGEST_NUMBER, description="0 for the newest.")


class NewMedium(Order):
    """A new medium of one version, or of two with different architectures."""

    versions: list[WantedVersion] = Field(min_length=1, max_length=2)
    kind: MediaKind
    format: DiskFormat = DiskFormat.RAW
    label: str = Field("NETBOOT", max_length=32)
    expires: str = Field("", max_length=10, description="A date, for example 2027-03-31.")
    password: Secret | None = Field(
        None, description="Password that the medium asks for at each start."
    )
    home: str = Field("", max_length=200, description="Report address, or `site`.")
    size: int = Field(
        0, ge=0, le=LARGEST_DISK, description="Size of a disk image in bytes; 0 for the minimum."
    )


class NewPackage(Order):
    """A package that one machine installs on its own disk."""

    image: str = Field(min_length=1, max_length=100)
    number: int = Field(0, ge=0, le=LARGEST_NUMBER, description="0 for the newest.")
    system: System
    home: str = Field("site", max_length=200)
    hours: int = Field(1, ge=1, le=LONGEST_HOURS, description="Hours until the link expires.")


class PackageLink(Value):
    """A one-time link, valid until `until` (epoch seconds), and the commands to run."""

    label: str
    system: System
    url: str
    file_name: str
    until: float
    commands: list[str]


@media.verb("GET", "", needs=Role.VIEWER)
def list_media(query: MediaSearch) -> Listed[Medium]:
    """List boot media, newest first."""
    return page_of(Medium, operations.list_media(site(), query.image), query)


@media.verb("POST", "", needs=Role.OPERATOR, status=202, action="build_media")
def build_media(body: NewMedium) -> Accepted:
    """Create a boot medium."""
    password = body.password.get_secret_value() if body.password else ""
    order = MediaOrder(
        kind=body.kind,
        format=body.format,
        label=body.label.upper() or "NETBOOT",
        expires=body.expires,
        password_hash=operations.hashed(password),
        home=operations.home_of(site(), body.home),
        size=body.size,
    )
    wanted = [(one.image, one.number) for one in body.versions]
    return accepted(operations.ask_media(site(), order, wanted))


@media.verb("GET", "/<int:number>", needs=Role.VIEWER)
def get_medium(path: NumberPath) -> Medium:
    """Get a boot medium."""
    return Medium.of(operations.get_medium(site(), path.number))


@media.verb(
    "GET",
    "/<int:number>/file",
    needs=Role.OPERATOR,
    action="download",
    gives_file="application/octet-stream",
)
def download_medium(path: NumberPath) -> Response:
    """Download a boot medium, whole or in ranges. It may contain a token."""
    return medium_response(path.number)


@media.verb("DELETE", "/<int:number>", needs=Role.OPERATOR, action="delete_medium")
def delete_medium(path: NumberPath) -> None:
    """Delete a boot medium."""
    operations.delete_medium(site(), path.number)


@media.verb(
    "POST", "/packages", needs=Role.OPERATOR, status=201, action="make_package", gives_secret=True
)
def make_package(body: NewPackage) -> PackageLink:
    """Create a link to copy a version to one machine's disk. It is shown only once."""
    link = disk_packages.make_link(
        site(), body.image, body.number, system=body.system, home=body.home, hours=body.hours
    )
    return PackageLink.of(link)
