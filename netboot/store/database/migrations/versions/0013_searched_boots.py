"""Indexes that tell all that a list of boots asks for, and sums by the hour."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns for the search text and the state of boots; an index of jobs by kind."""
    op.drop_index("ix_boots_outcome", "boots")
    op.create_index("ix_boots_outcome", "boots", ["state", "began", "quiet_at", "search"])
    op.drop_index("ix_boots_image", "boots")
    op.create_index("ix_boots_image", "boots", ["image", "began", "state", "quiet_at", "search"])
    op.create_index("ix_jobs_kind", "jobs", ["kind", "id"])
    op.create_table(
        "boot_hours",
        sa.Column("hour", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("online", sa.BigInteger(), nullable=False),
        sa.Column("other", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour"),
    )
    op.execute(
        "INSERT INTO boot_hours (hour, online, other)"
        " SELECT CAST(floor(began / 3600) AS INTEGER),"
        " sum(CASE WHEN state = 'online' THEN 1 ELSE 0 END),"
        " sum(CASE WHEN state = 'online' THEN 0 ELSE 1 END)"
        " FROM boots GROUP BY 1"
    )


def downgrade() -> None:
    """As before."""
    op.drop_table("boot_hours")
    op.drop_index("ix_jobs_kind", "jobs")
    op.drop_index("ix_boots_image", "boots")
    op.create_index("ix_boots_image", "boots", ["image", "began"])
    op.drop_index("ix_boots_outcome", "boots")
    op.create_index("ix_boots_outcome", "boots", ["state", "began"])
