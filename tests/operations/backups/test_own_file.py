import sqlite3
from contextlib import closing

from netboot.operations.backups import own_file


def write(path, word):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE words (word)")
        connection.execute("INSERT INTO words VALUES (?)", [word])
        connection.commit()


def read(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT word FROM words").fetchall()


def test_the_old_database_keeps_its_log_under_the_name_that_it_is_kept_under(tmp_path):
    """Rows of a site that was killed are only in its log."""
    part = own_file.part_of(tmp_path, "now")
    write(part, "new")
    killed = sqlite3.connect(tmp_path / "killed.db")
    killed.execute("PRAGMA journal_mode=WAL")
    killed.execute("CREATE TABLE words (word)")
    killed.execute("INSERT INTO words VALUES ('old')")
    killed.commit()
    for end in ("", "-wal", "-shm"):
        content = (tmp_path / f"killed.db{end}").read_bytes()
        (tmp_path / f"{own_file.NAME}{end}").write_bytes(content)
    killed.close()

    assert own_file.put_in_place(tmp_path, part, "site.db.kept") == "site.db.kept"
    assert read(tmp_path / own_file.NAME) == [("new",)]
    assert read(tmp_path / "site.db.kept") == [("old",)]
    assert not part.exists()


def test_a_folder_without_a_database_gets_one_and_nothing_is_kept(tmp_path):
    part = own_file.part_of(tmp_path, "now")
    write(part, "new")
    assert own_file.put_in_place(tmp_path, part, "site.db.kept") == ""
    assert [one.name for one in tmp_path.iterdir()] == [own_file.NAME]


def test_an_unfinished_database_is_removed_with_its_log(tmp_path):
    part = own_file.part_of(tmp_path, "now")
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"{part.name}{end}").write_bytes(b"x")
    own_file.remove_part(part)
    assert list(tmp_path.iterdir()) == []
