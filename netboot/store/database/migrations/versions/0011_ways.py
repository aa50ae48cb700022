"""Boots by version and by the way that the image came, so that a version's page finds them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCH = 5000


def upgrade() -> None:
    """Add the columns, and fill them from what each boot says of itself."""
    with op.batch_alter_table("boots", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(
            sa.Column("way", sa.String(length=16), nullable=False, server_default="")
        )
    boots = sa.table(
        "boots",
        sa.column("key", sa.String),
        sa.column("version", sa.Integer),
        sa.column("way", sa.String),
        sa.column("attempt", sa.JSON),
    )
    change = boots.update().where(boots.c.key == sa.bindparam("of"))
    part = sa.select(boots.c.key, boots.c.attempt).order_by(boots.c.key).limit(BATCH)
    connection, rows = op.get_bind(), op.get_bind().execute(part).all()
    while rows:
        values = [
            {"of": key, "version": attempt.get("version", 0), "way": attempt.get("way", "")}
            for key, attempt in rows
        ]
        connection.execute(change, values)
        rows = connection.execute(part.where(boots.c.key > rows[-1].key)).all()
    op.create_index("ix_boots_way", "boots", ["image", "version", "way", "began"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_boots_way", "boots")
    with op.batch_alter_table("boots", schema=None) as batch_op:
        for name in ("way", "version"):
            batch_op.drop_column(name)
