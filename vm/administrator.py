"""An administrator at the command line: the commands that a person types, in the same order."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from vm.labpe import LabPe, image_name


class Administrator:
    """Works on the site in `data`, with `netboot` commands only."""

    def __init__(self, data: Path, lab: LabPe) -> None:
        self.data = data
        self._lab = lab

    def provide_defaults(self) -> None:
        """Build and distribute the two Lab PE images without any driver."""
        self._run([sys.executable, "-m", "vm.defaults", "--data", str(self.data)])

    def add_driver(self, architecture: Architecture, package: str) -> None:
        folder = self._lab.driver_folder(package, architecture)
        self.netboot("driver", "import", str(folder))
        digest = self._digest(package, architecture)
        self.netboot("driver", "enable", digest)
        self.netboot("image", "add-driver", image_name(architecture), digest)

    def prefer(self, architecture: Architecture, chain: str) -> None:
        """Choose the boot chain of the default image, then build and distribute a version."""
        image = image_name(architecture)
        self.netboot("image", "chain", image, "--bios", chain, "--uefi", chain)
        self.build(architecture)
        self.update_points(architecture)

    def assign(self, architecture: Architecture, mac: str) -> None:
        self.netboot("deployment", "set", mac, image_name(architecture))

    def build(self, architecture: Architecture) -> int:
        self.netboot("image", "build", image_name(architecture))
        return int(self._image(architecture)["current"])

    def update_points(self, architecture: Architecture) -> None:
        self.netboot("points", "update", image_name(architecture))

    def served(self, architecture: Architecture) -> int:
        return int(self._image(architecture)["served"])

    def netboot(self, *words: str) -> str:
        """What a `netboot` command prints. Raises OperatorFault."""
        return self._run([sys.executable, "-m", "netboot", "--data", str(self.data), *words])

    def _image(self, architecture: Architecture) -> dict[str, Any]:
        images: list[dict[str, Any]] = json.loads(self.netboot("image", "list", "--json"))
        return next(image for image in images if image["name"] == image_name(architecture))

    def _digest(self, package: str, architecture: Architecture) -> str:
        drivers: list[dict[str, Any]] = json.loads(
            self.netboot("driver", "list", "--json", "--architecture", architecture.value)
        )
        return str(next(driver["digest"] for driver in drivers if driver["name"] == package))

    def _run(self, argv: list[str]) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperatorFault(
                f"{' '.join(argv[2:])} ended with {done.returncode}: {done.stderr.strip()[-800:]}"
            )
        return done.stdout
