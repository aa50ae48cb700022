"""A recorded boot ends in a finding."""

import pytest

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.recordings.boot_record import BootRecord, Transfer

PC = "64-bit UEFI PC"


def reply(
    server: str, *, message: int = 2, offered: str = "0.0.0.0", file: str = "", port: int = 67
) -> Reply:
    """An answer of a server: with an address it is a DHCP server's."""
    word = "" if offered != "0.0.0.0" else "PXEClient"
    return Reply(1, server, port, message, server, offered, server, file, word)


ADDRESS = reply("10.0.0.1", offered="10.0.0.99")
BOOT = reply("10.0.0.2", file="snponly.efi")


def record(*, replies: tuple[Reply, ...] = (), discovers: int = 1) -> BootRecord:
    """A machine that asked and was answered so."""
    made = BootRecord("52:54:00:00:00:01", 100.0)
    for number in range(discovers):
        made.discover(100.0 + 4 * number, PC)
    for one in replies:
        made.reply(100.1, one)
    return made


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((), "no server answered [PXE-E51]"),
        ((BOOT,), "no DHCP server offered an address [PXE-E52]"),
        ((ADDRESS,), "no boot server answered a 64-bit UEFI PC [PXE-E53]"),
        (
            (ADDRESS, BOOT, reply("10.0.0.9", file="evil")),
            "several boot servers answered: 10.0.0.2, 10.0.0.9",
        ),
    ],
)
def test_offers_that_are_missing_or_too_many_are_named(
    replies: tuple[Reply, ...], words: str
) -> None:
    """With the code on the machine's screen."""
    assert record(replies=replies).finding() == (True, words)


def test_firmware_that_never_merges_two_offers_is_known_by_its_pattern() -> None:
    """Three tries, both offers, no REQUEST."""
    failed, words = record(replies=(ADDRESS, BOOT), discovers=3).finding()

    assert failed
    assert "took neither, 3 times: this firmware does not merge two offers" in words


def test_silence_on_4011_is_named() -> None:
    made = record(replies=(ADDRESS, BOOT))
    made.request(101.0, "10.0.0.1")
    made.asks_4011(102.0, "10.0.0.2")
    assert made.finding() == (True, "10.0.0.2 did not answer on port 4011 [PXE-E55]")

    made.reply(102.1, reply("10.0.0.2", message=5, file="snponly.efi", port=4011))
    assert made.finding() == (
        True,
        "it was offered the boot file snponly.efi, but did not load it",
    )


@pytest.mark.parametrize(
    ("state", "protocol", "finding"),
    [
        ("asked", "TFTP", (True, "10.0.0.2 did not answer for x [PXE-E32]")),
        ("asked", "TCP", (True, "10.0.0.2 did not answer for x")),
        ("error no such file", "TFTP", (True, "10.0.0.2 refused x: no such file")),
        ("running", "TFTP", (False, "it got as far as x")),
        ("probed", "TFTP", (False, "it got as far as x")),
    ],
)
def test_the_last_file_decides(state: str, protocol: str, finding: tuple[bool, str]) -> None:
    """Loaders probe for files that need not be there: earlier errors do not count."""
    made = record(replies=(ADDRESS, BOOT))
    made.request(101.0, "10.0.0.1")
    made.asks_file(102.0, Transfer("probe", "10.0.0.2", "TFTP", "error not found"))
    made.asks_file(103.0, Transfer("x", "10.0.0.2", protocol, state))

    assert made.finding() == finding


def test_a_machine_that_goes_on_differently_begins_a_new_phase() -> None:
    """What the first phase heard is no excuse for the second."""
    made = record(replies=(ADDRESS, BOOT))
    made.discover(110.0, f"{PC}, HTTP boot")
    made.reply(110.1, ADDRESS)

    assert made.finding() == (
        True,
        "no boot server answered a 64-bit UEFI PC, HTTP boot [PXE-E53]",
    )


def test_a_story_has_an_end() -> None:
    """A machine that asks for ever does not fill the memory."""
    made = record(discovers=1000)

    assert len(made.lines) == 201
    assert made.lines[-1][1] == "the rest of this long recording is left out"
    assert made.as_data()["failed"] is True
