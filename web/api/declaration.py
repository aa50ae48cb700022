"""The site as files for git over the API: exported, planned, applied; no file is touched here."""

from pydantic import Field

from netboot.operations import declarative as operations
from web.api.subject import CONFLICTS, Order, Subject, Value
from web.guard.access import Role, refuse_below, site
from web.guard.audit_trail import about

declaration = Subject("declaration", "Images, drivers and assignments as files for git.")

FILES = 2000
LONGEST_FILE = 4 << 20


class Files(Value):
    """Files by their names below a folder: drivers.toml, assignments.toml, images/NAME.toml."""

    files: dict[str, str]


class Wanted(Order):
    """The files to hold the site against, by their names below a folder."""

    files: dict[str, str] = Field(min_length=1, max_length=FILES)
    prune: bool = Field(
        default=False, description="Remove images that no file declares (administrators only)."
    )


class WantedNow(Wanted):
    """The files to make the site as."""

    planned: str = Field(
        "", max_length=80, description="The plan's digest: apply only if it is still the same."
    )


class PlannedChange(Value):
    """One thing that is different; `change` is add, change or remove."""

    change: str
    subject: str
    key: str
    label: str
    details: list[str]


class Plan(Value):
    """What applying changes, in order; `digest` names the plan."""

    digest: str
    changes: list[PlannedChange]

    @staticmethod
    def of(found: operations.Plan) -> "Plan":
        """A plan as the operation tells it."""
        return Plan(
            digest=found.digest,
            changes=[
                PlannedChange(
                    change=one.kind.value,
                    subject=one.subject,
                    key=one.key,
                    label=one.label,
                    details=list(one.details),
                )
                for one in found.changes
            ],
        )


@declaration.verb("GET", "", needs=Role.VIEWER, gives=Files)
def export_declaration() -> Files:
    """Images, drivers and assignments as files for git."""
    return Files(files=operations.exported(site()))


@declaration.verb("POST", "/plan", needs=Role.OPERATOR, gives=Plan, action="plan")
def plan_declaration(body: Wanted) -> Plan:
    """What applying these files would change; nothing is changed."""
    return Plan.of(operations.plan(site(), body.files, prune=body.prune))


@declaration.verb(
    "POST", "/apply", needs=Role.OPERATOR, gives=Plan, action="apply", refuses=CONFLICTS
)
def apply_declaration(body: WantedNow) -> Plan:
    """Make images, drivers and assignments as these files declare them, all or nothing."""
    if body.prune:
        refuse_below(Role.ADMIN)
    done = operations.apply(site(), body.files, prune=body.prune, planned=body.planned)
    changes = [f"{one.kind.value} {one.subject} {one.label}" for one in done.changes]
    about("declaration", files=len(body.files), changes=changes)
    return Plan.of(done)
