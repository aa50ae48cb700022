"""The board of the site's processes: shared memory that a supervisor makes and children inherit."""

import os
import subprocess
import sys

import pytest

from netboot.operations import processes
from netboot.operations.processes import BOARD, Board, OwnReport, ProcessState, problems

STATE = {"running": True, "ended": 0, "reason": "", "ended_at": 0.0, "next_start": 0.0, "lost": 0}


@pytest.fixture
def board(monkeypatch):
    made = Board.create()
    monkeypatch.setenv(BOARD, str(made.fd))
    yield made
    os.close(made.fd)


def test_what_the_supervisor_notes_and_a_child_reports_is_one_state(board):
    """A child is another process, which inherits the descriptor."""
    board.note("worker", STATE)
    code = (
        "from netboot.operations.processes import OwnReport; report = OwnReport('worker');"
        "report.ready(); report.trouble('jobs', 'the database is locked'); report.lost(3)"
    )
    assert not board.is_ready("worker")
    subprocess.run([sys.executable, "-c", code], check=True, pass_fds=(board.fd,))

    assert board.is_ready("worker")
    assert processes.list_states() == (
        ProcessState("worker", running=True, trouble="the database is locked", lost=3),
    )


def test_several_processes_of_one_name_report_each_for_itself(board):
    """The TFTP processes; the same trouble is said once, and lost events are added."""
    board.note("boot services", STATE)
    for part in (0, 1, 2):
        report = OwnReport("boot services", part)
        report.trouble("journal", "full")
        report.lost(2)
    (state,) = board.states()
    assert (state.trouble, state.lost) == ("full", 6)
    assert board.forget_reports("boot services") == 6
    assert board.states()[0].trouble == ""


def test_trouble_that_is_over_is_no_longer_shown(board):
    board.note("worker", STATE)
    report = OwnReport("worker")
    report.trouble("jobs", "locked")
    report.trouble("audit", "locked")
    report.trouble("jobs", "")
    assert board.states()[0].trouble == "locked"
    report.trouble("audit", "")
    assert board.states()[0].trouble == ""


def test_what_a_process_works_without_is_said_until_it_says_otherwise(board):
    """A wall that the system does not draw is no trouble: the work is done."""
    board.note("worker", STATE)
    report = OwnReport("worker")
    report.note("opens untrusted files without these walls: landlock")
    (state,) = board.states()
    assert problems((state,)) == {"worker": state.note}
    report.note("")
    assert problems(board.states()) == {}


def test_without_a_board_nothing_is_known_and_reports_go_nowhere(monkeypatch, tmp_path):
    """Outside of `netboot run`, or where the number means another file by now."""
    with (tmp_path / "other").open("w") as other:
        for value in ("", "x", "999999", str(other.fileno())):
            monkeypatch.setenv(BOARD, value)
            OwnReport("worker").ready()
            assert processes.list_states() == ()
    assert (tmp_path / "other").read_text() == ""


def test_a_long_text_is_cut_so_that_the_record_stays_readable(board):
    board.note("worker", STATE)
    OwnReport("worker").trouble("jobs", "ä" * 5000)
    assert board.states()[0].trouble.startswith("ää")


def test_problems_say_what_ended_what_cannot_work_and_what_came_back():
    """And nothing of a process that runs well, or that came back long ago."""
    killed = {"ended": 2, "reason": "by SIGKILL", "ended_at": 1000.0, "next_start": 1004.0}
    states = (
        ProcessState("lab", running=True),
        ProcessState("page", running=True, **killed),
        ProcessState("projector", running=True, trouble="the disk is full"),
        ProcessState("worker", running=False, **killed),
    )
    assert problems(states, now=1002.0) == {
        "page": "ended by SIGKILL and was started again (2 times so far)",
        "projector": "cannot do its work and tries again: the disk is full",
        "worker": "ended by SIGKILL; it starts again in 2 s",
    }
    assert list(problems(states, now=9000.0)) == ["projector", "worker"]
