"""Indexes for machines a page at a time, and for the jobs that ended last.

The changes of boots and of the fleet are counted from here on too.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Order machines as the page does."""
    op.drop_index("ix_machines_seen_at", "machines")
    op.create_index("ix_machines_order", "machines", ["seen_at", "key"])
    op.create_index("ix_jobs_finished", "jobs", ["finished_at"])


def downgrade() -> None:
    """As before."""
    op.drop_index("ix_jobs_finished", "jobs")
    op.drop_index("ix_machines_order", "machines")
    op.create_index("ix_machines_seen_at", "machines", ["seen_at"])
