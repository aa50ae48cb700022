"""The boot programs on the distribution point, for the addresses that machines load from.

The boot services call it, so nothing of the database is imported here.
"""

from collections.abc import Collection

from netboot.site import Site
from netboot.store.media.boot_programs import made_for, prepare_programs


def programs_for(site: Site, addresses: Collection[str]) -> None:
    """Make the boot programs again if those on the point are missing, or of other addresses.

    Raises MissingTool, DiskFault.
    """
    made = made_for(site.point)
    if made is None or not set(addresses) <= set(made):
        prepare_programs(site.point, site.settings.programs, *addresses)
