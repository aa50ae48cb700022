"""Work that goes on for ever."""

import threading

import pytest

from netboot.daemons import keep_at as module
from netboot.errors import DatabaseFault, DiskFault


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.004)


@pytest.mark.parametrize(
    "fault", [DatabaseFault("gone"), DiskFault("full"), KeyError("x"), SystemExit(2)]
)
def test_any_fault_costs_a_pause_and_is_told_until_a_step_succeeds(fault):
    """A bug is named by its kind alone: its text may hold anything."""
    ending, told, tries = threading.Event(), [], []

    def step():
        tries.append(1)
        if len(tries) < 4:
            raise fault
        ending.set()
        return 0.0

    module.keep_at(step, ending, what="test", trouble=told.append)

    assert len(tries) == 4
    assert len(told) == 4
    assert told[-1] == ""
    assert str(fault) in told[0] or type(fault).__name__ in told[0]


def test_a_pause_ends_when_the_process_stops(monkeypatch):
    """However long it would be."""
    monkeypatch.setattr(module, "FIRST_PAUSE", 600.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 600.0)
    ending, failed = threading.Event(), threading.Event()

    def step():
        failed.set()
        raise DatabaseFault("gone")

    thread = threading.Thread(
        target=module.keep_at, args=(step, ending), kwargs={"what": "x", "trouble": str}
    )
    thread.start()
    assert failed.wait(10)
    ending.set()
    thread.join(10)
    assert not thread.is_alive()
