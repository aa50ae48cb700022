"""`python -m vm.lab run`: boot services and test machines in a private network.

`netboot run` starts it when no interface is given; then its boot services are those of the site. On
a site that serves a real network vm.standby starts it when a test machine is asked for, with boot
services of its own. It creates the private network with an ordinary DHCP server, runs the boot
services in the `srv` namespace (10.77.0.2), and boots test machines on request (see
vm.door.server). It touches no real network. All of it ends with this process.
"""

import argparse
import functools
import json
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from netboot.daemons.supervisor import Child, Supervisor, die_with_parent
from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from netboot.logs import configure_logs
from netboot.site import Site
from vm import labpe, prepared
from vm.door.server import READY, SOCKET_NAME, LabServer
from vm.machine.accel import choose_accelerator
from vm.machine.firmware import FirmwareKind, emulator_of
from vm.network.lab_network import SRV, LabNetwork
from vm.reports import JournalReports
from vm.tools import refuse

START_SECONDS = 60.0

_ACCELERATOR_LOCK = threading.Lock()


def main(arguments: list[str]) -> int:
    """Run until a signal stops it. Exit code 2 if the administrator must do something."""
    chosen = _parser().parse_args(arguments)
    die_with_parent()
    try:
        return run_lab(
            chosen.data,
            boot=chosen.boot_command,
            http=chosen.http_command,
            socket=chosen.socket,
        )
    except OperatorFault as fault:
        return refuse(fault)


def run_lab(data: Path, *, boot: list[str], http: list[str], socket: Path | None = None) -> int:
    """The lab of the site in `data`; its exit code. Raises NotPermitted, MissingTool.

    Requests come to `socket`, or to that of the site. READY is printed when machines can boot.
    """
    site = Site.open(data)
    site.point.end_trials()
    configure_logs(site.settings.log_format, process="lab")
    with (
        LabNetwork(site.data / "lab") as network,
        LabServer(
            network,
            socket or site.data / SOCKET_NAME,
            reports=lambda: JournalReports(site.journal),
            accelerator=accelerator_for,
            pin=functools.partial(pinned, site),
        ),
    ):
        children = [
            Child("boot services", network.command_in(SRV, boot)),
            Child("boot files over HTTP", network.command_in(SRV, http)),
        ]
        supervisor = Supervisor(children, functools.partial(print, flush=True))
        names = [child.name for child in children]

        def started() -> None:
            if supervisor.wait_until_ready(names, seconds=START_SECONDS):
                print(READY, flush=True)

        return supervisor.run(started)


@contextmanager
def pinned(site: Site, macs: Collection[str], image: str) -> Iterator[None]:
    """Inside, these machines get this image, whatever they are assigned and whatever is default."""
    site.point.try_image(macs, image)
    try:
        yield
    finally:
        site.point.try_image(macs, "")


def accelerator_for(firmware: FirmwareKind) -> str:
    """The accelerator for this kind of machine; tried only once."""
    with _ACCELERATOR_LOCK:
        return _accelerator(emulator_of(firmware), firmware.architecture)


@functools.cache
def _accelerator(emulator: str, architecture: Architecture) -> str:
    def kernel() -> Path | None:
        built = prepared.any_build()
        return built.kernel[architecture] if built else None

    cache = labpe.cache_folder().parent / "accelerator.json"
    return choose_accelerator(kernel, cache, emulator=emulator)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vm.lab", description=__doc__)
    run = parser.add_subparsers(required=True).add_parser("run", help="run the lab")
    run.add_argument("--data", type=Path, required=True, help="the site's data folder")
    run.add_argument("--socket", type=Path, help="where requests come, if not at the site's socket")
    for name, what in (("boot", "proxyDHCP and TFTP"), ("http", "boot files over HTTP")):
        run.add_argument(
            f"--{name}-command",
            type=_argv,
            required=True,
            help=f"command that serves {what}: a JSON list of words",
        )
    return parser


def _argv(text: str) -> list[str]:
    words = json.loads(text)
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise argparse.ArgumentTypeError("not a JSON list of words")
    return words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
