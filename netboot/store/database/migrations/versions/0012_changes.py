"""A number for each subject, which its tables' triggers count up."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; the triggers themselves come after the last migration."""
    op.create_table(
        "changes",
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )


def downgrade() -> None:
    """Undo, with the triggers that would miss it."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS netboot_changed CASCADE")
    else:
        triggers = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '% changes %'"
        )
        for name in connection.execute(sa.text(triggers)).scalars().all():
            op.execute(f'DROP TRIGGER "{name}"')
    op.drop_table("changes")
