"""The two Lab PE images, x86 and x64, and their drivers, for a site that has none.

The images are built and distributed without drivers. The catalog has the drivers, but they are
disabled: a new administrator sees a machine start offline, and fixes it. `python -m vm.defaults`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from netboot.daemons.supervisor import die_with_parent
from netboot.errors import InvalidInput, NetbootError, OperatorFault
from netboot.images.architecture import Architecture
from netboot.logs import configure_logs
from netboot.operations import remembered as facts
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.site import Site
from netboot.store.content.folder_lock import locked
from vm import labpe, prepared
from vm.labpe import LabPe
from vm.tools import refuse

ARCHITECTURES = (Architecture.X64, Architecture.X86)
COMMENT = (
    "Starts Linux instead of Windows PE, to try the site. Import a real Windows PE for real work."
)
LOCK = "lab-pe.lock"

Say = Callable[[str], None]


def provide_defaults(
    site: Site, lab: LabPe | None = None, *, adopt: bool = True, say: Say = print
) -> list[str]:
    """Import and build what is missing; returns the names of the images.

    Without `lab` it is built, if it is not in the cache. With `adopt` an image becomes the default
    of its architecture if there is none. The site remembers that it has had the images: a deleted
    image does not come back by itself. Raises OperatorFault, MissingTool.
    """
    lab = lab or labpe.ensure(say=say)
    with locked(site.data / LOCK):
        names = []
        for architecture in ARCHITECTURES:
            names.append(_provide_image(site, lab, architecture, adopt=adopt, say=say))
            say(f"Importing the drivers of the Lab PE for {architecture.value}")
            _provide_drivers(site, lab, architecture)
        facts.remember(site, facts.DEFAULTS_PROVIDED, {"at": time.time()})
    return names


def _provide_image(
    site: Site, lab: LabPe, architecture: Architecture, *, adopt: bool, say: Say
) -> str:
    """Import, build and serve; each step only if an interrupted attempt has not done it."""
    found = (v for v in images.list_images(site) if v.is_lab and v.architecture == architecture)
    view = next(found, None)
    if view is None:
        name = labpe.image_name(architecture)
        say(f"Importing {name}")
        view = images.import_image(
            site,
            lab.wim[architecture],
            name=name,
            architecture=architecture,
            comment=COMMENT,
            is_lab=True,
            adopt=adopt,
        )
    if view.current is None:
        say(f"Building {view.name}")
        versions.build_version(site, view.name)
    if view.served_version is None:
        say(f"Distributing {view.name}")
        points.update_distribution_points(site, view.name)
    return view.name


def _provide_drivers(site: Site, lab: LabPe, architecture: Architecture) -> None:
    folders = sorted((lab.folder / architecture.value / "drivers").iterdir())
    for folder in folders:
        report = driver_import.import_drivers(site, folder)
        for where, reason in report.refused:
            raise OperatorFault(f"the catalog rejected the Lab PE's driver {where}: {reason}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m vm.defaults", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder of the site")
    parser.add_argument("--prepared", action="store_true", help="from the file on standard input")
    parser.add_argument("--no-default", action="store_true", help="never the default image")
    parser.add_argument("--json-lines", action="store_true", help="print events, for the site")
    chosen = parser.parse_args(arguments)
    die_with_parent()
    tell = _tell if chosen.json_lines else _print
    try:
        site = Site.open(chosen.data)
        configure_logs(site.settings.log_format, process="Lab PE")

        def say(text: str) -> None:
            tell({"event": "step", "text": text})

        def checked(part: float, _stage: str) -> None:
            tell({"event": "step", "text": "Checking the prepared Lab PE", "part": part})

        taken = None
        if chosen.prepared:
            taken = prepared.take_in(sys.stdin.buffer, progress=checked)
        names = provide_defaults(site, taken, adopt=not chosen.no_default, say=say)
        tell({"event": "done", "images": names})
    except OperatorFault as fault:
        if not chosen.json_lines:
            return refuse(fault)
        unusable = isinstance(fault, InvalidInput)
        tell({"event": "failed", "reason": str(fault), "hint": fault.hint, "unusable": unusable})
        return 2
    except NetbootError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def _tell(event: dict[str, object]) -> None:
    print(json.dumps(event), flush=True)


def _print(event: dict[str, object]) -> None:
    if event["event"] == "step" and "part" not in event:
        print(f"  {event['text']}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
