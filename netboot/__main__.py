"""`python -m netboot` is the command `netboot`."""

import sys

from netboot.cli import main

if __name__ == "__main__":
    sys.exit(main())
