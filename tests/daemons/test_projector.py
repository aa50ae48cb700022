"""The projector folds the journal into rows, once, whatever fails on the way."""

import threading
import time
from multiprocessing import get_context

import pytest
from sqlalchemy import func, select

from netboot.boot.told.attempts import Folder
from netboot.boot.told.events import Discovered
from netboot.daemons import keep_at
from netboot.daemons import projector as module
from netboot.daemons.projector import Projector, catch_up
from netboot.errors import OperatorFault
from netboot.operations.accounts import webhooks
from netboot.operations.boots import boots
from netboot.operations.machines import machines
from netboot.site import Site
from netboot.store.boots import journal_mark
from netboot.store.database.records import BootHourRow, FactRow
from tests.web.support.seeding import boot_events

MAC = "52:54:00:00:00:01"


def mac(number):
    return f"52:54:00:00:00:{number:02x}"


def emit(site, *events):
    for event in events:
        site.journal.emit(event)
    assert site.journal.flush()


def boots_at(*numbers):
    return [event for number in numbers for event in boot_events(mac(number), at=1e9 + number)]


def known(site):
    """How many boots, boots in the sums of the hours, and machines there are."""
    with site.database.transaction() as session:
        sums = session.scalar(select(func.sum(BootHourRow.online + BootHourRow.other)))
    return boots.count(site), int(sums or 0), len(machines.list_machines(site))


def mark(site):
    with site.database.transaction() as session:
        return journal_mark.read(session)


@pytest.fixture
def running(site):
    """A projector that runs until the test ends."""
    ending = threading.Event()
    thread = threading.Thread(target=module.project, args=[site, ending])
    thread.start()
    yield thread
    ending.set()
    thread.join(30)
    assert not thread.is_alive()


def eventually(site, expected):
    """What is known as soon as it is what is expected, or after half a minute."""
    until = time.monotonic() + 30
    newest = site.journal.last_id()
    while known(site) != expected and time.monotonic() < until:
        site.journal.wait_for_change(newest, 0.05)
    return known(site)


def test_an_event_is_in_rows_of_boots_machines_and_hours_at_once(any_site):
    """One transaction writes them all, with the mark."""
    assert known(any_site) == (0, 0, 0)
    emit(any_site, *boots_at(1, 2))
    catch_up(any_site)

    assert known(any_site) == (2, 2, 2)
    assert any_site.journal.last_id() == mark(any_site).id


def test_a_step_folds_at_most_a_batch(site, monkeypatch):
    """Others who want to write get their turn between two batches."""
    monkeypatch.setattr(module, "BATCH", 5)
    emit(site, *boots_at(1, 2))
    projector, steps = Projector(site), []
    while folded := projector.step():
        steps.append(folded)

    assert steps == [5, 5, 5, 1]
    assert known(site) == (2, 2, 2)


def test_nothing_new_writes_nothing(site):
    """Pages that are open would be woken, and a disk that sleeps too."""
    emit(site, *boots_at(1))
    catch_up(site)
    before = site.database.stamp("boots", "machines", "fleet")
    with site.database.writing():  # whoever wants to write now would wait
        catch_up(site)

    assert before == site.database.stamp("boots", "machines", "fleet")


def test_what_happens_while_it_runs_is_in_rows(site, running):
    """It wakes for each new entry of the journal."""
    for number in (1, 2):
        emit(site, *boots_at(number))
        assert (number, number, number) == eventually(site, (number, number, number))


def fold_in_a_process(data, started):
    site = Site.open(data)
    started.wait(30)
    catch_up(site)


def test_processes_that_fold_at_once_double_nothing(any_site, monkeypatch):
    """Each reads the mark while it holds the writer's turn."""
    hook, _ = webhooks.add_webhook(any_site, "http://203.0.113.7/", ["boot.*"])
    catch_up(any_site)
    emit(any_site, *boots_at(*range(40)))
    context = get_context("spawn")
    started = context.Event()
    others = [
        context.Process(target=fold_in_a_process, args=[any_site.data, started]) for _ in range(3)
    ]
    for other in others:
        other.start()
    started.set()
    monkeypatch.setattr(module, "BATCH", 7)
    catch_up(any_site)
    for other in others:
        other.join(60)

    assert [other.exitcode for other in others] == [0, 0, 0]
    assert known(any_site) == (40, 40, 40)
    assert len(webhooks.deliveries(any_site, hook.id)) == 40


