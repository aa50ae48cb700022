import pytest

from netboot.config import load_settings
from netboot.errors import AlreadyExists, InUse, InvalidInput, OperatorFault, SiteAlreadyRunning
from netboot.operations import jobs
from netboot.operations.backups import moving
from netboot.operations.images import images
from netboot.site import Site
from netboot.store.database.records import DriverRow, KnownPairRow
from netboot.store.database.site_database import Database
from tests.support.kept_sites import close, rows_of
from tests.web.support.seeding import add_version

AUDITED = {"audit", "facts"}


@pytest.fixture
def url(postgres):
    """An empty PostgreSQL database."""
    return postgres.url(postgres.fresh())


def differing(one, other):
    return {name for name in one if one[name] != other[name]}


def test_a_site_moves_to_postgresql_and_back(small, url):
    """All rows, ids and change counters, each way; the old database is as it was."""
    first = rows_of(small.database)
    with small.database.writing() as session:
        session.add_all(
            KnownPairRow(trouble="order", first={}, second={}, reason="x" * n, added_at=0.1 * n)
            for n in range(1, 4)
        )
        session.flush()
        session.delete(session.get(KnownPairRow, 3))
    before = rows_of(small.database)
    close(small)
    there = moving.move(Site.open(small.data), url, actor="ada")
    moved = Site.open(small.data)

    assert not moved.database.is_sqlite
    assert differing(before, rows_of(moved.database)) <= AUDITED
    assert before["changes"] == rows_of(moved.database)["changes"]
    assert there.rows == sum(count for count, _ in before.values())
    untouched = Database(f"sqlite:///{small.data / 'site.db'}")
    assert before == rows_of(untouched)
    untouched.close()
    assert add_version(moved).number == 2
    assert jobs.submit(moved, "clean_up", {}, title="x").id == 2
    after = rows_of(moved.database)
    close(moved)
    back = moving.move(Site.open(small.data), "sqlite")
    again = Site.open(small.data)

    assert again.database.is_sqlite
    assert differing(after, rows_of(again.database)) <= AUDITED
    assert load_settings(small.data).web_port == 8443
    assert (small.data / back.set_aside).is_file()
    assert [one.name for one in images.list_images(again)] == ["Lab PE x64"]
    assert first["drivers"] == rows_of(again.database)["drivers"]
    close(again)


def test_a_target_that_is_not_empty_is_refused_unless_forced(small, postgres, postgres_template):
    url = postgres.url(postgres.fresh(postgres_template))
    close(small)
    with pytest.raises(InUse, match="tables"):
        moving.move(Site.open(small.data), url)
    assert load_settings(small.data).database_url == ""
    done = moving.move(Site.open(small.data), url, force=True)

    assert done.set_aside.startswith("netboot_before_move_")
    with pytest.raises(AlreadyExists, match="already"):
        moving.move(Site.open(small.data), url)
    with pytest.raises(InUse, match="in use"):  # the same one under another name
        moving.move(Site.open(small.data), f"{url}&application_name=x", force=True)


def test_what_makes_no_sense_is_refused(small, tmp_path):
    """And changes nothing."""
    for url, fault in (("sqlite", AlreadyExists), (f"sqlite:///{tmp_path}/x.db", InvalidInput),
                       ("mysql://x/y", OperatorFault), ("nonsense", InvalidInput),
                       ("postgresql://nobody@/x?host=/nowhere", OperatorFault)):  # fmt: skip
        with pytest.raises(fault):
            moving.move(Site.open(small.data), url)
    lock = small.claim()
    with pytest.raises(SiteAlreadyRunning):
        moving.move(Site.open(small.data), "sqlite")
    lock.release()

    assert load_settings(small.data).database_url == ""
    assert not list(small.data.glob("*.part*"))


def test_a_text_that_postgresql_does_not_take_is_named(small, url):
    """Nothing is moved, and the database stays empty."""
    with small.database.writing() as session:
        row = session.query(DriverRow).first()
        row.provider = "x" * 300
    with pytest.raises(InvalidInput, match="longer than 255.*row"):
        moving.move(small, url)
    with small.database.writing() as session:
        session.query(DriverRow).first().provider = "a\0b"
    with pytest.raises(InvalidInput, match="NUL"):
        moving.move(small, url)
    with small.database.writing() as session:
        session.query(DriverRow).first().provider = "ab"
    assert moving.move(small, url).tables > 20


def test_a_variable_that_names_the_database_is_left_to_the_administrator(small, url, monkeypatch):
    """The settings file would not count."""
    own = f"sqlite:///{small.data / 'site.db'}"
    monkeypatch.setenv("NETBOOT_DATABASE_URL", own)
    done = moving.move(Site.open(small.data), url)

    assert done.variable == "NETBOOT_DATABASE_URL"
    assert "database_url" not in (small.data / "netboot.toml").read_text()


def test_a_copy_that_differs_is_refused(small, url, monkeypatch):
    """The comparison is real: a row that gets lost on the way is noticed."""
    real = moving.row_copies.fill
    monkeypatch.setattr(
        moving.row_copies,
        "fill",
        lambda connection, table, rows, total: real(connection, table, list(rows)[1:], total),
    )
    with pytest.raises(OperatorFault, match="rows of"):
        moving.move(small, url)
    assert load_settings(small.data).database_url == ""
