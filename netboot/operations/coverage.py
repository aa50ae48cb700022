"""Coverage: which machines an image will bring up, told before anything boots."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.images.coverage import (
    LAB_PE_INBOX,
    WINDOWS_PE_INBOX,
    Coverage,
    cover,
    inbox,
    wanted_ids,
)
from netboot.images.driver import Driver
from netboot.images.matching import NEWEST, DriverIndex
from netboot.operations import images
from netboot.operations.images import ImageView
from netboot.operations.machines import KnownMachine, list_machines
from netboot.site import Site
from netboot.store.catalog_rows import load_drivers
from netboot.store.records import DriverRow, HardwareIdRow

IDS_IN_A_QUERY = 500


def coverage(site: Site, image: str) -> Coverage:
    """An image's recipe against all machines that would get it. Raises NotFound."""
    view = images.get_image(site, image)
    known = list_machines(site, image=view.name)
    return _cover(site, view, known)


def fix(site: Site, image: str, *drivers: str) -> ImageView:
    """Enable drivers of the catalog if need be, and add them to the image's recipe.

    Raises what add_drivers raises.
    """
    return images.add_drivers(site, image, drivers, enable=True)


def _cover(site: Site, view: ImageView, known: list[KnownMachine]) -> Coverage:
    build = view.facts.build or NEWEST
    machines = [machine.as_machine() for machine in known]
    own = LAB_PE_INBOX if view.is_lab else WINDOWS_PE_INBOX
    with site.database.transaction() as session:
        offers = _claiming(session, sorted(wanted_ids(machines, build)))
    return cover(
        view.drivers,
        machines,
        architecture=view.architecture,
        build=build,
        inside=(inbox(own, view.architecture),),
        catalog=DriverIndex(offers),
    )


def _claiming(session: Session, ids: list[str]) -> list[Driver]:
    """The catalog's drivers that claim any of these ids."""
    numbers: set[int] = set()
    for at in range(0, len(ids), IDS_IN_A_QUERY):
        part = ids[at : at + IDS_IN_A_QUERY]
        query = select(HardwareIdRow.driver_id).where(HardwareIdRow.hardware_id.in_(part))
        numbers.update(session.scalars(query.distinct()))
    return load_drivers(session, DriverRow.id.in_(numbers))
