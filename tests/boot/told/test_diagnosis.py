"""Why a boot did not come up."""

import pytest

from netboot.boot.told.attempts import Outcome, fold
from netboot.boot.told.diagnosis import diagnose
from netboot.boot.told.events import (
    AddressLearned,
    ContentRefused,
    ContentServed,
    ContentStarted,
    Discovered,
    ForeignOffer,
    OfferSent,
    PeOffline,
    PeReported,
    RequestIgnored,
    ScriptServed,
    TransferContinued,
    TransferFailed,
    TransferFinished,
    TransferRefused,
    TransferStarted,
)
from netboot.boot.told.ladder import OURS, STOPPED

MAC = "52:54:00:00:00:09"
LATE = 1e6


def asked(firmware="bios"):
    return Discovered(at=1.0, mac=MAC, architecture="x64", firmware=firmware, stage="firmware")


OFFER = OfferSent(at=1.1, mac=MAC, file="ipxe")
LEASE = AddressLearned(at=1.2, mac=MAC, ip="10.0.0.7")
PROGRAM = TransferFinished(at=2.0, mac=MAC, name="ipxe", size=70_000, seconds=0.5)
SCRIPT = ScriptServed(at=3.0, mac=MAC, image="PE", version=1)
WIM = ContentServed(at=9.0, mac=MAC, name="boot.wim", size=9, seconds=1.0, image="PE", version=1)


@pytest.mark.parametrize(
    ("events", "cause", "code"),
    [
        ((asked(), RequestIgnored(at=1.1, mac=MAC, reason="no default image for x64")),
         "no default image for x64", "PXE-E53"),
        ((asked("uefi"), RequestIgnored(at=1.1, mac=MAC, reason="none")), "none", "PXE-E16"),
        ((asked(),), "got no offer", "PXE-E53"),
        ((asked(), OFFER), "no DHCP server gave it an address", "PXE-E52"),
        ((asked("uefi"), OFFER), "no DHCP server gave it an address", "PXE-E16"),
        ((asked(), OFFER, LEASE), "did not fetch it", "PXE-E32"),
        ((asked("uefi"), OFFER, LEASE), "port 4011", "PXE-E55"),
        ((asked(), OFFER, ForeignOffer(at=1.3, mac=MAC, server="10.0.0.3")), "10.0.0.3", "PXE-E3B"),
        ((asked(), OFFER, LEASE, PROGRAM), "sent nothing", "0xc0000428"),
        ((asked(), OFFER, LEASE, PROGRAM,
          TransferRefused(at=3.0, mac=MAC, name="\\Boot\\BCD", reason="no such file")),
         "\\Boot\\BCD", "0xc000000d"),
        ((asked(), OFFER, LEASE,
          TransferRefused(at=3.0, mac=MAC, name="pxelinux.0", reason="no such file")),
         "pxelinux.0", "PXE-E3B"),
        ((asked(), OFFER, LEASE, PROGRAM, SCRIPT), "did not fetch the whole", "0xc0000001"),
        ((asked(), OFFER, LEASE, PROGRAM,
          TransferFailed(at=8.0, mac=MAC, name="\\boot.wim", reason="it fell silent", sent=7)),
         "broke off: it fell silent", "0xc0000001"),
        ((asked(), OFFER, LEASE, PROGRAM, SCRIPT, WIM), "did not report home", "0xc000000f"),
    ],
)  # fmt: skip
def test_the_cause_is_told_with_the_code_that_the_screen_shows(events, cause, code):
    """From what was seen on the wire; with something to do about it."""
    found = diagnose(fold(events)[0], events, LATE)

    assert cause in found.cause
    assert code == found.codes[0].code
    assert found.cures


MANAGER = OfferSent(at=1.1, mac=MAC, file="bootmgfw.efi", image="PE", version=1, port=4011)
BEGUN = TransferStarted(at=8.0, mac=MAC, name="boot.wim", size=600_000_000, image="PE", version=1)
CUT_OFF = f"{OURS}: boot.wim: 5 bytes found, but 9 were published"


def got(name, at=3.0):
    return TransferFinished(at=at, mac=MAC, name=name, size=9, seconds=0.1, image="PE", version=1)


def refused(name, reason):
    return TransferRefused(at=8.5, mac=MAC, name=name, reason=reason)


def failed(name, reason, sent=0):
    return TransferFailed(
        at=9.0, mac=MAC, name=name, reason=reason, sent=sent, image="PE", version=1
    )


