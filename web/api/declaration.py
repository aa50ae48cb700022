"""The site as files for git over the API: export, plan and apply. No file on disk is changed."""

from pydantic import Field

from netboot.operations import declarative as operations
from web.api.subject import CONFLICTS, Order, Subject, Value
from web.guard.access import Role, refuse_below, site
from web.guard.audit_trail import about

declaration = Subject("declaration", "Boot images, drivers and deployments as files for git.")

FILES = 2000


class Files(Value):
    """Files by their names below a folder: drivers.toml, assignments.toml, images/NAME.toml."""

    files: dict[str, str]


class Wanted(Order):
    """The files to compare with the site, by their names below a folder."""

    files: dict[str, str] = Field(min_length=1, max_length=FILES)
    prune: bool = Field(
        default=False, description="Delete boot images that no file declares (administrators only)."
    )


class WantedNow(Wanted):
    """The files to apply."""

    planned: str = Field(
        "", max_length=80, description="Digest of the plan; apply only if the plan has not changed."
    )
    delete_served: list[str] = Field(
        default_factory=list,
        max_length=FILES,
        description="Names of boot images to delete although they are served to machines.",
    )


class PlannedChange(Value):
    """One difference; `change` is add, change or remove."""

    change: str
    subject: str
    key: str
    label: str
    details: list[str]


class Plan(Value):
    """The changes that applying makes, in order; `digest` identifies the plan."""

    digest: str
    changes: list[PlannedChange]

    @staticmethod
    def of(found: operations.Plan) -> "Plan":
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


@declaration.verb("GET", "", needs=Role.VIEWER)
def export_declaration() -> Files:
    """Export boot images, drivers and deployments as files for git."""
    return Files(files=operations.exported(site()))


@declaration.verb("POST", "/plan", needs=Role.OPERATOR, action="plan")
def plan_declaration(body: Wanted) -> Plan:
    """Show what applying these files would change. Nothing is changed."""
    return Plan.of(operations.plan(site(), body.files, prune=body.prune))


@declaration.verb("POST", "/apply", needs=Role.OPERATOR, action="apply", refuses=CONFLICTS)
def apply_declaration(body: WantedNow) -> Plan:
    """Apply these files to boot images, drivers and deployments, all or nothing."""
    if body.prune:
        refuse_below(Role.ADMIN)
    done = operations.apply(
        site(),
        body.files,
        prune=body.prune,
        delete_served=body.delete_served,
        planned=body.planned,
    )
    changes = [f"{one.kind.value} {one.subject} {one.label}" for one in done.changes]
    about("declaration", files=len(body.files), changes=changes)
    return Plan.of(done)
