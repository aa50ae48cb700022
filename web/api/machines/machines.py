"""Machines over the API: their devices and the boot image of each."""

from typing import Literal

from pydantic import BaseModel, Field

from netboot.operations.machines import coverage
from netboot.operations.machines import machines as operations
from netboot.operations.machines.image_choice import Decide, decider
from netboot.operations.machines.machines import KnownMachine
from web.api.machines.coverage import MachineCovered
from web.api.subject import Listed, Order, Page, Subject, Value, listed
from web.guard.access import Role, site

machines = Subject("machines", "Known machines and their devices.")


class MachinePath(BaseModel):
    """A machine by its MAC address, or by the name of its device list."""

    key: str = Field(min_length=1, max_length=100)


class Machine(Value):
    """A machine; `gets` are boot images, best first, and `why` gives the reasons."""

    key: str
    source: str
    devices: list[str]
    architecture: str
    firmware: str
    image: str = Field(description="The last boot image.")
    seen_at: float
    authority: str = Field(
        description="Authority of the required UEFI boot loader: 2011, 2023 or unknown."
    )
    gets: list[str]
    why: list[str]

    @staticmethod
    def decided(machine: KnownMachine, decide: Decide) -> "Machine":
        """The machine with its current boot image."""
        decision = decide(machine)
        return Machine(
            key=machine.key,
            source=machine.source,
            devices=[device.label for device in machine.devices],
            architecture=machine.architecture,
            firmware=machine.firmware,
            image=machine.image,
            seen_at=machine.seen_at,
            authority=machine.authority,
            gets=list(decision.images),
            why=list(decision.reasons),
        )


class MachineSearch(Page):
    """Which machines to return."""

    search: str = Field("", max_length=100, description="Part of an address, name or boot image.")


class DeviceList(Order):
    """Devices as text: of `pnputil /enum-devices` or `lspci -nn`, CSV, or PNPDeviceIDs."""

    devices: str = Field(max_length=200_000)


class MachineListed(Machine):
    """A machine from a device list, with what was not taken from it."""

    unread: list[str] = Field(description="Lines that could not be read.")
    left_out: list[str] = Field(description="IDs of devices that no boot needs.")
    guessed: list[str] = Field(description="Devices whose class is a guess from their name.")


class LoaderAuthority(Order):
    """The authority of the boot loader a machine needs: 2011, 2023 or empty for unknown."""

    authority: Literal["", "2011", "2023"]


class Against(BaseModel):
    """The boot image to compare with; by default, the one the machine gets."""

    image: str = Field("", max_length=100)


@machines.verb("GET", "", needs=Role.VIEWER)
def list_machines(query: MachineSearch) -> Listed[Machine]:
    """List known machines, last seen first."""
    found, total = operations.find_machines(
        site(), query.search, limit=query.limit, offset=query.offset
    )
    decide = decider(site())
    shown = [Machine.decided(machine, decide) for machine in found]
    return listed(Machine, shown, query, total=total)


@machines.verb("GET", "/<key>", needs=Role.VIEWER)
def get_machine(path: MachinePath) -> Machine:
    """Get a machine."""
    return Machine.decided(operations.get_machine(site(), path.key), decider(site()))


@machines.verb("GET", "/<key>/coverage", needs=Role.VIEWER)
def get_machine_coverage(path: MachinePath, query: Against) -> MachineCovered:
    """Show which drivers in the boot image support the machine's devices."""
    machine = operations.get_machine(site(), path.key)
    wanted = query.image or next(iter(decider(site())(machine).images), "")
    return MachineCovered.of(coverage.machine_coverage(site(), wanted, machine))


@machines.verb("PUT", "/<key>/devices", needs=Role.OPERATOR, action="import_devices")
def import_machine_devices(path: MachinePath, body: DeviceList) -> MachineListed:
    """Import a device list for this machine."""
    found = operations.import_devices(site(), path.key, body.devices)
    shown = Machine.decided(found.machine, decider(site()))
    return MachineListed(
        **shown.model_dump(),
        unread=list(found.unread),
        left_out=list(found.left_out),
        guessed=[label for label, _ in found.guessed],
    )


@machines.verb("PUT", "/<key>/authority", needs=Role.OPERATOR)
def set_authority(path: MachinePath, body: LoaderAuthority) -> Machine:
    """Set which UEFI boot loader the machine needs. Overrides boot image and site."""
    machine = operations.set_authority(site(), path.key, body.authority)
    return Machine.decided(machine, decider(site()))


@machines.verb("DELETE", "/<key>", needs=Role.OPERATOR, action="forget")
def forget_machine(path: MachinePath) -> None:
    """Forget a machine. It reappears when it boots again."""
    operations.forget(site(), path.key)
