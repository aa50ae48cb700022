"""What a check follows and where it looks for reasons; whole checks stand in test_main."""

from pathlib import Path

import pytest

from netboot.boot.events import OfferSent, RequestIgnored
from netboot.diagnose import fetch
from netboot.diagnose.examine import _fetch_parts, journal_reasons
from netboot.diagnose.fetch import Fetched
from netboot.store.journal import Journal

MAC = "02:6e:62:00:00:01"

SCRIPT = b"""#!ipxe
set x ${buildarch}
kernel vmlinuz initrd=initrd.gz quiet
initrd /v/pe/1/initrd.gz
initrd -n boot.wim http://10.0.0.3:80/boot.wim boot.wim || goto failed
chain http://10.0.0.2/boot.ipxe?cpu=${cpu}
chain tftp://10.0.0.2/pxeboot.n12
boot
"""


def test_what_a_script_names_is_fetched_from_where_it_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Relative to the script; what only a machine can expand is left out."""
    asked: list[str] = []

    def http(url: str, *, head: int = 0) -> Fetched:
        asked.append(f"{url} {head}")
        return Fetched(url)

    def tftp(server: str, name: str) -> Fetched:
        asked.append(f"{server} {name}")
        return Fetched(name)

    monkeypatch.setattr(fetch, "by_http", http)
    monkeypatch.setattr(fetch, "by_tftp", tftp)
    _fetch_parts(Fetched("http://10.0.0.2:8081/boot.ipxe?mac=1", SCRIPT))

    assert asked == [
        "http://10.0.0.2:8081/vmlinuz 4096",
        "http://10.0.0.2:8081/v/pe/1/initrd.gz 4096",
        "http://10.0.0.3:80/boot.wim 4096",
        "10.0.0.2 pxeboot.n12",
    ]


@pytest.mark.parametrize(
    "program", [None, Fetched("x", trouble="missing"), Fetched("x", b"MZ" + bytes(100))]
)
def test_only_scripts_have_parts(program: Fetched | None) -> None:
    """A program's inside is its own."""
    assert _fetch_parts(program) == ()


def test_the_boot_log_gives_the_newest_reason_of_that_machine(tmp_path: Path) -> None:
    """Of silence, not of anything else."""
    reason_of = journal_reasons(tmp_path)
    assert reason_of(MAC) == ""

    journal = Journal(tmp_path / "journal.db")
    journal.emit(RequestIgnored(at=1.0, mac=MAC, reason="old"))
    journal.emit(RequestIgnored(at=2.0, mac=MAC, reason="new"))
    journal.emit(RequestIgnored(at=3.0, mac="02:6e:62:00:00:02", reason="another's"))
    journal.emit(OfferSent(at=4.0, mac=MAC, file="x"))
    journal.flush()
    journal.close()

    assert reason_of(MAC) == "new"


def test_without_a_site_there_are_no_reasons() -> None:
    """A check from elsewhere."""
    assert journal_reasons(None)(MAC) == ""
