"""Results that the worker computes, as rows; an index that counts drivers for every filter."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ORDERED = {"digest": 71, "name": 255, "version": 64}
"""Lists of drivers are in this order, byte by byte on either database."""


def upgrade() -> None:
    """Add the table, and an index that answers all counts of the catalog's filters."""
    op.create_table(
        "computed_results",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("computed_at", sa.Float(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.drop_index("ix_drivers_state", "drivers")
    facets = ["enabled", "categories", "kind", "architectures", "signature", "has_findings"]
    op.create_index("ix_drivers_facets", "drivers", facets)
    _collate('COLLATE "C"')


def downgrade() -> None:
    """As before."""
    _collate('COLLATE "default"')
    op.drop_index("ix_drivers_facets", "drivers")
    op.create_index("ix_drivers_state", "drivers", ["enabled", "categories", "imported_at"])
    op.drop_table("computed_results")


def _collate(collation: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, length in ORDERED.items():
        kind = f"VARCHAR({length}) {collation}"
        op.execute(f"ALTER TABLE drivers ALTER COLUMN {name} TYPE {kind}")
