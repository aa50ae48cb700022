"""netboot.store.drivers.index: an index that is made from the one before is as one made anew."""

import random
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from netboot.store.database.records import DriverRow
from netboot.store.drivers.entry import entry
from netboot.store.drivers.index import read_index
from netboot.store.drivers.rows import add_entries, remove_driver, summary_value
from tests.samples.drivers import make_driver


def some(number, chance):
    """A driver of one of a few packages, so that versions meet."""
    name = f"nic{chance.randrange(6)}"
    return replace(
        make_driver(name),
        digest=f"sha256:{number:064x}",
        version=f"1.{chance.randrange(9)}.0.0",
        date=chance.choice(("2020-01-02", "2021-01-02")),
        findings=chance.choice(((), ('Größe 画像, \\ " is doubtful.', "Twice."))),
        enabled=chance.random() < 0.5,
        categories=chance.choice(((), ("Dell",), ("Dell", "Room 5"))),
    )


def add(site, drivers):
    with site.database.writing() as session:
        add_entries(session.connection(), [entry(driver) for driver in drivers])


def read(site, former=None):
    with site.database.transaction() as session:
        return read_index(session, former)


def change(site, chance, number):
    """One of all that may happen to a catalog."""
    kind = chance.randrange(5)
    if kind == 0:
        add(site, [some(number, chance)])
        return
    with site.database.writing() as session:
        rows = session.scalars(select(DriverRow).order_by(DriverRow.id)).all()
        row = chance.choice(rows)
        if kind == 1:
            row.enabled = not row.enabled
        elif kind == 2:
            row.categories = chance.choice(("", "Dell", "HP\nRoom 5"))
        elif kind == 3:
            remove_driver(session, rows[-1])
        else:
            for one in rows:
                one.enabled = True
    if kind == 3:  # SQLite gives its number once more
        add(site, [some(number, chance)])


def shown(index):
    groups = {row: vars_of(group) for row, group in index.rows}
    return [(row.summary, groups[row.said]) for row in index.rows]


def vars_of(group):
    return tuple(getattr(group, name) for name in group.__slots__)


def test_an_index_from_the_one_before_is_as_one_made_anew(any_site):
    """After each of many changes, on either database; and both are what the rows say."""
    chance = random.Random(3)
    add(any_site, [some(number, chance) for number in range(40)])
    index = read(any_site)
    for turn in range(60):
        change(any_site, chance, 100 + turn)
        index, anew = read(any_site, index), read(any_site)

        assert shown(anew) == shown(index)
        assert anew.outdated == index.outdated
        assert sorted((vars_of(g), n) for g, n in anew.counts.items()) == sorted(
            (vars_of(g), n) for g, n in index.counts.items()
        )
        with any_site.database.transaction() as session:
            rows = {row.digest: summary_value(row) for row in session.scalars(select(DriverRow))}
        assert rows == {row.said.digest: row.summary for row in index.rows}


def test_nothing_is_made_where_nothing_was_changed(site):
    """The index itself comes back."""
    add(site, [some(number, random.Random(1)) for number in range(3)])
    index = read(site)

    assert index is read(site, index)


def test_an_empty_catalog_has_an_empty_index(any_site):
    """And becomes empty again when the last driver goes."""
    assert () == read(any_site).rows
    add(any_site, [some(1, random.Random(1))])
    index = read(any_site)
    with any_site.database.writing() as session:
        remove_driver(session, session.scalars(select(DriverRow)).one())

    assert () == read(any_site, index).rows


@pytest.mark.parametrize("at_once", [1, 7])
def test_rows_are_read_in_parts(any_site, monkeypatch, at_once):
    """However many parts that are."""
    monkeypatch.setattr("netboot.store.drivers.index.AT_ONCE", at_once)
    chance = random.Random(2)
    add(any_site, [some(number, chance) for number in range(10)])
    index = read(any_site)
    add(any_site, [some(number, chance) for number in range(10, 30)])
    index = read(any_site, index)

    with any_site.database.transaction() as session:
        assert 30 == len(index.rows) == session.scalar(select(func.count()).select_from(DriverRow))


def test_the_newest_version_is_known_of_each_older_one(site):
    """By date, then version, as Windows does; two that are alike are both the newest."""
    chance = random.Random(1)
    versions = [
        replace(some(number, chance), name="a", inf_name="a.inf", date=date, version=version)
        for number, (date, version) in enumerate(
            [("2020-01-02", "9.0.0.0"), ("2021-01-02", "1.0.0.0"), ("2021-01-02", "1.10.0.0")]
        )
    ]
    twin = replace(versions[2], digest="sha256:" + "f" * 64)
    add(site, [*versions, twin])
    outdated = read(site).outdated

    assert {one.digest for one in versions[:2]} == set(outdated)
    assert {"1.10.0.0"} == {newest.version for newest in outdated.values()}
