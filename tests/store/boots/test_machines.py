"""The known machines: rows, and the journal's news over them."""

import random
import threading
from dataclasses import replace

import pytest

from netboot.boot.machines.known_machine import LIST, device_list, machine_after, new_machine
from netboot.boot.told.events import Discovered, PeReported
from netboot.errors import OperatorFault
from netboot.site import Site
from netboot.store.boots import machines as module
from netboot.store.boots.journal import Journal
from netboot.store.boots.machines import MachineLog
from netboot.store.database.records import FactRow, MachineRow

MAC = "52:54:00:77:00:00"


def mac(number):
    return f"52:54:00:77:00:{number:02x}"


def seen(at, number=0, nic="8086:100e"):
    return Discovered(
        at=at, mac=mac(number), architecture="x64", firmware="uefi", stage="ipxe", nic=nic
    )


def reported(at, number=0, devices="8086:100e:0200"):
    return PeReported(
        at=at, mac=mac(number), image="PE", version=1, driver="d", device="e", devices=devices
    )


def tell(site, *events):
    for event in events:
        site.journal.emit(event)
    assert site.journal.flush()


def keys(log):
    return [machine.key for machine in log.fleet().machines]


def rows(site):
    """What is written."""
    with site.database.transaction() as session:
        return sorted(row.key for row in session.query(MachineRow))


@pytest.fixture
def other(any_site):
    """Another process's site on the same data folder."""
    made = Site.open(any_site.data)
    yield made
    made.database.close()
    made.journal.close()


def listed(name, text="8086:15be", at=5.0):
    return replace(new_machine(name), told=device_list(LIST, (text,)), seen_at=at)


def test_a_machine_is_known_before_it_is_written(any_site):
    """Reading writes nothing; saving writes what is news, once."""
    tell(any_site, seen(1.0), seen(2.0, 1))
    assert [mac(1), mac(0)] == keys(any_site.machines)
    assert [] == rows(any_site)
    any_site.machines.save()

    assert [mac(0), mac(1)] == rows(any_site)
    assert any_site.machines.fleet() == any_site.machines.fleet()
    assert [mac(1), mac(0)] == keys(MachineLog(any_site.database, Journal(any_site.data / "no")))


def test_reading_does_not_wait_for_a_writer(any_site, other):
    """Somebody has the turn; a machine that booted is shown all the same."""
    any_site.machines.fleet()
    with other.database.writing() as session:
        session.merge(FactRow(name="turn", value={}))
        tell(any_site, seen(1.0))

        assert MAC == any_site.machines.find(MAC).key
        assert [MAC] == keys(any_site.machines)


def test_what_another_process_did_is_seen_at_once(any_site, other):
    """Machines that came, went or were changed there."""
    tell(any_site, seen(1.0))
    any_site.machines.save()
    with other.machines.changing() as change:
        change.keep(listed("new laptops"))
        change.keep(replace(change.find(MAC), authority="2023"))
    assert ["new laptops", MAC] == keys(any_site.machines)
    assert "2023" == any_site.machines.find(MAC).authority
    with other.machines.changing() as change:
        change.forget(MAC)

    assert ["new laptops"] == keys(any_site.machines)


def test_a_row_that_is_changed_past_it_is_seen_at_once(any_site):
    """An image that is renamed has its new name in all rows."""
    tell(any_site, reported(1.0))
    any_site.machines.save()
    with any_site.database.writing() as session:
        session.query(MachineRow).update({"image_name": "New PE"})

    assert "New PE" == any_site.machines.find(MAC).image


def test_two_processes_agree_whatever_comes_in_which_order(any_site, other):
    """Events, saves and changes by hand from both sides, held against a plain account of them."""
    chance = random.Random(7)
    expected = {}

    def boot(at):
        event = chance.choice([seen, reported])(at, chance.randrange(4))
        expected[event.mac] = machine_after(event, expected)
        tell(any_site, event)

    def change(at):
        key = chance.choice([*map(mac, range(4)), "a list"])
        with chance.choice([any_site, other]).machines.changing() as change:
            assert expected.get(key) == change.find(key)
            if chance.random() < 0.5:
                expected[key] = listed(key, at=at)
                change.keep(expected[key])
            else:
                expected.pop(key, None)
                change.forget(key)

    for at in range(120):
        step = chance.choice([boot, boot, change, None])
        if step is None:
            chance.choice([any_site, other]).machines.save()
        else:
            step(float(at))
        for site in chance.sample([any_site, other], chance.randrange(3)):
            assert {one.key: one for one in site.machines.fleet().machines} == expected
            assert all(one == site.machines.find(one.key) for one in expected.values())
    order = [one.seen_at for one in other.machines.fleet().machines]

    assert order == sorted(order, reverse=True)


