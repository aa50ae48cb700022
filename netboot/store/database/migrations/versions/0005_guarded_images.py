"""Newer sources on trial, accepted secrets, alarms, and what builds saw."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("version_label", sa.String(length=64), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("candidate", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("override", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(
            sa.Column("source_altered_at", sa.Float(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("versions", schema=None) as batch_op:
        for name in ("secrets", "findings", "altered"):
            batch_op.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("versions", schema=None) as batch_op:
        for name in ("altered", "findings", "secrets"):
            batch_op.drop_column(name)
    with op.batch_alter_table("images", schema=None) as batch_op:
        for name in ("source_altered_at", "override", "candidate", "version_label"):
            batch_op.drop_column(name)
