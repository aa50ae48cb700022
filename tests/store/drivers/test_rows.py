"""netboot.store.drivers.rows: drivers as rows, many at a time."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select, true

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Model
from netboot.store.database.records import DriverContentRow, DriverRow, HardwareIdRow
from netboot.store.drivers.entry import entry, summary
from netboot.store.drivers.rows import (
    add_entries,
    claimants,
    load_drivers,
    load_packages,
    remove_driver,
    summaries_of,
)
from tests.samples.drivers import make_driver


def claiming(name, *ids):
    return replace(make_driver(name), models=(Model(Architecture.X64, name, ids),))


def add(site, *drivers):
    with site.database.writing() as session:
        return add_entries(session.connection(), [entry(driver) for driver in drivers])


def loaded(site):
    with site.database.transaction() as session:
        return load_drivers(session, true())


def test_what_was_added_is_loaded_the_same(site):
    """In the order in which it came."""
    drivers = [claiming("b", "PCI\\B"), claiming("a", "PCI\\A", "PCI\\A2")]
    add(site, *drivers)

    assert drivers == loaded(site)
    with site.database.transaction() as session:
        found = summaries_of(session, [driver.digest for driver in drivers] + ["sha256:none"])
    assert {driver.digest: summary(driver) for driver in drivers} == found


def test_ids_that_nobody_claimed_before_are_told_once(site):
    """Two new drivers may share a new id; an old id is no news."""
    assert add(site, claiming("one", "PCI\\A")) == ["PCI\\A"]
    new = add(site, claiming("two", "PCI\\A", "PCI\\B"), claiming("three", "PCI\\B", "PCI\\C"))

    assert sorted(new) == ["PCI\\B", "PCI\\C"]
    assert add(site) == []


def test_claimants_are_found_among_more_ids_than_a_query_takes_parameters(any_site):
    """On either database; an id that nobody claims finds nobody."""
    add(any_site, claiming("one", "PCI\\VEN_1", "PCI\\VEN_2"), claiming("two", "PCI\\VEN_3"))
    many = {f"PCI\\VEN_8086&DEV_{n:04X}" for n in range(40_000)}

    with any_site.database.transaction() as session:
        first = session.scalar(select(DriverRow.id).where(DriverRow.name == "one"))
        assert {first} == claimants(session, many | {"PCI\\VEN_1", "PCI\\VEN_2"})
        assert set() == claimants(session, many)
        assert set() == claimants(session, ())


def test_a_driver_without_ids_is_a_driver(site):
    """Some INFs only extend others."""
    assert add(site, replace(make_driver("bare"), models=())) == []
    assert [driver.models for driver in loaded(site)] == [()]


def test_a_removed_driver_leaves_nothing(site):
    """Neither ids nor content; others keep theirs."""
    add(site, claiming("one", "PCI\\A", "PCI\\B"), claiming("two", "PCI\\A"))
    with site.database.writing() as session:
        remove_driver(session, session.scalar(select(DriverRow).where(DriverRow.name == "one")))

    with site.database.transaction() as session:
        counts = [
            session.scalar(select(func.count()).select_from(row))
            for row in (DriverRow, DriverContentRow, HardwareIdRow)
        ]
    assert counts == [1, 1, 1]


@pytest.mark.parametrize("identifier", ["PCI\\VEN_8086&DEV_10D3", 'quo"te', "ünï", "tab\there"])
def test_ids_of_every_kind_are_kept_as_they_are(site, identifier):
    """They go through JSON on their way."""
    assert [identifier] == add(site, claiming("odd", identifier))


def test_only_models_that_are_asked_for_are_loaded(site):
    """Of a package for many devices, those that a few machines have."""
    models = tuple(
        Model(
            Architecture.X64, f"device {n}", (f"PCI\\VEN_8086&DEV_{n:04X}",), (f"PCI\\CC_{n:04X}",)
        )
        for n in range(5)
    )
    driver = replace(make_driver("net"), models=models)
    add(site, driver)
    wanted = frozenset({"PCI\\VEN_8086&DEV_0001", "PCI\\CC_0003"})

    with site.database.transaction() as session:
        (found,) = load_drivers(session, true(), claiming=wanted)
    assert (models[1], models[3]) == found.models
    assert driver.files == found.files


def test_packages_come_without_what_only_matching_needs(site):
    """Everything else is there; what the catalog has not is left out."""
    drivers = [claiming("b", "PCI\\B"), claiming("a", "PCI\\A")]
    add(site, *drivers)
    wanted = [drivers[0].digest, "sha256:none"]

    with site.database.transaction() as session:
        assert {wanted[0]: replace(drivers[0], models=())} == load_packages(session, wanted)
