import pytest

from netboot.errors import InvalidInput
from netboot.store.backups import database_copies, row_copies
from netboot.store.backups.archive import DATABASE, BackupFile, Contents, new_backup
from netboot.store.database.site_database import HEAD, Database
from tests.samples.older_sites import SCHEMA, make_older_site
from tests.support.kept_sites import rows_of


def test_a_database_of_any_schema_is_filled_again(tmp_path):
    """In its own schema, without triggers that would count the filling."""
    old = make_older_site(tmp_path / "old")
    database = Database(old.database_url)
    with (
        database.frozen() as connection,
        new_backup(tmp_path / "x.tar", database_copies.new_head(DATABASE, SCHEMA)) as out,
    ):
        out.finish(Contents(database_copies.add_tables(out, connection)))
    other = Database(f"sqlite:///{tmp_path}/other.db")
    with BackupFile(tmp_path / "x.tar") as file, other.exclusive() as connection:
        database_copies.fill_database(file, connection)

    assert rows_of(database) == rows_of(other)
    assert len(rows_of(other)) > 20
    for one in (database, other):
        one.close()


def test_a_backup_with_other_tables_than_its_schema_is_refused(tmp_path):
    with new_backup(tmp_path / "x.tar", database_copies.new_head(DATABASE, HEAD)) as out:
        total = row_copies.TableSum(["id"])
        out.finish(Contents({"strange": total.to_json()}))
    other = Database(f"sqlite:///{tmp_path}/other.db")
    with (
        pytest.raises(InvalidInput, match="other tables"),
        BackupFile(tmp_path / "x.tar") as file,
        other.exclusive() as connection,
    ):
        database_copies.fill_database(file, connection)
    other.close()


def test_names_differ_within_a_second():
    assert database_copies.stamped("x").startswith("x-20")
    assert len(database_copies.stamped("x")) == len("x-20261130-041500-123")
