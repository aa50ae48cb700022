"""Boots: what each machine's tries came to, so that a hundred thousand can be searched."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; it is filled from the journal."""
    op.create_table(
        "boots",
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("machine", sa.String(64), nullable=False),
        sa.Column("began", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("quiet_at", sa.Float, nullable=False),
        sa.Column("image", sa.String(100), nullable=False),
        sa.Column("rate", sa.Float, nullable=False),
        sa.Column("search", sa.String(400), nullable=False),
        sa.Column("attempt", sa.JSON, nullable=False),
    )
    op.create_index("ix_boots_began", "boots", ["began", "state", "quiet_at"])
    op.create_index("ix_boots_outcome", "boots", ["state", "began"])
    op.create_index("ix_boots_state", "boots", ["state", "quiet_at"])
    op.create_index("ix_boots_machine", "boots", ["machine", "began"])
    op.create_index("ix_boots_image", "boots", ["image", "began"])
    op.create_index("ix_boots_search", "boots", ["began", "search"])


def downgrade() -> None:
    """Drop it; the journal still tells of the newest boots."""
    op.drop_table("boots")
