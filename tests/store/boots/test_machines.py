"""Known machines as rows."""

import random
from dataclasses import replace

import pytest

from netboot.boot.machines.known_machine import LIST, device_list, machine_after, new_machine
from netboot.boot.told.events import Discovered, PeReported
from netboot.store.boots import machines
from netboot.store.boots.journal import Entry


def mac(number):
    return f"52:54:00:77:00:{number:02x}"


def seen(at, number=0):
    return Discovered(
        at=at, mac=mac(number), architecture="x64", firmware="uefi", stage="ipxe", nic="8086:100e"
    )


def reported(at, number=0, image="PE", devices="8086:100e:0200"):
    return PeReported(
        at=at, mac=mac(number), image=image, version=1, driver="d", device="e", devices=devices
    )


def fold(site, *events):
    with site.database.writing() as session:
        machines.fold([Entry(number, event) for number, event in enumerate(events)], session)


def listed(key, *lines, at=5.0):
    return replace(new_machine(key), told=device_list(LIST, lines), seen_at=at)


def keep(site, *some):
    with site.database.writing() as session:
        machines.keep(session, some)


def everything(site):
    with site.database.transaction() as session:
        return machines.everything(session)


def found(site, *words, limit=50, offset=0):
    with site.database.transaction() as session:
        some, total = machines.page(session, words, limit, offset)
    return [one.key for one in some], total


def test_entries_become_rows_as_the_rule_says(any_site):
    """Whatever comes in which order and in which portions."""
    chance, expected = random.Random(7), {}
    for start in range(0, 120, 6):
        events = [
            chance.choice([seen, reported])(float(at), chance.randrange(5))
            for at in range(start, start + 6)
        ]
        for event in events:
            expected[event.mac] = machine_after(event, expected)
        fold(any_site, *events)

        assert {one.key: one for one in everything(any_site)} == expected
    order = [one.seen_at for one in everything(any_site)]
    assert order == sorted(order, reverse=True)


def test_what_is_set_by_hand_outlives_boots(site):
    """A boot changes only what it shows."""
    fold(site, seen(1.0))
    keep(site, replace(everything(site)[0], authority="2023"))
    fold(site, reported(2.0))

    assert [one.authority for one in everything(site)] == ["2023"]
    with site.database.transaction() as session:
        assert {mac(0): "2023"} == machines.authorities(session)


def test_machines_that_a_check_made_up_get_no_row(site):
    """`netboot check` asks as iPXE would, card and all."""
    fold(site, replace(seen(1.0), mac="02:6e:62:00:00:01"))

    assert everything(site) == []


def test_a_page_says_how_many_there_are(any_site):
    """With a search and without one."""
    fold(any_site, *(seen(float(number), number) for number in range(7)))

    assert ([mac(6), mac(5)], 7) == found(any_site, limit=2)
    assert ([mac(0)], 7) == found(any_site, limit=2, offset=6)
    assert ([mac(4)], 7) == found(any_site, "54", limit=1, offset=2)


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("00:03",), [mac(3)]),
        (("lab pe",), [mac(3)]),
        (("UEFI",), [mac(1)]),
        (("pci\\ven_8086&dev_15be",), ["new laptops"]),
        (("8086:15be", "VEN_8086&DEV_15BE"), ["new laptops"]),
        (('a "quoted" card',), ["new laptops"]),
        (("Büro",), ["new laptops"]),
        (("100%",), []),
        (("ven_8086_dev",), []),
        (("/",), []),
    ],
)
def test_words_are_looked_for_in_all_that_a_machine_says(any_site, words, keys):
    """In capitals or not; what LIKE and JSON would read as signs of their own is plain text."""
    fold(any_site, seen(2.0, 1), reported(1.0, 3, image="Lab PE x64", devices="10ec:8168:0200"))
    text = 'PCI\\VEN_8086&DEV_15BE a "quoted" card, Büro'
    keep(any_site, listed("new laptops", text, at=0.0))

    assert (keys, len(keys)) == found(any_site, *words)


def test_a_page_is_read_by_its_index(site):
    """Ten thousand machines are neither sorted nor read for a page of fifty."""
    if not site.database.is_sqlite:
        pytest.skip("SQLite's planner; PostgreSQL has statistics of its own")
    with site.database.transaction() as session:
        query = "SELECT key FROM machines ORDER BY seen_at DESC, key DESC LIMIT 50 OFFSET 9000"
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()

    assert "COVERING INDEX ix_machines_order" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_machines_of_one_make_share_their_devices(site):
    """Ten thousand machines have few makes."""
    fold(site, reported(1.0, 1), reported(1.0, 2))
    one, two = everything(site)

    assert one.told is two.told


def test_a_machine_is_forgotten(site):
    """The others stay."""
    fold(site, seen(1.0), seen(2.0, 1))
    with site.database.writing() as session:
        machines.discard(session, mac(0))

    assert [mac(1)] == [one.key for one in everything(site)]
    with site.database.transaction() as session:
        assert (machines.count(session), machines.find(session, [mac(0)])) == (1, [])
