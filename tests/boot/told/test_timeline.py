"""One boot as a timeline."""

from netboot.boot.told.attempts import fold
from netboot.boot.told.events import (
    ContentServed,
    Discovered,
    OfferSent,
    RequestIgnored,
    TransferFailed,
    TransferFinished,
    TransferRefused,
)
from netboot.boot.told.ladder import OPTIONAL, Rung
from netboot.boot.told.timeline import fetches, timeline

MAC = "52:54:00:00:00:09"
ASKED = Discovered(at=100.0, mac=MAC, architecture="x64", firmware="bios", stage="firmware")


def lines(*events):
    return timeline(events, fold(events)[0])


def test_a_decision_stands_apart_from_its_reason():
    """What was offered is one thing, why is another."""
    offer = OfferSent(at=100.5, mac=MAC, file="ipxe.efi", reason="Lab v1 is the default for x64")
    told = lines(ASKED, offer)[1]

    assert (told.text, told.why) == ("offered ipxe.efi on port 67", "Lab v1 is the default for x64")
    assert (told.after, told.look, told.rung) == (0.5, "answer", Rung.OFFERED)


def test_what_is_repeated_word_by_word_is_one_line():
    """A ROM that asks four times does not fill the page."""
    ignored = [
        RequestIgnored(at=100.0 + n, mac=MAC, reason="no default image for x64") for n in range(4)
    ]
    told = lines(ASKED, *ignored)

    assert [line.times for line in told] == [1, 4]
    assert (told[1].look, told[1].why) == ("fault", "no default image for x64")


def test_a_probe_for_a_file_that_need_not_be_there_is_no_line():
    """Boot managers try a dozen names."""
    probe = TransferRefused(at=101.0, mac=MAC, name="boot.ini", reason=f"{OPTIONAL}: not needed")
    missing = TransferRefused(at=102.0, mac=MAC, name="\\Boot\\BCD", reason="no such file")

    assert [line.look for line in lines(ASKED, probe, missing)] == ["machine", "fault"]


def test_each_file_has_its_rate_and_its_place_in_time():
    """Seconds run from the request to the last byte."""
    found = fetches(
        [
            ContentServed(at=110.0, mac=MAC, name="boot.wim", size=50_000_000, seconds=5.0),
            TransferFinished(at=102.0, mac=MAC, name="ipxe", size=70_000, seconds=0.5, resent=3),
            TransferFailed(at=111.0, mac=MAC, name="boot.sdi", reason="silent", sent=9),
            TransferFailed(at=112.0, mac=MAC, name="probe", reason="aborted", sent=0),
        ]
    )

    assert [fetch.name for fetch in found] == ["ipxe", "boot.wim", "boot.sdi"]
    assert [round(fetch.rate) for fetch in found] == [140_000, 10_000_000, 0]
    assert (found[0].began, found[0].resent, found[2].failed) == (101.5, 3, "silent")


def test_a_rate_means_nothing_for_what_was_tiny():
    """A script of a kilobyte says nothing of a network."""
    (found,) = fetches([ContentServed(at=1.0, mac=MAC, name="x", size=900, seconds=0.1)])

    assert found.rate == 0.0
