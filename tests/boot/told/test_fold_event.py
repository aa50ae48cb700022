"""One event told to one attempt."""

from dataclasses import replace

from netboot.boot.told.attempt import Attempt
from netboot.boot.told.events import (
    Discovered,
    OfferSent,
    PeReported,
    ScriptServed,
    TransferStarted,
)
from netboot.boot.told.fold_event import FIRST_STEPS, LAST_STEPS, folded
from netboot.boot.told.ladder import Rung

FRESH = Attempt(number=1, began=10.0, last=10.0, mac="52:54:00:00:00:01")


def test_telling_leaves_the_attempt_that_it_was_told_alone() -> None:
    """An attempt is a value; what comes back is another one."""
    offered = folded(FRESH, OfferSent(at=11.0, file="snponly.efi"))

    assert FRESH.steps == ()
    assert (offered.rung, offered.offered, offered.last) == (Rung.OFFERED, "snponly.efi", 11.0)


def test_a_rung_is_climbed_once() -> None:
    """A second offer is a line of the story and no rung."""
    offer = OfferSent(at=11.0, file="snponly.efi")

    twice = folded(folded(FRESH, offer), offer)

    assert twice.reached == ((Rung.OFFERED, 11.0),)
    assert [step.rung for step in twice.steps] == [Rung.OFFERED, None]


def test_an_event_that_comes_late_does_not_turn_time_back() -> None:
    """Several processes tell of one machine."""
    late = Discovered(at=9.0, architecture="x64", firmware="uefi", stage="firmware")

    assert folded(FRESH, late).last == 10.0


def test_an_empty_field_does_not_wipe_what_is_known() -> None:
    """The chained iPXE says less of the machine than its firmware did."""
    first = Discovered(
        at=10.0, architecture="x64", firmware="uefi", stage="firmware", machine_id="4c4c", nic="n"
    )
    second = Discovered(at=11.0, architecture="", firmware="", stage="ipxe")

    both = folded(folded(FRESH, first), second)

    assert (both.architecture, both.firmware, both.machine_id, both.nic) == (
        "x64",
        "uefi",
        "4c4c",
        "n",
    )
    assert both.stage == "ipxe"


def test_a_script_that_looked_at_the_processor_knows_better_than_a_bios() -> None:
    """Option 93 of a BIOS client says x86 whatever the processor can run."""
    asked = Discovered(at=10.0, architecture="x86", firmware="bios", stage="firmware")
    script = ScriptServed(at=11.0, image="Lab PE", version=3, architecture="x64")

    assert folded(folded(FRESH, asked), script).architecture == "x64"
    assert folded(folded(FRESH, asked), replace(script, architecture="")).architecture == "x86"


def test_a_report_ends_with_the_truth_about_what_runs() -> None:
    """The image knows its driver, its version, and what the firmware called itself."""
    report = PeReported(
        at=20.0, image="Lab PE", version=3, driver="netkvm", device="1af4:1000", firmware="bios"
    )

    done = folded(FRESH, report)

    assert (done.label, done.driver, done.device, done.firmware) == (
        "Lab PE v3",
        "netkvm",
        "1af4:1000",
        "bios",
    )


def test_the_middle_of_a_long_story_is_left_out() -> None:
    """The beginning and the end say most."""
    attempt = FRESH
    for number in range(200):
        attempt = folded(attempt, TransferStarted(at=float(number), name=str(number), size=1))

    times = [step.at for step in attempt.steps]
    assert times == [*map(float, range(FIRST_STEPS)), *map(float, range(200 - LAST_STEPS, 200))]
    assert attempt.dropped_steps == 200 - FIRST_STEPS - LAST_STEPS
