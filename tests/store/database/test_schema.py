import pytest
import sqlalchemy as sa

from netboot import __version__
from netboot.errors import OperatorFault
from netboot.store.database import schema
from netboot.store.database.site_database import HEAD, Database


def test_a_new_database_has_no_revision_and_then_the_newest(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.frozen() as connection:
        assert schema.revision(connection) is None
        assert schema.release(connection) == ""
    database.migrate()
    with database.frozen() as connection:
        assert schema.revision(connection) == HEAD
        assert schema.release(connection) == __version__
    database.close()


def test_any_revision_so_far_can_be_made(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.exclusive() as connection:
        schema.migrate(connection, "0001")
        assert schema.revision(connection) == "0001"
    database.close()
    assert schema.is_known("0001")
    assert schema.is_known(HEAD)
    assert not schema.is_known("9999")


def test_an_unknown_revision_is_refused_even_if_nothing_names_its_release(site):
    with site.database.exclusive() as connection:
        schema.require_known(connection, HEAD)
        connection.execute(sa.text("DELETE FROM facts"))
        with pytest.raises(OperatorFault, match="made by a newer release"):
            schema.require_known(connection, "9999")
        connection.execute(sa.text("DROP TABLE facts"))
        assert schema.release(connection) == ""