def test_a_machine_that_is_forgotten_while_it_boots_comes_back(site):
    """What the journal tells meanwhile counts on top of what is changed by hand."""
    tell(site, seen(1.0), seen(1.0, 1))
    with site.machines.changing() as change:
        change.forget(MAC)
        change.keep(listed(mac(1)))
        tell(site, seen(9.0), seen(9.0, 1))
        assert MAC == site.machines.find(MAC).key

    assert [9.0, 9.0] == [site.machines.find(mac(n)).seen_at for n in (0, 1)]
    assert LIST == site.machines.find(mac(1)).source
    site.machines.save()
    assert [mac(0), mac(1)] == rows(site)


def test_a_change_that_fails_changes_nothing(site, monkeypatch):
    """Neither what is known nor what is written; the news waits for the next save."""
    tell(site, seen(1.0))
    known = site.machines.fleet()
    with pytest.raises(ZeroDivisionError), site.machines.changing() as change:
        change.forget(MAC)
        _ = 1 // 0
    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", refuse)
        with pytest.raises(OperatorFault):
            site.machines.save()
    assert ([], known) == (rows(site), site.machines.fleet())
    site.machines.save()

    assert [MAC] == rows(site)


def refuse(*_arguments):
    raise OperatorFault("the disk is full")


def test_what_one_writes_oneself_is_not_read_again(site, monkeypatch):
    """Ten thousand machines take a tenth of a second, and boots are saved each second."""
    site.machines.fleet()
    monkeypatch.setattr(MachineLog, "_read", refuse)
    for at in range(3):
        tell(site, seen(float(at)), reported(float(at), 1))
        site.machines.save()
        with site.machines.changing() as change:
            change.keep(listed(f"list {at}"))
            change.forget(MAC)

    assert [mac(1), "list 0", "list 1", "list 2"] == sorted(keys(site.machines))


def test_the_shape_is_another_when_a_machine_is_another(site):
    """Being seen again changes the order alone; so what is known of a fleet can be kept."""
    tell(site, seen(1.0), seen(2.0, 1))
    before = site.machines.fleet()
    tell(site, seen(3.0))
    again = site.machines.fleet()
    assert (before.shape, [mac(0), mac(1)]) == (again.shape, keys(site.machines))
    shapes = [again.shape]
    tell(site, reported(4.0))
    shapes.append(site.machines.fleet().shape)
    tell(site, seen(5.0, 2))
    shapes.append(site.machines.fleet().shape)
    with site.machines.changing() as change:
        change.forget(mac(2))
    shapes.append(site.machines.fleet().shape)

    assert len(set(shapes)) == 4


def test_who_reads_saves_where_nobody_else_does(site, monkeypatch):
    """Else the command line would read a long journal again at each call."""
    monkeypatch.setattr(module, "PENDING", 3)
    tell(site, *(seen(float(at)) for at in range(3)))
    site.machines.fleet()
    assert [] == rows(site)
    tell(site, seen(9.0))

    assert MAC == site.machines.find(MAC).key
    assert [MAC] == rows(site)


def test_events_that_show_no_machine_are_not_written_each_second(site):
    """A write costs the disk more than reading them again."""
    site.machines.save()
    tell(site, replace(seen(1.0), mac="02:6e:62:00:00:01"))
    before = site.database.stamp("machines")
    site.machines.save()
    with site.database.transaction() as session:
        assert None is session.get(FactRow, module.READ_TO)

    assert before == site.database.stamp("machines")


def test_another_journal_is_read_from_its_beginning(site, tmp_path):
    """The old one was lost: its numbers say nothing of the new one's."""
    tell(site, *(seen(float(at)) for at in range(5)))
    site.machines.save()
    journal = Journal(tmp_path / "new.db")
    journal.emit(seen(1.0, 1))
    assert journal.flush()
    log = MachineLog(site.database, journal)

    assert [mac(0), mac(1)] == keys(log)
    journal.close()


def test_a_large_fleet_is_found_by_key(site):
    """In any of the spellings that the caller tries."""
    tell(site, seen(1.0))

    assert MAC == site.machines.find("nothing", MAC).key
    assert None is site.machines.find("nothing")


def test_readers_beside_a_saver_see_every_machine_and_read_no_row_again(site, monkeypatch):
    """Pages ask while boots are saved; a commit of our own is known as such at any moment."""
    site.machines.fleet()
    monkeypatch.setattr(MachineLog, "_read", refuse)
    done, faults = threading.Event(), []

    def look():
        most = 0
        while not done.is_set():
            try:
                found = len(site.machines.fleet().machines)
            except OperatorFault as fault:
                faults.append(fault)
                return
            if found < most:
                faults.append(f"{most} machines, then {found}")
            most = found

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(40):
        tell(site, seen(float(number), number))
        site.machines.save()
    done.set()
    for reader in readers:
        reader.join()

    assert ([], 40) == (faults, len(rows(site)))
    assert rows(site) == sorted(keys(site.machines))
