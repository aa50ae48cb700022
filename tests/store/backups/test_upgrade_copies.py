import os

from netboot.store.backups import upgrade_copies
from netboot.store.backups.archive import BackupFile
from netboot.store.database.site_database import HEAD


def test_copies_hold_the_rows_and_the_oldest_go(site):
    """Whatever an upgrade did with the rows, they are here as they were."""
    folder = site.data / "copies"
    for number in range(upgrade_copies.KEPT + 1):
        with site.database.exclusive() as connection:
            upgrade_copies.save(folder, connection, HEAD)
        newest = max(folder.iterdir(), key=lambda path: path.name)
        os.utime(newest, (number, number))
    found = upgrade_copies.saved(folder)

    assert len(found) == upgrade_copies.KEPT
    assert found == sorted(found, reverse=True)
    with BackupFile(found[0]) as copy:
        copy.check()
        assert (copy.head.kind, copy.head.schema) == ("database", HEAD)
        assert copy.contents.tables["facts"]["rows"] >= 1
    assert folder.stat().st_mode & 0o777 == 0o700
