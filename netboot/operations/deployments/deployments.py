"""Which machine gets which image: defaults by architecture, deployments by MAC address.

Both refer to an image by name, not to a version, so an update of an image changes no row here.
Every change is published to the distribution point at once.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import COMMENT_LIMIT
from netboot.protocols.mac import require_mac
from netboot.site import Site
from netboot.store.database.records import DefaultImageRow, DeploymentRow
from netboot.store.images.rows import find_image


@dataclass(frozen=True, slots=True)
class Deployment:
    """A machine that gets a certain image."""

    mac: str
    image: str
    comment: str


@dataclass(frozen=True, slots=True)
class Decided:
    """An image's name by architecture, and the deployments by MAC address."""

    defaults: Mapping[Architecture, str]
    deployments: Mapping[str, Deployment]


def decided(site: Site, macs: Collection[str] | None = None) -> Decided:
    """All that is decided now, or all that these machines are concerned with."""
    with site.database.transaction() as session:
        return decided_in(session, macs)


def decided_in(session: Session, macs: Collection[str] | None = None) -> Decided:
    """All that is decided, within a transaction; `macs` as for `decided`."""
    made = select(DeploymentRow.mac, DeploymentRow.image_name, DeploymentRow.comment)
    if macs is not None:
        made = made.where(DeploymentRow.mac.in_(macs))
    deployments = [Deployment(*row) for row in session.execute(made.order_by(DeploymentRow.mac))]
    by_mac = {one.mac: one for one in deployments}
    return Decided(MappingProxyType(defaults_in(session)), MappingProxyType(by_mac))


def defaults(site: Site) -> dict[Architecture, str]:
    """The image's name for each architecture that has one."""
    with site.database.transaction() as session:
        return defaults_in(session)


def defaults_in(session: Session) -> dict[Architecture, str]:
    """As `defaults`, within a transaction."""
    usual = select(DefaultImageRow.architecture, DefaultImageRow.image_name)
    return {Architecture(key): name for key, name in session.execute(usual)}


def set_default(site: Site, image: str, architecture: Architecture) -> None:
    with site.database.writing() as session:
        session.merge(DefaultImageRow(architecture=architecture.value, image_name=image))
    publish(site)


def adopt(site: Site, image: str, architecture: Architecture) -> None:
    """Make a new image the default of its architecture if there is none yet."""
    if architecture not in defaults(site):
        set_default(site, image, architecture)


def drop(site: Site, image: str) -> None:
    """Remove a deleted image from the defaults."""
    with site.database.writing() as session:
        for row in session.scalars(
            select(DefaultImageRow).where(DefaultImageRow.image_name == image)
        ):
            session.delete(row)
    publish(site)


def deployments(site: Site) -> list[Deployment]:
    """All deployments, by MAC address."""
    return list(decided(site).deployments.values())


def assigned_counts(site: Site) -> dict[str, int]:
    """For each image that is assigned to machines, their number: counted, not read."""
    counted = select(DeploymentRow.image_name, func.count()).group_by(DeploymentRow.image_name)
    with site.database.transaction() as session:
        return dict(session.execute(counted).all())


def deploy(site: Site, mac: str, image: str, *, comment: str = "") -> Deployment:
    """Assign an image to a machine. Raises InvalidInput, NotFound."""
    return deploy_all(site, (mac,), image, comment=comment)[0]


def deploy_all(
    site: Site, macs: Sequence[str], image: str, *, comment: str = ""
) -> list[Deployment]:
    """Assign an image to machines: to all of them, or to none. Raises InvalidInput, NotFound."""
    wanted = [require_mac(mac) for mac in macs]
    if len(comment) > COMMENT_LIMIT:
        raise InvalidInput(f"a comment has at most {COMMENT_LIMIT} characters")
    with site.database.writing() as session:
        name = find_image(session, image).name
        for mac in wanted:
            session.merge(
                DeploymentRow(mac=mac, image_name=name, comment=comment, changed_at=time.time())
            )
    publish(site)
    return [Deployment(mac, name, comment) for mac in wanted]


def withdraw(site: Site, mac: str) -> None:
    """Let a machine get the default image again. Raises NotFound."""
    mac = require_mac(mac)
    with site.database.writing() as session:
        row = session.get(DeploymentRow, mac)
        if row is None:
            raise NotFound(f"no image is assigned to {mac}")
        session.delete(row)
    publish(site)


def publish(site: Site) -> None:
    """Publish defaults and deployments to the distribution point."""
    site.point.publish_policy(
        lambda: (defaults(site), {made.mac: made.image for made in deployments(site)})
    )
