"""Addresses that stay when an image is renamed, and whose boot loader a machine needs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.add_column(sa.Column("address", sa.String(length=100), nullable=True))
    op.execute("UPDATE images SET address = slug")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.alter_column("address", existing_type=sa.String(length=100), nullable=False)
        batch_op.create_unique_constraint("uq_images_address", ["address"])
    with op.batch_alter_table("machines", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("authority", sa.String(length=4), nullable=False, server_default="")
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("machines", schema=None) as batch_op:
        batch_op.drop_column("authority")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_constraint("uq_images_address", type_="unique")
        batch_op.drop_column("address")
