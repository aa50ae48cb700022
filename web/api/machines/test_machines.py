"""Boot tests over the API: virtual machines that boot from this site."""

from typing import Literal

from pydantic import Field

from netboot.operations import lab as operations
from web.api.jobs import Accepted, accepted
from web.api.subject import Order, Subject, Value
from web.guard.access import Role, site

test_machines = Subject("test-machines", "Virtual machines for boot tests.")


class Choice(Value):
    """An available option."""

    id: str
    label: str


class Lab(Value):
    """Whether test machines are available here, and which kinds."""

    available: bool
    reason: str
    firmwares: list[Choice]
    nics: list[Choice]
    memory_sizes: list[int]


class MachineToBoot(Order):
    """A test machine."""

    firmware: str = Field(max_length=40)
    nic: str = Field(max_length=40)
    memory: Literal[512, 1024, 2048] = Field(1024, description="MiB.")
    image: str = Field(
        "",
        max_length=100,
        description="The boot image to boot, by name or slug; empty for the one that a machine of"
        " this kind gets.",
    )


@test_machines.verb("GET", "", needs=Role.VIEWER)
def get_lab() -> Lab:
    """Get whether test machines are available here, and which kinds."""
    view = operations.lab_status(site())
    return Lab(
        available=view.available,
        reason=view.reason,
        firmwares=[Choice(id=name, label=label) for name, label in view.firmwares],
        nics=[Choice(id=name, label=label) for name, label in view.nics],
        memory_sizes=list(operations.MEMORY_SIZES),
    )


@test_machines.verb("POST", "", needs=Role.OPERATOR, status=202, action="boot")
def boot_test_machine(body: MachineToBoot) -> Accepted:
    """Boot a test machine. The result is in the job."""
    return accepted(operations.ask_boot(site(), **body.model_dump()))
