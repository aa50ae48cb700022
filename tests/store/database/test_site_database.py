import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

import netboot.store.database.version_listings  # noqa: F401  # its rows belong to the schema
from netboot.boot.told.attempts import fold
from netboot.boot.told.events import PeReported
from netboot.errors import InvalidInput, MissingTool, OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Model
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.rows import BootFilter
from netboot.store.database import site_database as module
from netboot.store.database.records import DriverRow, DriverTraitsRow, FactRow, ImageDriverRow, Row
from netboot.store.database.schema import RELEASE
from netboot.store.database.site_database import Database
from netboot.store.database.text_search import INDEXES
from netboot.store.drivers.entry import entry
from netboot.store.drivers.rows import add_entries
from tests.samples.drivers import make_driver


@pytest.fixture
def database(site):
    return site.database


def test_migrations_from_nothing_make_what_the_rows_say(database):
    """Alembic finds no difference between a migrated database and `Row.metadata`."""
    with database.engine.connect() as connection:
        opts = {"compare_type": True, "include_name": lambda name, *_: not _of_an_index(name)}
        context = MigrationContext.configure(connection, opts=opts)
        differences = compare_metadata(context, Row.metadata)

    assert differences == []
    tables = {name for name in inspect(database.engine).get_table_names() if not _of_an_index(name)}
    assert set(Row.metadata.tables) | {"alembic_version"} == tables


def _of_an_index(table):
    """Whether it belongs to an index of trigrams, which SQLite keeps in tables of its own."""
    return (table or "").startswith(tuple(INDEXES))


def test_the_newest_migration_is_the_one_that_is_looked_for():
    """`HEAD` spares a start the whole of Alembic, so it must name the last step."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(module.MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_current_head() == module.HEAD


def test_migrating_twice_changes_nothing(database):
    """A second start finds the schema as it should be."""
    with database.writing() as session:
        session.add(FactRow(name="kept", value={"a": 1}))
    database.migrate()

    with database.transaction() as session:
        assert session.get(FactRow, "kept").value == {"a": 1}


def test_many_processes_may_begin_at_once(tmp_path):
    """Four processes that open a new site at the same moment all get the same schema."""
    code = (
        "import sys; sys.stdin.readline()\n"
        "from netboot.store.database.site_database import Database\n"
        "database = Database(sys.argv[1]); database.migrate(); print('ready')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"sqlite:///{tmp_path}/site.db"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [process.communicate(timeout=60) for process in started] == [("ready\n", "")] * 4


def test_a_migration_that_is_cut_off_leaves_the_old_schema(tmp_path, monkeypatch):
    """All steps are one transaction: after a failure in the middle nothing stands, and the
    next start works.
    """
    database = Database(f"sqlite:///{tmp_path}/site.db")
    with monkeypatch.context() as patched:
        from alembic.operations import Operations

        made = []

        def fail_late(self, name, *columns, **options):
            made.append(name)
            if len(made) == 4:
                raise KeyboardInterrupt
            return Operations._real_create_table(self, name, *columns, **options)

        patched.setattr(Operations, "_real_create_table", Operations.create_table, raising=False)
        patched.setattr(Operations, "create_table", fail_late)
        with pytest.raises(KeyboardInterrupt):
            database.migrate()
    assert len(made) == 4
    assert inspect(database.engine).get_table_names() == []
    database.migrate()
    assert "images" in inspect(database.engine).get_table_names()
    database.close()


def undo(database, revision):
    """Back to the schema before this revision."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(module.MIGRATIONS))
    before = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, before)


def traits(database):
    """Those of all drivers, by number."""
    with database.transaction() as session:
        rows = session.scalars(select(DriverTraitsRow)).all()
    return {row.driver_id: (row.services, row.spans, row.boards) for row in rows}


def test_drivers_that_were_imported_before_get_their_traits(any_site):
    """As an import gives them."""
    board = Model(Architecture.X64, "board", ("PCI\\VEN_1&DEV_2&SUBSYS_3",), service="Alpha")
    drivers = [replace(make_driver(f"nic{number}"), models=(board,)) for number in range(5)]
    with any_site.database.writing() as session:
        add_entries(session.connection(), [entry(driver) for driver in drivers])
    known = traits(any_site.database)
    undo(any_site.database, "0014")
    assert "driver_traits" not in inspect(any_site.database.engine).get_table_names()
    any_site.database.migrate()

    assert len(known) == 5
    assert known == traits(any_site.database)


def test_boots_that_were_kept_before_get_their_version_and_way(site):
    """The step before knew them from the boot's own words only."""
    database = site.database
    events = [
        PeReported(
            at=100.0 + at, mac=f"52:54:00:00:00:0{at}", image="Lab PE x64", version=2,
            driver="e1000", device="8086:100e", firmware="bios", way=way,
        )
        for at, way in enumerate(("", "iso"))
    ]  # fmt: skip
    with database.writing() as session:
        boot_rows.keep(session, fold(events))
    undo(database, "0011")
    columns = {column["name"] for column in inspect(database.engine).get_columns("boots")}
    assert not {"version", "way"} & columns
    database.migrate()

    for way, mac in (("", "52:54:00:00:00:00"), ("iso", "52:54:00:00:00:01")):
        wanted = BootFilter(image="Lab PE x64", version=2, way=way)
        with database.transaction() as session:
            assert [mac] == [one.mac for one in boot_rows.newest(session, wanted, 5, 200.0)]


