"""Rungs and sentences."""

from typing import Any, get_type_hints

import pytest

from netboot.boot.told.events import (
    KINDS,
    Discovered,
    Event,
    OfferSent,
    PeOffline,
    TransferFailed,
    TransferFinished,
)
from netboot.boot.told.ladder import PATIENCE, Rung, rung_of_file, sentence, stalled_where


def test_a_discover_is_told_with_the_kind_of_machine() -> None:
    pc = Discovered(at=1.0, mac="a", architecture="x64", firmware="uefi", stage="firmware")
    pi = Discovered(at=1.0, mac="a", architecture="", firmware="raspberry pi", stage="firmware")

    assert sentence(pc) == "asked for a boot server: x64 UEFI, by firmware"
    assert sentence(pi) == "asked for a boot server: a Raspberry Pi, by firmware"


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("undionly.kpxe", "", Rung.PROGRAM_SENT),
        ("grubia32.efi", "", Rung.PROGRAM_SENT),
        ("grub/grub.cfg", "", Rung.SCRIPT_SENT),
        ("pxeboot.n12", "WinPE", Rung.PROGRAM_SENT),
        ("bootmgfw.efi", "WinPE", Rung.PROGRAM_SENT),
        ("bootmgr.exe", "WinPE", Rung.LOADER),
        ("BCD-uefi", "WinPE", Rung.LOADER),
        (r"\Boot\boot.sdi", "WinPE", Rung.LOADER),
        ("vmlinuz", "Lab PE", Rung.LOADER),
        ("boot.wim", "Lab PE", Rung.IMAGE_SENT),
        ("boot.wim.cpio", "Lab PE", Rung.IMAGE_SENT),
    ],
)
def test_a_file_proves_a_rung(name: str, image: str, expected: Rung) -> None:
    """What a machine has got tells how far it is."""
    assert expected is rung_of_file(name, image)


def test_every_rung_but_the_last_has_a_patience_and_a_likely_cause() -> None:
    """A boot may stall anywhere, and the page has words for it."""
    below = [rung for rung in Rung if rung is not Rung.PE_UP]

    assert below == list(PATIENCE)
    assert all(stalled_where(rung) for rung in below)
    assert stalled_where(Rung.PE_UP) == ""
    assert all(rung.words for rung in Rung)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            TransferFinished(at=0, name="boot.wim", size=440_000_000, seconds=4.0, resent=3),
            "got boot.wim by TFTP, 440.0 MB in 4.0 s, 110.0 MB/s, 3 blocks sent again",
        ),
        (
            TransferFailed(at=0, name="boot.wim", reason="silence", sent=5000),
            "did not get boot.wim, 5000 bytes sent: silence",
        ),
        (OfferSent(at=0, file="a.efi", port=4011), "offered a.efi on port 4011"),
        (
            PeOffline(at=0, image="Lab PE", version=2, missing="8086:100e", reason="no lease"),
            "is up without a network: Lab PE v2, no driver for 8086:100e: no lease",
        ),
        (Event(at=0), "Event"),
    ],
)
def test_an_event_is_a_sentence(event: Event, expected: str) -> None:
    """Sizes, rates and reasons are put as people say them."""
    assert sentence(event) == expected


def test_no_kind_is_told_by_its_bare_name() -> None:
    """Each kind of event has words of its own."""
    samples: dict[type, Any] = {str: "x", int: 1, float: 1.0}
    events = [
        kind(**{name: samples[type_] for name, type_ in get_type_hints(kind).items()})
        for kind in KINDS.values()
    ]

    assert [event.kind for event in events if sentence(event) == event.kind] == []
