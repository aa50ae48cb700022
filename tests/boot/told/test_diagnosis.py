"""Why a boot did not come up."""

import pytest

from netboot.boot.told.attempts import fold
from netboot.boot.told.diagnosis import diagnose
from netboot.boot.told.events import (
    AddressLearned,
    ContentServed,
    Discovered,
    ForeignOffer,
    OfferSent,
    PeOffline,
    PeReported,
    RequestIgnored,
    ScriptServed,
    TransferFailed,
    TransferFinished,
    TransferRefused,
)

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
         "\\Boot\\BCD", "0xc000000f"),
        ((asked(), OFFER, LEASE,
          TransferRefused(at=3.0, mac=MAC, name="pxelinux.0", reason="no such file")),
         "pxelinux.0", "PXE-E3B"),
        ((asked(), OFFER, LEASE, PROGRAM, SCRIPT), "did not fetch the whole", "0xc0000001"),
        ((asked(), OFFER, LEASE, PROGRAM,
          TransferFailed(at=8.0, mac=MAC, name="\\boot.wim", reason="it fell silent", sent=7)),
         "broke off: it fell silent", "0xc0000001"),
        ((asked(), OFFER, LEASE, PROGRAM, SCRIPT, WIM), "did not report home", "0xc0000017"),
    ],
)  # fmt: skip
def test_the_cause_is_told_with_the_code_that_the_screen_shows(events, cause, code):
    """From what was seen on the wire; with something to do about it."""
    found = diagnose(fold(events)[0], events, LATE)

    assert cause in found.cause
    assert code == found.codes[0].code
    assert found.cures


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
