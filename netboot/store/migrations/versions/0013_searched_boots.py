"""Indexes that tell all that a list of boots asks for, so that no row is read in vain."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the search's text and the state beside what is listed by time; jobs by kind."""
    op.drop_index("ix_boots_outcome", "boots")
    op.create_index("ix_boots_outcome", "boots", ["state", "began", "quiet_at", "search"])
    op.drop_index("ix_boots_image", "boots")
    op.create_index("ix_boots_image", "boots", ["image", "began", "state", "quiet_at", "search"])
    op.create_index("ix_jobs_kind", "jobs", ["kind", "id"])


def downgrade() -> None:
    """As before."""
    op.drop_index("ix_jobs_kind", "jobs")
    op.drop_index("ix_boots_image", "boots")
    op.create_index("ix_boots_image", "boots", ["image", "began"])
    op.drop_index("ix_boots_outcome", "boots")
    op.create_index("ix_boots_outcome", "boots", ["state", "began"])