def test_a_database_that_fails_is_tried_again(site, monkeypatch):
    """The projector lives on; events wait in the journal."""
    monkeypatch.setattr(keep_at, "FIRST_PAUSE", 0.01)
    tries, keep = [], module.machine_rows.keep

    def refuse_first(session, some):
        tries.append(1)
        if len(tries) < 4:
            raise OperatorFault("the disk is full")
        keep(session, some)

    monkeypatch.setattr(module.machine_rows, "keep", refuse_first)
    emit(site, *boots_at(1))
    ending = threading.Event()
    thread = threading.Thread(target=module.project, args=[site, ending])
    thread.start()
    rows = eventually(site, (1, 1, 1))
    ending.set()
    thread.join(30)

    assert rows == (1, 1, 1)
    assert len(tries) >= 4
    assert not thread.is_alive()


def test_a_boot_that_is_under_way_at_a_restart_is_folded_whole(site):
    """Another projector reads its beginning again."""
    events = boots_at(1)
    emit(site, *events[:4])
    catch_up(site)
    emit(site, *events[4:])
    catch_up(site)
    (found,) = boots.attempts(site)

    assert (found.driver, len(found.steps)) == ("e1000", 8)


def test_another_journal_is_read_from_its_beginning(site):
    """The file was lost; what was made of it stays."""
    emit(site, *boots_at(1, 2))
    catch_up(site)
    site.journal.close()
    for path in site.data.glob("journal.db*"):
        path.unlink()
    vars(site).pop("journal")
    emit(site, *boots_at(3))
    catch_up(site)

    assert known(site) == (3, 3, 3)
    assert site.journal.last_id() == mark(site).id


def test_a_site_of_an_earlier_release_loses_and_doubles_nothing(any_site):
    """Its boots were read less far than its machines, and webhooks furthest."""
    hook, _ = webhooks.add_webhook(any_site, "http://203.0.113.7/", ["boot.*"])
    first, second, third = boots_at(1), boots_at(2), boots_at(3)
    emit(any_site, *first)
    catch_up(any_site)
    machines.forget(any_site, mac(1))
    sent = {"journal": 12, "audit": 0, "jobs": 0.0}
    with any_site.database.writing() as session:
        session.delete(session.get(FactRow, journal_mark.READ_TO))
        for name, value in (("boots", {"id": 5}), ("machines", {"id": 8}), ("webhooks", sent)):
            session.merge(FactRow(name=f"{name}_read_to", value=value))
    emit(any_site, *second, *third)
    catch_up(any_site)

    # The machine that was forgotten after its events were read stays forgotten.
    assert known(any_site) == (3, 3, 2)
    assert mark(any_site).id == 16 + 8
    told = [one.event for one in webhooks.deliveries(any_site, hook.id)]
    assert told == ["boot.online"] * 2


def test_a_forgotten_machine_comes_back_when_it_boots(site):
    """Its next boot is a new one."""
    emit(site, *boots_at(1))
    catch_up(site)
    machines.forget(site, MAC)
    catch_up(site)
    assert known(site) == (1, 1, 0)
    emit(
        site,
        Discovered(at=2e9, mac=MAC, architecture="x64", firmware="uefi", stage="firmware"),
    )
    catch_up(site)

    assert known(site) == (2, 2, 1)


def test_an_entry_that_netboot_fails_on_is_set_aside_and_those_after_it_are_folded(
    any_site, monkeypatch, capsys
):
    """It is counted, logged, shown, and stays in the journal; nothing that follows is lost."""
    fold = Folder.add

    def add(folder, one):
        if one.mac == mac(2) and one.kind == "Discovered":
            raise KeyError("no such thing")
        return fold(folder, one)

    monkeypatch.setattr(Folder, "add", add)
    emit(any_site, *boots_at(1, 2, 3))
    newest = any_site.journal.last_id()
    catch_up(any_site)

    assert mark(any_site).id == newest
    assert any_site.journal.last_id() == newest
    assert {one.key for one in machines.list_machines(any_site)} >= {mac(1), mac(3)}
    with any_site.database.transaction() as session:
        aside = journal_mark.aside(session)
    assert (aside.count, aside.newest[0]["kind"], aside.newest[0]["reason"]) == (
        1, "Discovered", "KeyError",
    )  # fmt: skip
    emit(any_site, *boots_at(4))
    catch_up(Site.open(any_site.data))  # a new process reads the entry again while it warms up
    assert mac(4) in {one.key for one in machines.list_machines(any_site)}


def test_a_bug_that_is_of_no_entry_sets_none_aside(site, monkeypatch):
    """Otherwise a fault in the rest of a step would set every entry aside, one by one."""
    emit(site, *boots_at(1))
    monkeypatch.setattr(module.happenings, "collect", lambda *_, **__: 1 // 0)
    projector = Projector(site)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            projector.step()
    monkeypatch.undo()
    catch_up(site)

    assert known(site) == (1, 1, 1)
    with site.database.transaction() as session:
        assert journal_mark.aside(session).count == 0
