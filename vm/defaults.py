"""The two default images, x86 and x64, and their drivers, for a site that has none yet.

The images are built and distributed without drivers. The catalog has the drivers, but they are
disabled: a new administrator sees a machine start offline, and fixes it. `python -m vm.defaults`.
"""

import argparse
import sys
import time
from pathlib import Path

from netboot.daemons.supervisor import die_with_parent
from netboot.errors import NetbootError, OperatorFault
from netboot.images.architecture import Architecture
from netboot.operations import remembered as facts
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.site import Site
from vm import labpe
from vm.labpe import LabPe
from vm.tools import refuse

ARCHITECTURES = (Architecture.X64, Architecture.X86)
COMMENT = (
    "Starts Linux instead of Windows PE, to try the site. Import a real Windows PE for real work."
)


def provide_defaults(site: Site) -> None:
    """Import and build what is missing.

    The site remembers that it has had the images: a deleted image does not come back.
    """
    lab = labpe.ensure(say=_say)
    for architecture in ARCHITECTURES:
        _provide_image(site, lab, architecture)
        _provide_drivers(site, lab, architecture)
    facts.remember(site, facts.DEFAULTS_PROVIDED, {"at": time.time()})


def _provide_image(site: Site, lab: LabPe, architecture: Architecture) -> None:
    """Import, build and serve; each step only if an interrupted attempt has not done it."""
    name = labpe.image_name(architecture)
    view = next((view for view in images.list_images(site) if view.name == name), None)
    if view is None:
        _say(f"Importing {name}")
        wim = lab.wim[architecture]
        view = images.import_image(
            site, wim, name=name, architecture=architecture, comment=COMMENT, is_lab=True
        )
    if view.current is None:
        versions.build_version(site, name)
    if view.served_version is None:
        points.update_distribution_points(site, name)


def _provide_drivers(site: Site, lab: LabPe, architecture: Architecture) -> None:
    for driver in lab.drivers:
        folder = lab.driver_folder(driver, architecture)
        report = driver_import.import_drivers(site, folder)
        for where, reason in report.refused:
            raise OperatorFault(f"the catalog rejected the Lab PE's driver {where}: {reason}")


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m vm.defaults", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder of the site")
    chosen = parser.parse_args(arguments)
    die_with_parent()
    try:
        provide_defaults(Site.open(chosen.data))
    except OperatorFault as fault:
        return refuse(fault)
    except NetbootError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
