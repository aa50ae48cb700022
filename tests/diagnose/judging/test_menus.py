"""A boot menu is told item by item."""

from dataclasses import replace

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.asking.menu import MenuItem
from netboot.diagnose.evidence import Choice, Evidence
from netboot.diagnose.judging.findings import Finding, Level
from netboot.diagnose.judging.menus import menu

OPTION = bytes.fromhex("060103 0a0400505845 090a8000076e6574626f6f74 ff".replace(" ", ""))
OFFER = Reply(1, "10.0.0.2", 67, 2, "10.0.0.2", "0.0.0.0", "10.0.0.2", "", "PXEClient", OPTION)
ACK = Reply(1, "10.0.0.2", 4011, 5, "10.0.0.2", "0.0.0.0", "10.0.0.2", "x.0", "PXEClient")
NETBOOT, LOCAL = MenuItem(0x8000, "netboot"), MenuItem(0, "Local disk")


def told(*choices: Choice, option: bytes = OPTION) -> list[Finding]:
    offer = replace(OFFER, vendor_options=option)
    return menu(Evidence(kind=KINDS[0], offers=(offer,), choices=choices))


def test_without_a_menu_nothing_is_told() -> None:
    assert menu(Evidence(kind=KINDS[0], offers=(OFFER,))) == []


def test_the_item_that_starts_and_its_file() -> None:
    assert [(one.level, one.words) for one in told(Choice(NETBOOT, ("10.0.0.2",), ACK))] == [
        (Level.OK, "the boot menu starts 'netboot' at once; it has: 'netboot'"),
        (Level.OK, "10.0.0.2 names x.0 for 'netboot' on port 4011"),
    ]


def test_an_item_that_starts_without_an_answer_is_a_fault_and_another_a_warning() -> None:
    other = Choice(MenuItem(1, "RIS"), ("255.255.255.255",))
    _, first, second = told(Choice(NETBOOT, ("10.0.0.2",)), other)

    assert (first.level, first.words) == (
        Level.FAULT, "no answer from 10.0.0.2 for 'netboot' [PXE-E55]"
    )  # fmt: skip
    assert (second.level, second.words) == (
        Level.WARNING, "no answer from any server of this network for 'RIS' [PXE-E55]"
    )  # fmt: skip


def test_an_item_without_a_file_or_a_place_to_ask() -> None:
    _, empty = told(Choice(NETBOOT, ("10.0.0.2",), replace(ACK, file="")))
    _, nowhere = told(Choice(NETBOOT))

    assert empty.words == "10.0.0.2 answers for 'netboot' without a boot file [PXE-E53]"
    assert "[PXE-E77]" in nowhere.words


def test_a_menu_that_waits_or_starts_the_disk() -> None:
    waits = bytes.fromhex("0a01ff090a8000076e6574626f6f74ff")
    disk = bytes.fromhex("0a010a090d0000 0a 4c6f63616c206469736b ff".replace(" ", ""))

    assert told(Choice(NETBOOT, ("10.0.0.2",), ACK), option=waits)[0].words.startswith(
        "the boot menu waits until somebody chooses: 'netboot'"
    )
    first, only = told(Choice(LOCAL), option=disk)
    assert (first.level, first.words) == (
        Level.WARNING,
        (
            "the boot menu starts 'Local disk' after 10 s; it has: 'Local disk':"
            " without a person the machine does not boot from the network"
        ),
    )
    assert only.words == "the boot menu has no item that boots from the network"