@pytest.mark.parametrize(
    ("events", "cause", "codes"),
    [
        # a damaged copy of ours, before the OACK and after it, by TFTP and by HTTP
        ((got("BCD-uefi"), refused("\\Boot\\boot.wim", CUT_OFF)),
         "netboot's own copy of \\Boot\\boot.wim is damaged: boot.wim: 5 bytes found",
         ("0xc000000f",)),
        ((refused("\\Boot\\BCD", CUT_OFF),), "own copy of \\Boot\\BCD",
         ("0xc000000d", "0xc000000f")),
        ((got("BCD-uefi"), BEGUN, failed("boot.wim", CUT_OFF)), "own copy of boot.wim",
         ("0xc0000001",)),
        ((SCRIPT, ContentRefused(at=5.0, mac=MAC, name="/v/pe/1/boot.wim", status=503,
                                 reason="boot.wim: its blob is gone")),
         "own copy of /v/pe/1/boot.wim is damaged: boot.wim: its blob is gone", ("0xc000000f",)),
        # the server died, or was stopped
        ((got("BCD-uefi"), BEGUN), "netboot stopped while it sent boot.wim", ("0xc0000001",)),
        ((TransferStarted(at=2.0, mac=MAC, name="bootmgfw.efi", size=2_000_000),),
         "netboot stopped while it sent bootmgfw.efi", ("PXE-E35",)),
        ((got("BCD-uefi"), BEGUN, failed("boot.wim", STOPPED, 9_000)),
         "netboot stopped while it sent boot.wim", ("0xc0000001",)),
        ((SCRIPT, ContentStarted(at=8.0, mac=MAC, name="boot.wim", size=600_000_000, sent=9_000)),
         "netboot stopped while it sent boot.wim", ("0xc0000001",)),
        # a broken transfer, also where nothing arrived
        ((got("BCD-uefi"), BEGUN, failed("boot.wim", "the client fell silent for 30 s")),
         "the transfer of boot.wim broke off: the client fell silent", ("0xc0000001",)),
        ((failed("bootmgfw.efi", "the client fell silent for 30 s", 5000),),
         "the transfer of bootmgfw.efi broke off", ("PXE-E35",)),
        # none of them: a probe, and what came in the end
        ((got("bootmgfw.efi"), got("BCD-uefi"), failed("boot.wim", "the client gave up: error 0")),
         "its loader runs but did not fetch the whole image",
         ("0xc0000001", "0xc0000225", "0xc0000017")),
        ((got("BCD-uefi"), failed("boot.wim", "the client closed its port", 9_000),
          got("boot.wim", 10.0)),
         "it has the whole image but did not report home",
         ("0xc000000f", "0xc000007b", "0xc0000221", "0xc0000359")),
        ((got("bootmgfw.efi"),), "fetched its boot program, which then sent nothing",
         ("0xc0000428", "0xc000000d")),
    ],
)  # fmt: skip
def test_a_boot_of_microsofts_manager_is_explained_as_it_really_stops(events, cause, codes):
    """Whose fault it was, and what its screen was seen to show."""
    told = (asked("uefi"), MANAGER, LEASE, *events)
    found = diagnose(fold(told)[0], told, LATE)

    assert cause in found.cause
    assert codes == tuple(code.code for code in found.codes)
    assert found.cures


def test_a_server_that_died_is_known_within_minutes():
    """A living one tells of each transfer every minute, however long that takes."""
    events = [asked("uefi"), MANAGER, LEASE, got("BCD-uefi"), BEGUN]
    events += [
        TransferContinued(at=8.0 + 60 * minute, mac=MAC, name="boot.wim", size=600_000_000)
        for minute in range(1, 60)
    ]
    attempt = fold(events)[0]
    last = events[-1].at

    assert attempt.outcome(last + 170) is Outcome.UNDER_WAY
    assert diagnose(attempt, events, last + 170) is None
    assert attempt.outcome(last + 190) is Outcome.STALLED
    assert attempt.why(last + 190) == "netboot stopped while it sent boot.wim"
    assert "netboot stopped" in diagnose(attempt, events, last + 190).cause
    assert len(attempt.steps) == 5


def test_a_missing_driver_is_named_so_that_it_can_be_searched_for():
    """The one trouble that this console exists for."""
    events = (asked(), OFFER, WIM, PeOffline(at=20.0, mac=MAC, image="PE", version=1,
                                             missing="PCI\\VEN_8086&DEV_10D3"))  # fmt: skip
    found = diagnose(fold(events)[0], events, LATE)

    assert found.cause == "PE v1 has no driver for PCI\\VEN_8086&DEV_10D3"
    assert found.search == "PCI\\VEN_8086&DEV_10D3"


@pytest.mark.parametrize(
    "events",
    [
        (asked(), OFFER),
        (asked(), PeReported(at=20.0, mac=MAC, image="PE", version=1, driver="d", device="e")),
    ],
)
def test_what_goes_well_has_no_diagnosis(events):
    """Under way, or online."""
    assert diagnose(fold(events)[0], events, 21.0) is None