def test_an_error_takes_everything_back(database):
    """Half of a change is none."""
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        session.add(FactRow(name="half", value={}))
        session.flush()
        _ = 1 / 0

    with database.transaction() as session:
        assert session.get(FactRow, "half") is None


def test_writers_take_turns(database):
    """Eight threads that each read a number and write it back raised by one lose none."""
    with database.writing() as session:
        session.add(FactRow(name="number", value={"n": 0}))

    def raise_by_one():
        for _ in range(5):
            with database.writing() as session:
                row = session.get(FactRow, "number")
                row.value = {"n": row.value["n"] + 1}

    threads = [threading.Thread(target=raise_by_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.transaction() as session:
        assert session.get(FactRow, "number").value == {"n": 40}


def test_readers_do_not_wait_for_a_writer(database):
    """While a transaction writes, others read what was before it."""
    with database.writing() as session:
        session.add(FactRow(name="new", value={}))
        session.flush()
        with database.transaction() as other:
            assert other.get(FactRow, "new") is None


def test_foreign_keys_are_kept(database):
    """A row that names a driver which is not there is refused: it would be a bug of ours."""
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(ImageDriverRow(image_id=99, driver_digest="sha256:none", position=0))


def test_a_file_that_is_no_database_is_told(tmp_path):
    """The hint says which file; nothing is written to it."""
    path = tmp_path / "site.db"
    path.write_bytes(b"these are notes, no database\n" * 100)
    before = path.read_bytes()

    with pytest.raises(OperatorFault, match="cannot be opened: file is not a database") as fault:
        Database(f"sqlite:///{path}").migrate()
    assert str(path) in fault.value.hint
    assert before == path.read_bytes()


def test_a_database_of_a_newer_release_is_left_alone(tmp_path):
    """Going back to an older netboot is refused in words, and changes nothing."""
    database = Database(f"sqlite:///{tmp_path}/site.db")
    database.migrate()
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(OperatorFault, match="the database belongs to another netboot release:"):
        database.migrate()
    with database.transaction() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    database.close()


@pytest.mark.parametrize(
    ("url", "fault", "says"),
    [
        ("not a url", InvalidInput, "database_url cannot be used"),
        ("mysql+nodriver://x/y", InvalidInput, "database_url cannot be used"),
        ("oracle+oracledb://x/y", MissingTool, "no driver for this database"),
    ],
)
def test_a_url_that_cannot_be_used_is_explained(url, fault, says):
    """A typing error in the settings is no traceback."""
    with pytest.raises(fault, match=says) as refusal:
        Database(url)
    assert refusal.value.hint


def test_a_server_that_does_not_run_is_told_without_the_password(tmp_path):
    """The hint shows the URL, and the password is not in it."""
    pytest.importorskip("psycopg")
    database = Database(f"postgresql://netboot:hunter2@/netboot?host={tmp_path}")

    with pytest.raises(OperatorFault, match="cannot be opened") as fault:
        database.migrate()
    assert "hunter2" not in str(fault.value) + fault.value.hint
    assert "postgresql" in fault.value.hint


def test_a_full_disk_is_the_operators_and_not_a_bug(tmp_path):
    """When the file may not grow, the fault says so, and what was stored before is whole."""
    database = Database(f"sqlite:///{tmp_path}/site.db")
    database.migrate()
    with database.writing() as session:
        session.add(FactRow(name="first", value={}))
    limited = sqlite3.connect(tmp_path / "site.db")
    pages = limited.execute("PRAGMA page_count").fetchone()[0]
    limited.close()

    def limit(connection, _record):
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    database.close()
    module.event.listen(database.engine, "connect", limit)
    with pytest.raises(OperatorFault, match="full"), database.writing() as session:
        session.add(FactRow(name="large", value={"text": "x" * 100_000}))
    with database.transaction() as session:
        assert set(session.scalars(select(FactRow.name))) == {"first", RELEASE}
    database.close()


def test_a_folder_that_cannot_be_written_is_the_operators(tmp_path):
    """A database in a folder that is not there is refused with a hint."""
    with pytest.raises(OperatorFault, match="unable to open database file"):
        Database(f"sqlite:///{tmp_path}/gone/site.db").migrate()
    assert os.listdir(tmp_path) == []


def test_drivers_that_were_imported_before_get_their_kind_and_signature(any_site):
    """As an import gives them now."""
    base = make_driver("nic")
    catalogs = {"checked": (True, False), "wrong": (False, False), "programs": (False, True)}
    drivers = [
        replace(make_driver(name), catalog_checked=checked, self_signed=signed)
        for name, (checked, signed) in catalogs.items()
    ]
    drivers += [make_driver("ext", class_name="Extension"), base]
    drivers.append(make_driver("tool", class_name="SoftwareComponent"))
    with any_site.database.writing() as session:
        add_entries(session.connection(), [entry(driver) for driver in drivers])
        rows = {row.name: (row.kind, row.signature) for row in session.scalars(select(DriverRow))}
        for row in session.scalars(select(DriverRow)):
            row.kind = row.kind if row.kind == "network" else "other"
            row.signature = "catalog file"
    undo(any_site.database, "0020")
    any_site.database.migrate()

    assert (rows["ext"][0], rows["tool"][0]) == ("extension", "component")
    assert [rows[name][1] for name in catalogs] == ["catalog file", "none", "signed programs"]
    with any_site.database.transaction() as session:
        found = {row.name: (row.kind, row.signature) for row in session.scalars(select(DriverRow))}
    assert rows == found
