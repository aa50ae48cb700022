"""netboot.operations.drivers.search: the catalog's lists agree with the rules, page by page."""

import random

import pytest
from sqlalchemy import select

from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.driver import Driver, DriverKind, Model, Signature
from netboot.operations.drivers import drivers
from netboot.operations.drivers.search import driver_totals, search_drivers
from netboot.site import Site
from netboot.store.database.records import DriverRow
from netboot.store.drivers.entry import entry
from netboot.store.drivers.rows import add_entries, summary_value
from tests.images.drivers.packages import DISPLAY, NET, SCSI

WORDS = ("Intel", "Realtek", "100%", "a_b", "Größe", "gigabit")
CLASSES = (NET, SCSI, DISPLAY)


def some_driver(number, chance):
    class_name, guid = chance.choice(CLASSES)
    architectures = frozenset(chance.sample(list(Architecture), chance.randrange(1, 3)))
    ids = tuple(
        f"PCI\\VEN_{chance.randrange(4):04X}&DEV_{chance.randrange(6):04X}"
        f"&SUBSYS_{chance.randrange(1 << 32):08X}"
        for _ in range(4)
    )
    return Driver(
        digest=f"sha256:{number:064x}",
        name=chance.choice(WORDS),
        inf_name=f"oem{number}.inf",
        provider=chance.choice(WORDS),
        class_name=class_name,
        class_guid=guid,
        version=f"1.{number}.0.0",
        date="2020-01-02",
        architectures=architectures,
        models=tuple(Model(one, chance.choice(WORDS), ids) for one in architectures),
        files=(),
        catalog_file=chance.choice(("", "a.cat")),
        findings=chance.choice(((), ("Something is doubtful.",))),
        enabled=chance.random() < 0.5,
        categories=tuple(sorted(chance.sample(["Dell", "HP", "Room 5"], chance.randrange(3)))),
    )


@pytest.fixture
def stocked(any_site):
    """A catalog of 120 drivers, and the drivers themselves."""
    chance = random.Random(11)
    drivers = [some_driver(number, chance) for number in range(120)]
    with any_site.database.writing() as session:
        add_entries(session.connection(), [entry(driver) for driver in drivers])
    return any_site, drivers


FILTERS = [
    DriverFilter(),
    DriverFilter(kind=DriverKind.NETWORK),
    DriverFilter(architecture=Architecture.ARM64),
    DriverFilter(enabled=True),
    DriverFilter(enabled=False, kind=DriverKind.STORAGE, architecture=Architecture.X64),
    DriverFilter(signature=Signature.NONE),
    DriverFilter(has_findings=True, category="Dell"),
    DriverFilter(category="Room 5"),
    DriverFilter(category="Del"),
    *(DriverFilter(text) for text in (
        "intel", "INTEL oem1", "100%", "%", "a_b", "größe", "dell", "ven_0001", "dev_0003",
        "ven_0001&dev_0003", "pci\\ven_0002&dev_0005", "0001:0003", "zzz", "oem7.inf gigabit",
    )),
    DriverFilter("intel", kind=DriverKind.NETWORK, enabled=True),
]  # fmt: skip


def fits(wanted, driver):
    """The rule of a filter, without a database."""
    text = wanted.text.casefold()
    if ":" in text:  # short for what Windows writes at length
        text = "ven_{}&dev_{}".format(*text.split(":"))
    names = (driver.name, driver.inf_name, driver.provider, driver.class_name, driver.version)
    descriptions = (model.description for model in driver.models)
    words = (*names, driver.date, *driver.categories, *descriptions, *driver.hardware_ids)
    searched = "\n".join(words).casefold()
    return (
        wanted.kind in {None, driver.kind}
        and (wanted.architecture is None or wanted.architecture in driver.architectures)
        and wanted.enabled in {None, driver.enabled}
        and wanted.signature in {None, driver.signature}
        and wanted.has_findings in {None, bool(driver.findings)}
        and (not wanted.category or wanted.category in driver.categories)
        and all(word in searched for word in text.split())
    )


def test_the_database_finds_what_the_rule_accepts(stocked):
    """Every filter, against the rule that is written without a database; by name and version."""
    site, drivers = stocked
    for wanted in FILTERS:
        expected = {driver.digest for driver in drivers if fits(wanted, driver)}
        found = search_drivers(site, wanted)

        assert {driver.digest for driver in found.drivers} == expected, wanted
        assert len(expected) == found.total == len(found.drivers), wanted
    assert 0 < search_drivers(site, DriverFilter("ven_0001&dev_0003")).total < 120


def test_a_boards_id_is_found_by_its_middle(stocked):
    """Where names and chips have nothing, every id is looked at."""
    site, drivers = stocked
    subsystem = drivers[40].hardware_ids[0].rpartition("_")[2].lower()

    assert [drivers[40].digest] == [
        driver.digest
        for driver in search_drivers(site, DriverFilter(f"subsys_{subsystem}")).drivers
    ]


