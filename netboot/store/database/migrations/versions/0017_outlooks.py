"""What becomes of each machine that boots, as the worker computed it."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; the worker fills it as soon as it counts lacking machines again."""
    op.create_table(
        "outlooks",
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("image_name", sa.String(100), nullable=False),
        sa.Column("network", sa.String(16), nullable=False),
        sa.Column("storage", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.execute("DELETE FROM computed_results WHERE key = 'lacking'")


def downgrade() -> None:
    """As before."""
    op.drop_table("outlooks")
