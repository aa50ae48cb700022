"""`netboot web`, or `python -m web --data FOLDER`: the console of a site, until a signal."""

import argparse
import sys
from pathlib import Path

from netboot.daemons.starting.own_service import own_service
from netboot.errors import OperatorFault
from web.server import serve_web


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns 2 if the console cannot start."""
    parser = argparse.ArgumentParser(prog="python -m web", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the site's data folder")
    parser.add_argument("--address", default="", help="instead of the setting web_address")
    parser.add_argument("--port", type=int, default=0, help="instead of the setting web_port")
    chosen = parser.parse_args(arguments)
    try:
        with own_service(chosen.data, "web") as site:
            settings = site.settings
            address, port = chosen.address or settings.web_address, chosen.port or settings.web_port
            serve_web(site, address, port)
    except OperatorFault as fault:
        sys.stderr.write(f"netboot: {fault}\n" + (f"  -> {fault.hint}\n" if fault.hint else ""))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
