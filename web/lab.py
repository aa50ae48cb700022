"""Test machines: virtual machines of the lab that boot from this site."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput, OperatorFault
from netboot.operations import jobs
from netboot.operations import lab as operations
from web.access import Role, requires, site
from web.answers import done
from web.topics import page

lab = Blueprint("lab", __name__, url_prefix="/test-machines")

MEMORY_SIZES = (512, 1024, 2048)


@lab.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """The form for a test machine, and the newest ones, live."""
    return page(
        "lab/index.html",
        "tests",
        lab=operations.lab_status(site()),
        memory_sizes=MEMORY_SIZES,
        chosen=request.args,
    )


@lab.post("/", endpoint="boot")
@requires(Role.OPERATOR)
def boot() -> ResponseReturnValue:
    """Boot a test machine."""
    status = operations.lab_status(site())
    if not status.available:
        raise OperatorFault("test machines are not available", hint=status.reason)
    firmware = _chosen("firmware", dict(status.firmwares))
    nic = _chosen("nic", dict(status.nics))
    memory = request.form.get("memory", "")
    if memory not in {str(size) for size in MEMORY_SIZES}:
        raise InvalidInput(f"{memory[:20]!r} is no memory size on offer")
    firmware_label, nic_label = dict(status.firmwares)[firmware], dict(status.nics)[nic]
    jobs.submit(
        site(),
        "boot_test_machine",
        {"firmware": firmware, "nic": nic, "memory": int(memory)},
        title=f"Test machine: {firmware_label}, {nic_label}",
    )
    return done(
        "The test machine is being started.",
        url_for("lab.index", firmware=firmware, nic=nic, memory=memory),
    )


def _chosen(field: str, choices: dict[str, str]) -> str:
    value = request.form.get(field, "")
    if value not in choices:
        raise InvalidInput(
            f"there is no {field} {value[:40]!r}", hint=f"On offer: {', '.join(choices)}."
        )
    return value
