"""`python -m netboot` is the command `netboot`."""

import sys

from netboot.cli import main

sys.exit(main())
