"""`python -m web --data DIR`: the administrators' page, as a process of its own."""

import argparse
import sys
from pathlib import Path

from netboot.cli import tell_fault
from netboot.errors import NetbootError
from netboot.site import Site
from netboot.supervisor import die_with_parent
from web.server import serve_web


def main(arguments: list[str]) -> int:
    """Serve the page of the site in `--data` until told to stop; an exit code."""
    parser = argparse.ArgumentParser(prog="python -m web", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder of the site")
    chosen = parser.parse_args(arguments)
    die_with_parent()
    try:
        site = Site.open(chosen.data)
        serve_web(site, site.settings.web_address, site.settings.web_port)
    except NetbootError as fault:
        return tell_fault(fault)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
