"""Extension INFs and software components get kinds; a driver is signed if its catalog says so."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BATCH = 500
KINDS = {
    "e2f84ce7-8efa-411c-aa69-97454ca4cb57": ("extension", "extension"),
    "5c4c3332-344d-483c-8739-259e934c9cc8": ("component", "softwarecomponent"),
}

DRIVERS = sa.table(
    "drivers",
    sa.column("id", sa.BigInteger),
    sa.column("kind", sa.String),
    sa.column("class_name", sa.String),
    sa.column("signature", sa.String),
)
CONTENTS = sa.table(
    "driver_contents", sa.column("driver_id", sa.BigInteger), sa.column("package", sa.JSON)
)


def upgrade() -> None:
    """Both follow from what is stored; what was computed with them is computed again."""
    connection = op.get_bind()
    package = sa.func.lower(sa.cast(CONTENTS.c.package, sa.Text))
    for guid, (kind, class_name) in KINDS.items():
        named = sa.select(CONTENTS.c.driver_id).where(package.contains(guid))
        of_this_class = DRIVERS.c.id.in_(named) | (
            sa.func.lower(DRIVERS.c.class_name) == class_name
        )
        connection.execute(
            sa.update(DRIVERS).where(DRIVERS.c.kind == "other", of_this_class).values(kind=kind)
        )
    part = (
        sa.select(DRIVERS.c.id, CONTENTS.c.package)
        .join(CONTENTS, CONTENTS.c.driver_id == DRIVERS.c.id)
        .where(DRIVERS.c.signature == "catalog file")
        .order_by(DRIVERS.c.id)
        .limit(BATCH)
    )
    after = -1
    while rows := connection.execute(part.where(DRIVERS.c.id > after)).all():
        after = rows[-1].id
        for signed in (True, False):
            # Packages of the first days have no result of a check: they keep what they had.
            numbers = [
                row.id
                for row in rows
                if not row.package.get("catalog_checked", True)
                and bool(row.package["self_signed"]) is signed
            ]
            value = "signed programs" if signed else "none"
            connection.execute(
                sa.update(DRIVERS).where(DRIVERS.c.id.in_(numbers)).values(signature=value)
            )
    op.execute("DELETE FROM computed_results")


def downgrade() -> None:
    """As before."""
    op.execute("UPDATE drivers SET kind = 'other' WHERE kind IN ('extension', 'component')")
    op.execute("DELETE FROM computed_results")