def test_several_words_of_an_id_are_found_within_one_id(stocked):
    """From the middle of one to the middle of the next; not when they are of two ids."""
    site, drivers = stocked
    one, other = drivers[40].hardware_ids[:2]
    inside = one[one.index("EV_000", 8) : -2].lower()
    mixed = f"{one[one.index('DEV_') :].partition('&')[0]}&{other.rpartition('&')[2]}".lower()
    expected = [d.digest for d in drivers if any(inside.upper() in i for i in d.hardware_ids)]

    assert drivers[40].digest in expected
    assert (
        sorted(driver.digest for driver in search_drivers(site, DriverFilter(inside)).drivers)
        == expected
    )
    wanted = mixed.upper()
    assert any(wanted in text for driver in drivers for text in driver.hardware_ids) == bool(
        search_drivers(site, DriverFilter(mixed)).total
    )


def test_a_changed_catalog_is_found_at_once(stocked):
    """Whoever changed it: another site on the same data stands for another process."""
    site, _ = stocked
    other = Site(site.data)
    everything = DriverFilter("gigabit")
    chance = random.Random(5)
    try:
        for turn in range(30):
            there = search_drivers(other, DriverFilter()).drivers
            one = chance.choice(there).digest
            match turn % 4:
                case 0:
                    drivers.enable_driver(site, one)
                case 1:
                    drivers.disable_driver(site, one)
                case 2:
                    drivers.set_categories(site, one, [f"Room {turn}"])
                case 3:
                    last = max(there, key=lambda driver: driver.digest).digest
                    drivers.delete_driver(site, last)
                    with site.database.writing() as session:
                        new = some_driver(1000 + turn, chance)
                        add_entries(session.connection(), [entry(new)])
            with site.database.transaction() as session:
                kept = {
                    row.digest: summary_value(row) for row in session.scalars(select(DriverRow))
                }
            for asked in (site, other):
                found = search_drivers(asked, DriverFilter()).drivers
                assert kept == {driver.digest: driver for driver in found}
                assert list(found) == sorted(found, key=lambda d: (d.name, d.version, d.digest))
                assert {digest for digest, driver in kept.items() if driver.enabled} == {
                    d.digest for d in search_drivers(asked, DriverFilter(enabled=True)).drivers
                }
                texts = {d.digest for d in search_drivers(asked, everything).drivers}
                assert texts == set(kept) & texts
                assert driver_totals(asked).get(True, 0) == sum(d.enabled for d in found)
    finally:
        other.database.close()


def test_a_devices_name_may_be_pasted_whole(stocked):
    """With instance and all; the drivers that would take it are shown."""
    site, drivers = stocked
    board = drivers[40].hardware_ids[0]
    pasted = f"{board}&REV_11\\3&11583659&0&FE"

    assert [drivers[40].digest] == [
        driver.digest for driver in search_drivers(site, DriverFilter(pasted)).drivers
    ]


def test_pages_are_cut_from_one_order(stocked):
    """Together they are the whole list; the total is that of all."""
    site, _ = stocked
    wanted = DriverFilter(enabled=True)
    whole = search_drivers(site, wanted)
    pages = [search_drivers(site, wanted, limit=10, offset=at) for at in range(0, 100, 10)]

    assert whole.drivers == tuple(driver for page in pages for driver in page.drivers)
    assert {whole.total} == {page.total for page in pages}
    names = [(driver.name, driver.version) for driver in whole.drivers]
    assert len(names) == whole.total


def test_counts_say_what_another_choice_would_show(stocked):
    """Each filter's counts ignore that filter itself, and keep all others."""
    site, drivers = stocked
    wanted = DriverFilter("intel", kind=DriverKind.NETWORK, enabled=True)
    counts = search_drivers(site, wanted, limit=1).counts

    for kind in DriverKind:
        fit = DriverFilter("intel", kind=kind, enabled=True)
        assert counts.kinds.get(kind, 0) == sum(fits(fit, driver) for driver in drivers)
    for architecture in Architecture:
        fit = DriverFilter("intel", wanted.kind, architecture, enabled=True)
        assert counts.architectures.get(architecture, 0) == sum(
            fits(fit, driver) for driver in drivers
        )
    off = DriverFilter("intel", kind=DriverKind.NETWORK, enabled=False)
    assert counts.enabled.get("disabled", 0) == sum(fits(off, driver) for driver in drivers)
    for category in ("Dell", "HP", "Room 5"):
        fit = DriverFilter("intel", DriverKind.NETWORK, enabled=True, category=category)
        assert counts.categories.get(category, 0) == sum(fits(fit, driver) for driver in drivers)
