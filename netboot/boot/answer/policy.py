"""Which image a client gets, and the reasons for it, in this order.

1. The image assigned to the machine's MAC address. If the machine cannot start it, it gets
   nothing: a machine must not silently get another image than the assigned one.
2. The default image of the client's architecture.

In a network that answers only known machines, one that the policy does not name gets nothing.

The firmware must be able to start the image: 64-bit UEFI needs x64, 32-bit UEFI needs x86 (it
calls any other boot manager unsupported). A BIOS starts either and does not say whether its
processor has 64 bits: both defaults are candidates, x64 first, and the iPXE script asks it.
"""

from dataclasses import dataclass

from netboot.boot.answer.client import BootFacts, Firmware, machine_name
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, PublishedContent


@dataclass(frozen=True, slots=True)
class Choice:
    """The versions that this client may boot, best first (never empty), and why."""

    candidates: tuple[ContentVersion, ...]
    reasons: tuple[str, ...]

    @property
    def version(self) -> ContentVersion:
        """The first candidate."""
        return self.candidates[0]


@dataclass(frozen=True, slots=True)
class NoImage:
    """Why there is nothing to boot for this client."""

    reason: str


def choose(
    client: BootFacts, published: PublishedContent, *, only_known: bool = False
) -> Choice | NoImage:
    """The image for a client. `only_known`: its network answers only machines of the policy."""
    if only_known and not published.names_machine(client.mac):
        return NoImage(
            "this network answers only known machines, and this one has neither a deployment nor a"
            " boot loader signer of its own"
        )
    if client.architecture is None:
        return NoImage(f"no kind of image runs on a {machine_name(client.architecture_code)}")
    assigned = published.assignments.get(client.mac)
    if assigned is not None:
        return _assigned(client, assigned, published)
    return _default(client, published)


def _startable(client: BootFacts) -> tuple[Architecture, ...]:
    """Architectures that the firmware can start, best first."""
    if client.firmware is Firmware.BIOS:
        return (Architecture.X64, Architecture.X86)
    return (client.architecture,) if client.architecture else ()


def _assigned(client: BootFacts, image: str, published: PublishedContent) -> Choice | NoImage:
    version = published.current.get(image)
    if version is None:
        return NoImage(f"{client.mac} is assigned {image!r}, which is not published here")
    if version.architecture not in _startable(client):
        return NoImage(
            f"{client.mac} is assigned {version.label}, an {version.architecture} image,"
            f" but it is a {machine_name(client.architecture_code)}"
        )
    return Choice((version,), (f"{version.label} is assigned to {client.mac}",))


def _default(client: BootFacts, published: PublishedContent) -> Choice | NoImage:
    candidates = []
    reasons = []
    for architecture in _startable(client):
        image = published.defaults.get(architecture)
        if image is None:
            reasons.append(f"no default image for {architecture}")
        elif (version := published.current.get(image)) is None:
            reasons.append(f"the default for {architecture}, {image!r}, is not published here")
        elif version.architecture is not architecture:
            reasons.append(f"the default for {architecture}, {version.label}, is of another kind")
        else:
            candidates.append(version)
            reasons.append(f"{version.label} is the default for {architecture}")
    if not candidates:
        return NoImage("; ".join(reasons))
    return Choice(tuple(candidates), tuple(reasons))
