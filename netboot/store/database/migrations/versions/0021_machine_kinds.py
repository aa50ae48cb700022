"""Machines by kind, counted from an index: how many get an image is shown with each image."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    columns = ["source", "firmware", "architecture", "key"]
    op.create_index("ix_machines_kinds", "machines", columns)


def downgrade() -> None:
    """As before."""
    op.drop_index("ix_machines_kinds", "machines")
