"""`python -m vm.labpe build|paths`: build the Lab PE, or print its paths."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from netboot.errors import NotFound, OperatorFault
from vm import labpe
from vm.labpe import LabPe
from vm.labpe.build import ARCHITECTURES


def main(argv: list[str]) -> int:
    """Exit code 0, or 2 with a message if the administrator must do something."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "build":
            found = labpe.ensure(refresh=arguments.refresh)
            if arguments.out is not None:
                found = _copied(found, arguments.out)
        else:
            found = _existing()
    except OperatorFault as fault:
        print(f"error: {fault}", file=sys.stderr)
        if fault.hint:
            print(f"hint: {fault.hint}", file=sys.stderr)
        return 2
    if arguments.command == "paths" and arguments.json:
        print(json.dumps(_described(found), indent=2))
    else:
        for path in found.wim.values():
            print(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vm.labpe", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build it if it is not in the cache")
    build.add_argument("--out", type=Path, help="also copy the build to this folder")
    build.add_argument("--refresh", action="store_true", help="look for newer Debian packages")
    paths = commands.add_parser("paths", help="print where the build is")
    paths.add_argument("--json", action="store_true", help="all paths, for programs")
    return parser


def _existing() -> LabPe:
    found = labpe.find()
    if found is None:
        raise NotFound("the Lab PE is not built yet", hint="Run `python -m vm.labpe build`.")
    return found


def _copied(found: LabPe, out: Path) -> LabPe:
    shutil.copytree(found.folder, out, dirs_exist_ok=True)
    return LabPe(out)


def _described(found: LabPe) -> dict[str, object]:
    return {
        architecture.value: {
            "wim": str(found.wim[architecture]),
            "kernel": str(found.kernel[architecture]),
            "initrd": str(found.initrd[architecture]),
            "drivers": {
                name: str(found.driver_folder(name, architecture)) for name in found.drivers
            },
        }
        for architecture in ARCHITECTURES
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
