import pytest
import sqlalchemy as sa

from netboot.errors import InUse
from netboot.operations.accounts.webhooks import PENDING
from netboot.operations.backups.target import empty_database, forget_moment
from netboot.store.database.account_records import DeliveryRow, RepeatRow, SessionRow, WebhookRow
from netboot.store.database.site_database import Database
from tests.support.kept_sites import count
from tests.web.support.seeding import add_accounts


def test_a_database_without_tables_is_empty(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.exclusive() as connection:
        assert empty_database(connection, "aside", force=False) is False
    database.migrate()
    with pytest.raises(InUse, match="not empty"), database.exclusive() as connection:
        empty_database(connection, "aside", force=False)
    database.close()


def test_tables_of_postgresql_are_moved_aside_with_their_triggers(postgres, postgres_template):
    """A netboot that is made in their place does not touch them."""
    database = Database(postgres.url(postgres.fresh(postgres_template)))
    with database.exclusive() as connection:
        connection.execute(sa.text("INSERT INTO facts VALUES ('mine', '{}')"))
        assert empty_database(connection, "aside", force=True)
        assert sa.inspect(connection).get_table_names() == []
    database.migrate()

    assert count(database, "aside.facts") == 2
    assert count(database, "facts") == 1
    database.close()


def test_what_was_true_only_at_the_moment_is_forgotten(any_site):
    """Sessions, answers for repeated requests, messages that were about to be sent, jobs."""
    site = any_site
    account = add_accounts(site)["admin"]
    site.jobs.submit("clean_up", {}, title="Waits")
    with site.database.writing() as session:
        session.add(SessionRow(secret_hash="0" * 64, account_id=account.id, began=1.0, seen=1.0))
        session.add(
            RepeatRow(account_id=account.id, key="k", fingerprint="f", headers={}, created_at=1.0)
        )
        hook = WebhookRow(url="https://x.example", secret="s", events=[], created_at=1.0)
        session.add(hook)
        session.flush()
        for state in (PENDING, "delivered"):
            session.add(
                DeliveryRow(
                    webhook_id=hook.id, event="x", payload={}, state=state, due_at=1.0,
                    created_at=1.0,
                )
            )  # fmt: skip
    with site.database.exclusive() as connection:
        forget_moment(connection)
    counts = [count(site.database, name) for name in ("sessions", "repeats", "webhook_deliveries")]

    assert counts == [0, 0, 1]
    assert [(job.state, job.dismissed) for job in site.jobs.latest()] == [("failed", True)]
    assert site.jobs.claim("worker", ("clean_up",)) is None
