"""An upgrade from the release before: forward, refused, and back."""

import errno

import pytest
import sqlalchemy as sa

from netboot import __version__
from netboot.errors import DatabaseFault, DiskFault, InvalidInput, NotFound, OperatorFault
from netboot.operations.accounts import audit
from netboot.operations.backups import making, restoring, taking_back
from netboot.operations.images import images
from netboot.site import Site
from netboot.store.backups import archive, upgrade_copies
from netboot.store.database import schema
from netboot.store.database.site_database import HEAD, Database
from tests.samples.older_sites import RELEASE, SCHEMA, make_older_site
from tests.support.kept_sites import close, rows_of, what_machines_get
from tests.support.small_disk import fill, free, needs_small_disk, small_disk
from tests.web.support.seeding import add_version, boot_events, tell


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """A site that the release before has left, on either database."""
    url = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.url(server.fresh())
    yield make_older_site(tmp_path / "old", url)
    close(Site.open(tmp_path / "old"))


@pytest.fixture
def old_file(tmp_path):
    """The same on SQLite."""
    return make_older_site(tmp_path / "old")


def plain(site):
    """The site's database, whatever its schema."""
    return Database(site.database_url)


def revision(site):
    database = plain(site)
    with database.frozen() as connection:
        found = schema.revision(connection)
    database.close()
    return found


def test_the_site_of_the_release_before_is_upgraded_and_taken_back(old):
    """Each row is as it was, on both ways; machines get the same all the time."""
    database = plain(old)
    before, served = rows_of(database), what_machines_get(old)
    database.close()
    upgraded = Site.open(old.data)
    assert [one.name for one in images.list_images(upgraded)] == ["Lab PE x64"]
    assert add_version(upgraded).number == 2
    tell(upgraded, *boot_events())
    audit.record(upgraded, actor="ada", via="cli", action="x.y")
    close(upgraded)
    assert revision(old) == HEAD
    (copy,) = taking_back.copies(old)
    done = taking_back.take_back(Site.open(old.data))

    assert (done.file, done.schema, revision(old)) == (str(copy), SCHEMA, SCHEMA)
    database = plain(old)
    assert before == rows_of(database)
    database.close()
    assert served == what_machines_get(Site.open(old.data))
    again = Site.open(old.data)
    assert add_version(again).number == 2
    assert audit.verify(again).faults == ()
    tell(again)
    close(again)


def test_the_upgraded_database_is_kept_when_it_is_taken_back(old_file):
    """With what was written since the upgrade."""
    upgraded = Site.open(old_file.data)
    add_version(upgraded)
    close(upgraded)
    done = taking_back.take_back(Site.open(old_file.data))
    database = Database(f"sqlite:///{done.aside}")
    with database.frozen() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM versions")) == 2
        assert schema.revision(connection) == HEAD
    database.close()


def test_a_database_of_a_newer_release_is_refused_with_its_name_and_taken_back(old):
    """The word for it says which release made it; nothing is changed."""
    upgraded = Site.open(old.data)
    with upgraded.database.exclusive() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(
            sa.text("UPDATE facts SET value = :value WHERE name = :name")
            if upgraded.database.is_sqlite
            else sa.text("UPDATE facts SET value = CAST(:value AS JSON) WHERE name = :name"),
            {"value": '{"release": "0.9.1"}', "name": schema.RELEASE},
        )
    close(upgraded)
    with pytest.raises(OperatorFault, match=rf"9999 was made by netboot 0\.9\.1.*{__version__}"):
        _ = Site.open(old.data).database
    assert len(taking_back.copies(old)) == 1
    assert taking_back.take_back(Site.open(old.data)).schema == SCHEMA
    site = Site.open(old.data)
    assert [one.name for one in images.list_images(site)] == ["Lab PE x64"]
    close(site)


def test_a_site_that_is_new_or_up_to_date_is_not_copied(site):
    site.database.migrate()
    close(site)
    close_again = Site.open(site.data)
    _ = close_again.database
    close(close_again)

    assert taking_back.copies(site) == []
    with pytest.raises(NotFound, match="before an upgrade"):
        taking_back.take_back(Site.open(site.data))


def test_only_the_newest_copies_are_kept(old_file):
    """Each upgrade adds one."""
    for _ in range(upgrade_copies.KEPT + 2):
        close_me = Site.open(old_file.data)
        _ = close_me.database
        close(close_me)
        taking_back.take_back(Site.open(old_file.data))

    assert len(taking_back.copies(old_file)) == upgrade_copies.KEPT


def test_an_upgrade_that_cannot_be_copied_first_is_refused(old, monkeypatch):
    """The database stays as it was."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive.os, "fsync", full)
        with pytest.raises(DiskFault, match="not upgraded"):
            _ = Site.open(old.data).database
    assert revision(old) == SCHEMA
    assert taking_back.copies(old) == []
    assert not list((old.data / upgrade_copies.FOLDER).iterdir())


@needs_small_disk
@pytest.mark.parametrize("leave", [0, 4 << 10, 40 << 10])
def test_a_disk_that_fills_up_in_an_upgrade_loses_nothing(tmp_path, leave):
    """On a real, small disk; with space the upgrade is made."""
    with small_disk(tmp_path / "small", "8m") as folder:
        old = make_older_site(folder / "old")
        close(old)
        fill(folder, leave)
        with pytest.raises((DiskFault, DatabaseFault)):
            _ = Site.open(old.data).database
        free(folder)
        assert revision(old) == SCHEMA
        site = Site.open(old.data)
        assert [one.name for one in images.list_images(site)] == ["Lab PE x64"]
        close(site)


def test_a_backup_of_the_release_before_is_restored_and_migrated(old, tmp_path):
    """Its rows are filled into its own schema first."""
    upgraded = Site.open(old.data)
    _ = upgraded.database
    close(upgraded)
    taking_back.take_back(Site.open(old.data))
    database = plain(old)

    class OldSite:
        """What `netboot backup` of that release would have seen."""

        data, secret, blobs, point = old.data, old.secret, old.blobs, old.point

    OldSite.database = database
    head = making.new_head
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "new_head", lambda kind, _: head(kind, SCHEMA, RELEASE))
        named = "SELECT source_digest FROM images"
        patch.setattr(making.cleanup, "named_digests", lambda c: set(c.scalars(sa.text(named))))
        patch.setattr(making.facts, "remember", lambda *_: None)
        making.make_backup(OldSite, tmp_path / "old.tar")
    database.close()
    done = restoring.restore(tmp_path / "new", tmp_path / "old.tar", database="sqlite")
    site = Site.open(tmp_path / "new")

    assert done.release == RELEASE
    assert images.get_image(site, "Lab PE x64").comment == "Grüße"
    assert what_machines_get(site) == what_machines_get(old)
    close(site)


def test_whole_backups_and_copies_of_a_database_are_not_mistaken(old_file, tmp_path):
    site = Site.open(old_file.data)
    making.make_backup(site, tmp_path / "whole.tar")
    close(site)
    with pytest.raises(InvalidInput, match="whole site"):
        taking_back.take_back(site, tmp_path / "whole.tar")
    with pytest.raises(InvalidInput, match="only the database"):
        restoring.restore(tmp_path / "new", taking_back.copies(old_file)[0])
