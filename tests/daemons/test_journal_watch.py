"""Events that cannot be written are counted on the board."""

import os

import pytest

from netboot.boot.told.events import Discovered
from netboot.daemons import journal_watch
from netboot.operations.processes import BOARD, Board, OwnReport
from netboot.serve.udp import Loop
from netboot.store.boots.journal import Journal


@pytest.mark.loopback
def test_lost_events_and_the_reason_are_reported_and_the_loop_goes_on(tmp_path, monkeypatch):
    """The journal is a folder here, which no program can write to."""
    board = Board.create()
    monkeypatch.setenv(BOARD, str(board.fd))
    monkeypatch.setattr(journal_watch, "LOOK_SECONDS", 0.05)
    (tmp_path / "journal.db").mkdir()
    journal = Journal(tmp_path / "journal.db", capacity=2)
    for number in range(50):
        journal.emit(
            Discovered(
                at=float(number),
                mac="52:54:00:00:00:01",
                architecture="x64",
                firmware="uefi",
                stage="firmware",
            )
        )
    board.note("boot services", {"running": True})
    loop = Loop()
    journal_watch.watch_journal(loop, journal, OwnReport("boot services"))

    def end_when_told(_now):
        if board.states()[0].trouble:
            loop.stop()

    loop.every(0.05, end_when_told)
    loop.run()
    (state,) = board.states()
    journal.close(timeout=0.1)
    os.close(board.fd)

    assert state.lost >= 40
    assert "boot events cannot be written" in state.trouble
