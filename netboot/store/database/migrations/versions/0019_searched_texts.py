"""An index of trigrams for searches in the driver catalog, on SQLite."""

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing here: after each upgrade netboot.store.database.text_search adds what is missing."""


def downgrade() -> None:
    """Nothing: an index that nothing reads does no harm."""
