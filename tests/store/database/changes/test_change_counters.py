"""A stamp differs after every change of its subjects, whoever made it, and after nothing else."""

import pytest
from sqlalchemy import inspect, text

from netboot.site import Site
from netboot.store.database.changes.change_counters import SUBJECTS, ChangeRow, count_changes
from netboot.store.database.records import DefaultImageRow, DeploymentRow, FactRow, MachineRow, Row
from netboot.store.database.site_database import Database
from netboot.store.database.upsert import upsert


def add_machine(database, key="one"):
    with database.writing() as session:
        session.add(MachineRow(key=key, source="list", devices=[], seen_at=0.0))


def test_adding_changing_and_deleting_each_give_another_stamp(site):
    """None of the three may be missed: a kept result would go on being shown."""
    database = site.database
    seen = [database.stamp("machines")]
    add_machine(database)
    seen.append(database.stamp("machines"))
    with database.writing() as session:
        session.get(MachineRow, "one").firmware = "uefi"
    seen.append(database.stamp("machines"))
    with database.writing() as session:
        session.delete(session.get(MachineRow, "one"))
    seen.append(database.stamp("machines"))

    assert len(set(seen)) == len(seen) == 4


def test_what_is_done_to_many_rows_at_once_is_counted_too(site):
    """Statements that name no single row, as imports and clean-ups use them."""
    database = site.database
    with database.writing() as session:
        rows = [
            {"mac": f"mac {number}", "image_name": "PE", "comment": "", "changed_at": 0.0}
            for number in range(10)
        ]
        session.execute(DeploymentRow.__table__.insert(), rows)
    before = database.stamp("policy")
    with database.writing() as session:
        session.execute(DeploymentRow.__table__.delete())

    assert database.stamp("policy") > before


def test_another_process_on_the_same_site_is_noticed(site):
    """The worker and the command line have databases of their own, on the same file or server."""
    before = site.database.stamp("machines")
    other = Site.open(site.data)
    add_machine(other.database)
    other.database.close()

    assert site.database.stamp("machines") > before


def test_reading_and_other_subjects_leave_a_stamp_as_it_is(site):
    """Else nothing could be kept: machines boot all the time."""
    database = site.database
    before = database.stamp("catalog", "images", "policy", "jobs", "accounts")
    add_machine(database)
    with database.writing() as session:
        session.add(FactRow(name="fact", value={}))
    with database.transaction() as session:
        session.get(FactRow, "fact")

    assert before == database.stamp("catalog", "images", "policy", "jobs", "accounts")


def test_what_was_taken_back_is_no_change(site):
    """A transaction that fails leaves the numbers as they were."""
    database = site.database
    before = database.stamp("policy")
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        session.add(DefaultImageRow(architecture="x64", image_name="PE"))
        session.flush()
        _ = 1 // 0

    assert before == database.stamp("policy")


def test_a_stamp_has_the_numbers_of_its_subjects_in_their_order(site):
    """So a subject that stands still cannot be taken for one that moves."""
    database = site.database
    add_machine(database)

    (policy, machines) = database.stamp("policy", "machines")

    assert (machines, policy) == database.stamp("machines", "policy")
    assert policy != machines


def test_a_subject_that_nobody_counts_is_a_mistake_of_ours(site):
    """A stamp that never changes would keep a result for ever."""
    with pytest.raises(KeyError):
        site.database.stamp("weather")


def test_every_counted_table_exists():
    """A table that was renamed would be counted no more."""
    tables = {table for subject in SUBJECTS.values() for table in subject}

    assert tables <= set(Row.metadata.tables)


def test_a_table_that_a_migration_made_anew_is_counted_again(site):
    """SQLite drops triggers with their table; counting begins again after the migration."""
    database = site.database
    with database.engine.begin() as connection:
        if database.is_sqlite:
            connection.execute(text("DROP TRIGGER machines_insert_counted"))
        else:
            connection.execute(text("DROP TRIGGER machines_counted ON machines"))
        count_changes(connection)
    before = database.stamp("machines")
    add_machine(database)

    assert database.stamp("machines") > before


def test_a_database_of_an_earlier_release_counts_after_its_migration(tmp_path):
    """Its tables are there before `changes` is."""
    from alembic import command
    from alembic.config import Config

    from netboot.store.database.site_database import MIGRATIONS

    database = Database(f"sqlite:///{tmp_path / 'site.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database._writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0011")
    assert ChangeRow.__tablename__ not in inspect(database.engine).get_table_names()
    database.migrate()
    before = database.stamp("machines")
    add_machine(database)

    assert database.stamp("machines") > before
    database.close()


def test_the_fleet_changes_with_what_decides_about_a_machine_alone(site):
    """Being seen again is no change, however it is written: machines boot all day."""
    database = site.database

    def write(**more):
        row = {"key": "one", "source": "list", "devices": ["8086:100e"], "seen_at": 0.0}
        row |= {"architecture": "", "firmware": "", "image_name": "", "authority": ""}
        with database.writing() as session:
            upsert(session, MachineRow, [row | more], key="key")
        return database.stamp("fleet")

    empty, new = database.stamp("fleet"), write()
    again = write(seen_at=9.0, image_name="Lab PE x64")
    others = [write(firmware="uefi"), write(devices=["8086:100f"])]
    with database.writing() as session:
        session.delete(session.get(MachineRow, "one"))

    assert new == again
    assert len({empty, new, *others, database.stamp("fleet")}) == 5
