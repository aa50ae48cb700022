"""Which image a known machine will get, and why: told before it asks.

The same rules as at boot (netboot.boot.answer.policy), applied to what is known of a machine. A
BIOS does not tell its processor's width, so such a machine may have two candidates until its
boot image has reported.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from netboot.boot.answer.client import BootClient, Firmware, Stage
from netboot.boot.answer.policy import NoImage, choose
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import PublishedContent
from netboot.operations.deployments import deployments as policy
from netboot.operations.machines.machines import LIST, REPORT, KnownMachine
from netboot.protocols.dhcp import MessageType
from netboot.protocols.mac import is_mac
from netboot.protocols.pxe import ArchitectureType
from netboot.site import Site

NEVER_ASKED = "It has not asked for a boot yet, so its firmware is not known."

_CODES = {
    Architecture.X86: ArchitectureType.IA32_EFI,
    Architecture.X64: ArchitectureType.X64_EFI,
    Architecture.ARM64: ArchitectureType.ARM64_EFI,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a machine will get: `images` are names, best first, none where there is no image.

    `reasons` are what the boot log would say now; they speak of what is distributed, while
    `images` counts those too that were not distributed yet.
    """

    images: tuple[str, ...]
    reasons: tuple[str, ...]


Decide = Callable[[KnownMachine], Decision]


def boots_from_network(machine: KnownMachine) -> bool:
    """Whether it is a machine with an address, not a list that somebody gave a name."""
    return machine.source != LIST or is_mac(machine.key)


def decider(site: Site, machines: Collection[KnownMachine] | None = None) -> Decide:
    """A function that decides for any machine, or these, on what is set and distributed now."""
    published = site.point.load()
    macs = None if machines is None else [machine.key for machine in machines]
    decided = policy.decided(site, macs)
    defaults, assigned = decided.defaults, decided.deployments
    alike: dict[tuple[str, str, str], Decision] = {}

    def decide(machine: KnownMachine) -> Decision:
        if not boots_from_network(machine):
            return Decision((), ("A list by hand; it is held against every image.",))
        if machine.key in assigned or machine.key in published.assignments:
            own = assigned.get(machine.key)
            return _decision(machine, published, defaults, own.image if own else None)
        kind = (machine.firmware, machine.architecture, machine.source)
        if kind not in alike:
            alike[kind] = _decision(machine, published, defaults, None)
        return alike[kind]

    return decide


def _decision(
    machine: KnownMachine,
    published: PublishedContent,
    defaults: Mapping[Architecture, str],
    own: str | None,
) -> Decision:
    client = _client(machine)
    if client is None:
        return Decision((own,) if own else _any(defaults), (NEVER_ASKED,))
    choice = choose(client, published)
    reasons = (choice.reason,) if isinstance(choice, NoImage) else choice.reasons
    if own is not None:
        return Decision((own,), reasons)
    wanted = (defaults.get(architecture) for architecture in _startable(machine, client))
    return Decision(tuple(image for image in wanted if image), reasons)


def _any(defaults: Mapping[Architecture, str]) -> tuple[str, ...]:
    """What it may get whatever its firmware is, 64-bit first."""
    order = (Architecture.X64, Architecture.X86, Architecture.ARM64)
    return tuple(defaults[architecture] for architecture in order if architecture in defaults)


def _startable(machine: KnownMachine, client: BootClient) -> tuple[Architecture, ...]:
    """Architectures whose default it may get, best first."""
    if client.firmware is not Firmware.BIOS:
        return (client.architecture,) if client.architecture else ()
    if machine.source == REPORT and machine.architecture == Architecture.X64:
        return (Architecture.X64,)
    return (Architecture.X64, Architecture.X86)


def _client(machine: KnownMachine) -> BootClient | None:
    """The machine as it asks; None for one that never did."""
    try:
        firmware = Firmware(machine.firmware.lower())
        architecture = Architecture(machine.architecture)
    except ValueError:
        return None
    code = ArchitectureType.X86_BIOS if firmware is Firmware.BIOS else _CODES[architecture]
    return BootClient(
        mac=machine.key,
        machine_id="",
        architecture_code=int(code),
        architecture=architecture,
        firmware=firmware,
        stage=Stage.FIRMWARE,
        message=MessageType.DISCOVER,
        vendor_class="",
    )
