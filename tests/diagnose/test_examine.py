"""Where a check looks for reasons; whole checks stand in test_main, and what it follows beside."""

from pathlib import Path

import pytest

from netboot.boot.told.events import DhcpStarted, OfferSent, RequestIgnored
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.examine import journal_reasons, served_interface, without_doubles
from netboot.store.boots.journal import Journal

MAC = "02:6e:62:00:00:01"


def test_the_boot_log_gives_the_newest_reason_of_that_machine(tmp_path: Path) -> None:
    """Of silence, not of anything else."""
    reason_of = journal_reasons(tmp_path)
    assert reason_of(MAC, 0) == ""

    journal = Journal(tmp_path / "journal.db")
    journal.emit(RequestIgnored(at=1.0, mac=MAC, reason="old"))
    journal.emit(RequestIgnored(at=2.0, mac=MAC, reason="new"))
    journal.emit(RequestIgnored(at=3.0, mac="02:6e:62:00:00:02", reason="another's"))
    journal.emit(OfferSent(at=4.0, mac=MAC, file="x"))
    journal.flush()
    journal.close()

    assert reason_of(MAC, 0) == "new"


def test_without_a_site_there_are_no_reasons() -> None:
    """A check from elsewhere."""
    assert journal_reasons(None)(MAC, 0) == ""


def test_an_offer_that_comes_twice_counts_once() -> None:
    """However late the second is."""
    first = Reply(1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.2", "x", "PXEClient")
    again = Reply(
        1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.2", "x", "PXEClient", after=2.0
    )

    assert without_doubles([first, again]) == (first,)


@pytest.mark.parametrize(
    ("interface", "address", "served"),
    [("lo", "127.0.0.1", "lo"), ("lo", "10.77.0.2", ""), ("none0", "127.0.0.1", "")],
)
def test_the_interface_of_the_last_start_is_that_of_this_host(
    tmp_path: Path, interface: str, address: str, served: str
) -> None:
    """A lab's interface is in another network namespace."""
    assert served_interface(tmp_path) == served_interface(None) == ""
    journal = Journal(tmp_path / "journal.db")
    journal.emit(DhcpStarted(at=1.0, interface=interface, address=address, ports="67"))
    journal.flush()
    journal.close()

    assert served_interface(tmp_path) == served
