import threading
import time

import pytest

from netboot.boot.told.events import Discovered, PeReported
from netboot.store.boots.journal import Journal
from vm.reports import JournalReports

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"


@pytest.fixture
def journal(tmp_path):
    """A site's journal."""
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def report(mac, version=1):
    return PeReported(
        at=time.time(), mac=mac, image="Lab", version=version, driver="a.inf", device="1:2"
    )


def test_only_what_came_since_and_from_this_machine_counts(journal):
    """An earlier boot's report, another machine's and other events are left out."""
    journal.emit(report(MAC, version=1))
    journal.flush()
    reports = JournalReports(journal)

    journal.emit(report(OTHER))
    journal.emit(Discovered(at=time.time(), mac=MAC, architecture="x64", firmware="", stage=""))
    journal.emit(report(MAC, version=2))
    journal.flush()

    assert [each.version for each in reports.arrived({MAC}, expected=False)] == [2]


def test_an_expected_report_is_waited_for(journal):
    """It may reach the journal a little after the machine said so."""
    reports = JournalReports(journal)
    late = threading.Timer(0.3, journal.emit, [report(MAC)])
    late.start()

    assert len(reports.arrived({MAC}, expected=True)) == 1
    late.join()


def test_no_report_is_an_empty_answer(journal):
    """Where none is expected nobody waits."""
    began = time.monotonic()

    assert JournalReports(journal).arrived({MAC}, expected=False) == ()
    assert time.monotonic() - began < 1.0
