"""The lab: a private network where test machines boot from this site.

It is the network that a site without an interface serves, or a network next to the one that it
serves, which is made for the time of the tests.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netboot.errors import (
    InvalidInput,
    NotFound,
    OperatorFault,
    WrongArchitecture,
    explained,
    sentence,
)
from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations.images.view import ImageView, get_image
from netboot.operations.jobs import JobKind
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
MEMORY_SIZES = (512, 1024, 2048)
"""MiB."""

STARTS = {
    "bios-x64": (Architecture.X64, Architecture.X86),
    "bios-x86": (Architecture.X86,),
    "uefi-x64": (Architecture.X64,),
    "uefi-ia32": (Architecture.X86,),
}
"""What each firmware, with its processor, can start."""

KIND = JobKind.BOOT_TEST_MACHINE
SOCKET = "lab.sock"
SILENCE_SECONDS = 1.0
STATUS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LabView:
    """Whether test machines can be booted here, and which.

    `is_the_network`: the lab is the one network that this site serves.
    """

    available: bool
    reason: str
    firmwares: tuple[tuple[str, str], ...]
    nics: tuple[tuple[str, str], ...]
    server_address: str
    is_the_network: bool = False


def lab_status(site: Site) -> LabView:
    told: dict[str, Any] = {}
    try:
        told = _ask_status(site)
        reason = " ".join(sentence(str(told[key])) for key in ("reason", "hint") if told.get(key))
    except OperatorFault as fault:
        reason = explained(fault)
    is_the_network = not reason and not told.get("beside")
    return LabView(not reason, reason, FIRMWARES, NICS, site.settings.told_address, is_the_network)


def verdict(result: Mapping[str, Any]) -> str:
    """How a test machine ended, in words; empty while it runs."""
    how = str(result.get("result", ""))
    image = f"{result['image']} v{result.get('version')}" if result.get("image") else ""
    if how == "online":
        words = f"online with driver {result.get('driver', '')}" + (f" on {image}" if image else "")
        return words + (f" after {result['seconds']:.0f} s" if result.get("seconds") else "")
    if how == "offline" and result.get("missing"):
        came_up = f"{image} came up, but " if image else ""
        return f"offline: {came_up}no driver fits its {result['missing']}"
    reason = str(result.get("reason") or "")
    return f"{how}: {reason}" if how and reason else how


def came_to(job: jobs.JobView) -> str:
    """How a test machine's job ended, in words; empty for all other jobs."""
    return verdict(job.result) if job.kind == KIND else ""


def ask_boot(site: Site, *, firmware: str, nic: str, memory: int, image: str = "") -> jobs.JobView:
    """Queue the boot of a test machine with `memory` MiB.

    With `image` it boots the served version of that image, even if other machines do not get it;
    without, what any machine of its kind gets. Raises InvalidInput for unknown hardware, NotFound,
    WrongArchitecture, OperatorFault if no lab runs or the image is not served.
    """
    view = lab_status(site)
    firmwares, nics = dict(view.firmwares), dict(view.nics)
    for what, value, choices in (
        ("firmware", firmware, tuple(firmwares)),
        ("nic", nic, tuple(nics)),
        ("memory", str(memory), tuple(map(str, MEMORY_SIZES))),
    ):
        if value not in choices:
            raise InvalidInput(
                f"there is no {what} {value[:40]!r}", hint=f"Choose one of {', '.join(choices)}."
            )
    if not view.available:
        raise OperatorFault("test machines are not available", hint=view.reason)
    arguments: dict[str, Any] = {"firmware": firmware, "nic": nic, "memory": memory}
    title = f"Test machine: {firmwares[firmware]}, {nics[nic]}"
    if image:
        wanted = get_image(site, image)
        number = _require_bootable(wanted, firmware)
        arguments["image"] = wanted.name
        title = f"{title}, {wanted.name} v{number}"
    return jobs.submit(site, KIND, arguments, title=title)


def _require_bootable(image: ImageView, firmware: str) -> int:
    """The version of the image that this firmware would boot. Raises as `ask_boot`."""
    if image.served_version is None:
        raise OperatorFault(
            f"{image.name} is not served, so no machine can boot it",
            hint="Build it if necessary, then update the distribution points.",
        )
    if image.architecture not in STARTS[firmware]:
        fitting = [name for name, starts in STARTS.items() if image.architecture in starts]
        raise WrongArchitecture(
            f"{dict(FIRMWARES)[firmware]} cannot start {image.name}, an {image.architecture} image",
            hint=f"Choose {' or '.join(fitting)}."
            if fitting
            else f"There are no test machines for {image.architecture}.",
        )
    return image.served_version


def require_wanted(
    site: Site, image: str, served: Collection[int | None], result: Mapping[str, Any]
) -> None:
    """Check that a test machine booted the image that it was to boot, in a `served` version.

    Raises OperatorFault if anything else came up: then the test says nothing about the image.
    """
    came, number = str(result.get("image", "")), int(result.get("version") or 0)
    wanted = get_image(site, image)
    version = wanted.version(number)
    # A renamed image has its earlier name inside until its next version.
    names = {wanted.name, version.built_as or wanted.name} if version else set()
    if number in served and came in names:
        return
    raise OperatorFault(
        f"the test machine booted {f'{came} v{number}' if came else 'an unknown image'}"
        f" instead of {wanted.name}",
        hint="Boot it again. If that happens again, look on the page Boot network for another boot"
        " server.",
    )


def _ask_status(site: Site) -> dict[str, Any]:
    """What the lab says of itself; nothing if it hangs up. Raises NotFound if no lab runs."""
    with _connect(site) as lab:
        lab.settimeout(STATUS_SECONDS)
        try:
            lab.sendall(b'{"status": true}\n')
            line = lab.makefile("rb").readline()
        except TimeoutError:
            return {"reason": "the lab does not answer", "hint": "Try again in a moment."}
        except OSError:
            return {}
    try:
        told = json.loads(line or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def boot_machine(site: Site, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Start a test machine; yields its events up to `done` or `failed`.

    Each idle second yields `silent`; closing the iterator switches the machine off. Raises NotFound
    if no lab runs, OperatorFault if the lab ends too early.
    """
    for event in _events(site, request):
        yield event
        if event.get("event") in {"done", "failed"}:
            return
    raise OperatorFault("the lab ended before the test machine did", hint="Is the site stopping?")


def check_network(site: Site, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Run `netboot check` in the lab; yields its events. Raises NotFound if no lab runs."""
    yield from _events(site, {"check": list(words)})


def _events(site: Site, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with _connect(site) as lab:
        lab.sendall(json.dumps(request).encode() + b"\n")
        lab.settimeout(SILENCE_SECONDS)
        for line in _lines(lab):
            event: dict[str, Any] = json.loads(line) if line else {"event": "silent"}
            yield event
            if event.get("event") in {"done", "failed"}:
                return


def _lines(lab: socket.socket) -> Iterator[bytes]:
    """What the lab sends, line by line; an empty line for each idle second."""
    data = b""
    while True:
        try:
            part = lab.recv(1 << 16)
        except TimeoutError:
            yield b""
            continue
        except ConnectionError:
            return
        if not part:
            return
        *lines, data = (data + part).split(b"\n")
        yield from filter(None, lines)


def _connect(site: Site) -> socket.socket:
    path = site.data / SOCKET
    lab = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lab.connect(str(path))
    except OSError as fault:
        lab.close()
        raise NotFound(
            "no lab runs for this site",
            hint="It starts with the site: by `netboot run`, or as the service netboot-lab.",
        ) from fault
    return lab
