"""Which image a known machine will get, and why, before it asks.

The same rules as at boot (netboot.boot.answer.policy), applied to what is known of a machine.
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
    """What a machine will get: `images` are names, best first, empty if there is none.

    `reasons` are what the boot log would say now, about distributed images; `images` includes those
    that are not distributed yet.
    """

    images: tuple[str, ...]
    reasons: tuple[str, ...]


Decide = Callable[[KnownMachine], Decision]


def boots_from_network(machine: KnownMachine) -> bool:
    """Whether this is a machine with a MAC address, not an imported list with a name."""
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
            return Decision((), ("An imported list; it is compared with every image.",))
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
        order = (Architecture.X64, Architecture.X86, Architecture.ARM64)
        possible = (own,) if own else tuple(defaults[one] for one in order if one in defaults)
        return Decision(possible, (NEVER_ASKED,))
    choice = choose(client, published)
    reasons = (choice.reason,) if isinstance(choice, NoImage) else choice.reasons
    if own is not None:
        return Decision((own,), reasons)
    wanted = (defaults.get(architecture) for architecture in _startable(machine, client))
    return Decision(tuple(image for image in wanted if image), reasons)


def _startable(machine: KnownMachine, client: BootClient) -> tuple[Architecture, ...]:
    """Architectures whose default it may get, best first."""
    if client.firmware is not Firmware.BIOS:
        return (client.architecture,) if client.architecture else ()
    # A BIOS always asks as x86 (RFC 4578 type 0): only a report shows a 64-bit processor.
    if machine.source == REPORT and machine.architecture == Architecture.X64:
        return (Architecture.X64,)
    return (Architecture.X64, Architecture.X86)


def _client(machine: KnownMachine) -> BootClient | None:
    """The machine as it asks; None if it never did."""
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
