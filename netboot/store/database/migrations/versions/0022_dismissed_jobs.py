"""Failed jobs that an administrator dismissed from the list of what needs a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; no job is dismissed yet."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(
            sa.Column("dismissed", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    """As before."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("dismissed")
