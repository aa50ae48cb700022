"""Store with each driver the traits of its models that catalog-wide queries need."""

from dataclasses import asdict

import sqlalchemy as sa
from alembic import op

from netboot.store.drivers.entry import models_of, traits_of

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BATCH = 500


def upgrade() -> None:
    """Add the table, and fill it from the models as an import does."""
    traits = op.create_table(
        "driver_traits",
        sa.Column(
            "driver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("spans", sa.Text(), nullable=False),
        sa.Column("boards", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["driver_id"], ["drivers.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("driver_id"),
    )
    op.create_index("ix_drivers_state", "drivers", ["enabled", "categories", "imported_at"])
    contents = sa.table(
        "driver_contents", sa.column("driver_id", sa.BigInteger), sa.column("models", sa.Text)
    )
    part = sa.select(contents).order_by(contents.c.driver_id).limit(BATCH)
    connection, rows = op.get_bind(), op.get_bind().execute(part).all()
    while rows:
        values = [
            {"driver_id": row.driver_id, **asdict(traits_of(models_of(row.models)))} for row in rows
        ]
        connection.execute(sa.insert(traits), values)
        rows = connection.execute(part.where(contents.c.driver_id > rows[-1].driver_id)).all()


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_drivers_state", "drivers")
    op.drop_table("driver_traits")
