"""`python -m web --data FOLDER` runs the console of a site until it receives a signal."""

import argparse
import sys
from pathlib import Path

from netboot.daemons.supervisor import die_with_parent
from netboot.errors import OperatorFault
from netboot.logs import configure_logs
from netboot.site import Site
from web.server import serve_web


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns 2 if the console cannot start."""
    parser = argparse.ArgumentParser(prog="python -m web", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the site's data folder")
    parser.add_argument("--address", default="", help="instead of the setting web_address")
    parser.add_argument("--port", type=int, default=0, help="instead of the setting web_port")
    chosen = parser.parse_args(arguments)
    die_with_parent()
    try:
        site = Site.open(chosen.data)
        settings = site.settings
        configure_logs(settings.log_format, process="web")
        serve_web(site, chosen.address or settings.web_address, chosen.port or settings.web_port)
    except OperatorFault as fault:
        sys.stderr.write(f"error: {fault}\n" + (f"hint: {fault.hint}\n" if fault.hint else ""))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
