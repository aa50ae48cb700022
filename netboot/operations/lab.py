"""The lab: a private network where test machines boot from this site."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netboot.errors import NotFound, OperatorFault
from netboot.site import Site

FIRMWARES = (
    ("bios-x64", "BIOS, 64-bit"),
    ("bios-x86", "BIOS, 32-bit"),
    ("uefi-x64", "UEFI, 64-bit"),
    ("uefi-ia32", "UEFI, 32-bit"),
)
NICS = (
    ("e1000", "Intel 82540EM (e1000)"),
    ("e1000e", "Intel 82574L (e1000e)"),
    ("rtl8139", "Realtek RTL8139C+"),
    ("virtio-net-pci", "Virtio (netkvm)"),
    ("vmxnet3", "VMware vmxnet3"),
    ("pcnet", "AMD PCnet"),
)
SOCKET = "lab.sock"


@dataclass(frozen=True, slots=True)
class LabView:
    """Whether test machines can be booted here, and which."""

    available: bool
    reason: str
    firmwares: tuple[tuple[str, str], ...]
    nics: tuple[tuple[str, str], ...]
    server_address: str


def lab_status(site: Site) -> LabView:
    """The lab as the page shows it."""
    try:
        with _connect(site):
            reason = ""
    except OperatorFault as fault:
        reason = f"{fault} {fault.hint}".strip()
    return LabView(not reason, reason, FIRMWARES, NICS, site.settings.address)


def boot_machine(site: Site, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Start a test machine; what it does, event by event, until `done` or `failed`.

    Raises NotFound where no lab runs, OperatorFault when the lab ends in the middle.
    """
    with _connect(site) as lab, lab.makefile("rwb") as stream:
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        for line in stream:
            event: dict[str, Any] = json.loads(line)
            yield event
            if event.get("event") in {"done", "failed"}:
                return
    raise OperatorFault("the lab ended before the test machine did", hint="Is the site stopping?")


def _connect(site: Site) -> socket.socket:
    path = site.data / SOCKET
    lab = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lab.connect(str(path))
    except OSError as fault:
        lab.close()
        raise NotFound(
            "no lab runs beside this site.",
            hint="`make run` without INTERFACE starts one; a site on a real network has none.",
        ) from fault
    return lab
