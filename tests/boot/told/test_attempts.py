"""Events become attempts: whole boots as they are told by the daemons."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.files.ipxe_script import ASKS_AGAIN
from netboot.boot.told.attempts import Attempt, Folder, Outcome, fold
from netboot.boot.told.events import (
    AddressLearned,
    ContentRefused,
    ContentServed,
    Discovered,
    Event,
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
from netboot.boot.told.ladder import Rung

MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
IP, OTHER_IP = "10.77.0.101", "10.77.0.102"
IMAGE = "Lab PE x64"


def discover(at: float, stage: str = "firmware", mac: str = MAC) -> Discovered:
    return Discovered(at=at, mac=mac, architecture="x64", firmware="uefi", stage=stage)


def offer(at: float, file: str, mac: str = MAC) -> OfferSent:
    return OfferSent(at=at, mac=mac, file=file, image=IMAGE, version=7, reason="default for x64")


def sent(at: float, name: str, image: str = IMAGE, size: int = 1000) -> TransferFinished:
    version = 7 if image else 0
    return TransferFinished(
        at=at, ip=IP, name=name, size=size, seconds=0.5, image=image, version=version
    )


def served(at: float, name: str, size: int = 1000, seconds: float = 0.5) -> ContentServed:
    return ContentServed(
        at=at, ip=IP, name=name, size=size, seconds=seconds, image=IMAGE, version=7
    )


def report(at: float, mac: str = MAC, version: int = 7) -> PeReported:
    return PeReported(
        at=at, mac=mac, ip=IP, image=IMAGE, version=version, driver="e1000", device="8086:100e"
    )


def ipxe_boot(begin: float = 0.0) -> list[Event]:
    """A UEFI machine: PXE, iPXE, a script, an image by HTTP, online."""
    return [
        discover(begin),
        offer(begin + 0.01, "snponly.efi"),
        discover(begin + 1),  # a retry
        offer(begin + 1.01, "snponly.efi"),
        AddressLearned(at=begin + 4, mac=MAC, ip=IP),
        TransferStarted(at=begin + 4.5, ip=IP, name="snponly.efi", size=200_000),
        TransferFailed(at=begin + 4.6, ip=IP, name="snponly.efi", reason="User aborted"),
        TransferStarted(at=begin + 4.6, ip=IP, name="snponly.efi", size=200_000),
        sent(begin + 5, "snponly.efi", image="", size=200_000),
        discover(begin + 6, stage="ipxe"),
        offer(begin + 6.01, "http://10.77.0.2:8081/boot.ipxe"),
        ScriptServed(at=begin + 7, mac=MAC, ip=IP, image=IMAGE, version=7, reason="default"),
        served(begin + 8, "vmlinuz"),
        served(begin + 8.5, "initrd.gz"),
        served(begin + 10, "boot.wim.cpio", size=30_000_000, seconds=1.5),
        report(begin + 20),
    ]


def one(events: list[Event]) -> Attempt:
    (attempt,) = fold(events)
    return attempt


def test_a_whole_boot_is_one_attempt() -> None:
    """Retries, size probes and the chained iPXE's DISCOVER belong to it."""
    attempt = one(ipxe_boot(100.0))

    assert attempt.outcome(now=9999.0) is Outcome.ONLINE
    assert attempt.reached == (
        (Rung.DISCOVERED, 100.0),
        (Rung.OFFERED, 100.01),
        (Rung.PROGRAM_SENT, 105.0),
        (Rung.SCRIPT_SENT, 107.0),
        (Rung.LOADER, 108.0),
        (Rung.IMAGE_SENT, 110.0),
        (Rung.PE_UP, 120.0),
    )
    assert (attempt.mac, attempt.ip, attempt.label) == (MAC, IP, "Lab PE x64 v7")
    assert (attempt.driver, attempt.device) == ("e1000", "8086:100e")
    assert (attempt.architecture, attempt.firmware, attempt.stage) == ("x64", "uefi", "ipxe")
    assert attempt.rate == 20e6
    assert attempt.seconds == 20.0
    assert attempt.decision == "default for x64"
    assert attempt.why(now=9999.0) == ""


def test_the_story_of_a_boot_can_be_read() -> None:
    """One line an event, in words, with the rung that it climbed."""
    attempt = one(ipxe_boot())

    lines = [f"{step.at:.2f} {step.text}" for step in attempt.steps if step.rung is not None]

    assert lines == [
        "0.00 asked for a boot server: x64 UEFI, by firmware",
        "0.01 offered snponly.efi for Lab PE x64 v7 on port 67: default for x64",
        "5.00 got snponly.efi by TFTP, 200 kB in 0.5 s, 0.4 MB/s",
        "7.00 got its script: Lab PE x64 v7: default",
        "8.00 got vmlinuz by HTTP, 1000 bytes",
        "10.00 got boot.wim.cpio by HTTP, 30.0 MB in 1.5 s, 20.0 MB/s",
        "20.00 is up: Lab PE x64 v7 with driver e1000 on 8086:100e",
    ]


def test_each_rung_has_its_seconds() -> None:
    """How long every part of a boot took is told rung by rung."""
    attempt = one(ipxe_boot())

    seconds = [(rung.name, round(took, 2)) for rung, took in attempt.seconds_per_rung()]

    assert seconds == [
        ("DISCOVERED", 0.0),
        ("OFFERED", 0.01),
        ("PROGRAM_SENT", 4.99),
        ("SCRIPT_SENT", 2.0),
        ("LOADER", 1.0),
        ("IMAGE_SENT", 2.0),
        ("PE_UP", 10.0),
    ]


def test_microsofts_loaders_climb_by_tftp() -> None:
    """PXE, boot manager, its configuration, RAM disk and image."""
    events: list[Event] = [
        discover(0),
        offer(0.1, "bootmgfw.efi"),
        AddressLearned(at=1, mac=MAC, ip=IP),
        sent(2, "bootmgfw.efi"),
        TransferRefused(at=2.1, ip=IP, name=r"\BCD", reason="not a file of Lab PE x64 v7"),
        TransferRefused(at=2.2, ip=IP, name=r"\boot.stl", reason="optional, not held"),
        sent(2.3, "BCD-uefi"),
        sent(3, "boot.sdi"),
        sent(9, "boot.wim", size=400_000_000),
        report(60),
    ]

    attempt = one(events)

    assert [rung.name for rung, _ in attempt.reached] == [
        "DISCOVERED",
        "OFFERED",
        "PROGRAM_SENT",
        "LOADER",
        "IMAGE_SENT",
        "PE_UP",
    ]
    assert attempt.bytes_sent == 400_003_000
    refusals = [step.text for step in attempt.steps if step.kind == "TransferRefused"]
    assert refusals == [r"was refused \BCD: not a file of Lab PE x64 v7"]


def test_a_machine_that_is_switched_on_again_begins_a_new_attempt() -> None:
    """Once the image is sent no boot ROM speaks, so a DISCOVER is a new beginning."""
    first = ipxe_boot(0.0)[:-1]
    second = ipxe_boot(15.0)

    attempts = fold([*first, *second])

    assert [attempt.began for attempt in attempts] == [15.0, 0.0]
    assert [attempt.rung for attempt in attempts] == [Rung.PE_UP, Rung.IMAGE_SENT]


def test_a_minute_of_silence_separates_attempts() -> None:
    """A machine that nobody answered tries again later: that is another attempt."""
    attempts = fold([discover(0), discover(4), discover(60), discover(121)])

    assert [(attempt.began, attempt.last) for attempt in attempts] == [(121, 121), (0, 60)]


def test_two_machines_do_not_mix() -> None:
    """Each has its own ladder, newest first."""
    attempts = fold(
        [discover(0), discover(1, mac=OTHER_MAC), offer(2, "a"), offer(3, "b", OTHER_MAC)]
    )

    assert [(attempt.mac, attempt.offered) for attempt in attempts] == [
        (OTHER_MAC, "b"),
        (MAC, "a"),
    ]


def test_an_ignored_machine_says_why() -> None:
    """Silence has a reason that the page can show."""
    attempt = one([discover(0), RequestIgnored(at=0.1, mac=MAC, reason="no default for arm64")])

    assert attempt.outcome(now=1.0) is Outcome.IGNORED
    assert attempt.outcome(now=999.0) is Outcome.IGNORED
    assert attempt.why(now=1.0) == "no default for arm64"


def test_a_machine_that_was_ignored_first_and_then_served_is_served() -> None:
    """An image was assigned while the machine kept asking."""
    attempt = one(
        [discover(0), RequestIgnored(at=0.1, mac=MAC, reason="no image"), offer(5, "snponly.efi")]
    )

    assert attempt.outcome(now=6.0) is Outcome.UNDER_WAY
    assert attempt.why(now=6.0) == ""


def test_a_request_ignored_after_the_offer_is_only_a_line() -> None:
    """A stray packet on 4011 does not undo what was offered."""
    attempt = one(
        [discover(0), offer(0.1, "a"), RequestIgnored(at=1, mac=MAC, port=4011, reason="not PXE")]
    )

    assert attempt.outcome(now=2.0) is Outcome.UNDER_WAY
    assert attempt.steps[-1].text == "ignored on port 4011: not PXE"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "got no offer"),
        (2, "never fetched it"),
        (9, "sent nothing"),
        (12, "has its script"),
        (13, "its boot manager runs"),
        (15, "did not report home"),
    ],
)
def test_a_boot_that_stops_says_where(count: int, words: str) -> None:
    """Each rung has its own most likely cause."""
    attempt = one(ipxe_boot()[:count])
    soon, late = attempt.last + 29, attempt.last + 301

    assert attempt.outcome(soon) is Outcome.UNDER_WAY
    assert attempt.why(soon) == ""
    assert attempt.outcome(late) is Outcome.STALLED
    assert words in attempt.why(late)


def test_a_long_transfer_is_no_stall() -> None:
    """A running server tells of it every minute; one that does not has died."""
    size = 600_000_000
    begun = TransferStarted(at=10, ip=IP, name="boot.wim", size=size, image=IMAGE, version=7)
    goes_on = [
        TransferContinued(at=10 + 60 * minute, ip=IP, name="boot.wim", size=size, sent=minute)
        for minute in range(1, 61)
    ]
    attempt = one([*ipxe_boot()[:9], begun, *goes_on])
    dead = one([*ipxe_boot()[:9], begun])

    assert attempt.outcome(10 + 3600 + 170) is Outcome.UNDER_WAY
    assert attempt.outcome(10 + 3600 + 190) is Outcome.STALLED
    assert dead.outcome(10 + 170) is Outcome.UNDER_WAY
    assert dead.outcome(10 + 190) is Outcome.STALLED
    assert dead.why(10 + 190) == "netboot stopped while it sent boot.wim"


def test_a_machine_that_begins_anew_fetches_nothing() -> None:
    """It was switched off in the middle; the next DISCOVER belongs to the same minute."""
    begun = TransferStarted(at=10, ip=IP, name="boot.wim", size=9, image=IMAGE, version=7)
    attempt = one([*ipxe_boot()[:9], begun, discover(20)])

    assert attempt.fetching == ""


def test_an_image_that_took_very_long_still_belongs_to_its_boot() -> None:
    """The end of a transfer is dated by its beginning."""
    slow = served(2000.0, "boot.wim.cpio", seconds=1990.0)

    attempt = one([*ipxe_boot()[:-2], slow, report(2010.0)])

    assert attempt.outcome(now=2010.0) is Outcome.ONLINE


def test_what_failed_last_stands_beside_the_stall() -> None:
    """A transfer that broke off is named, until a later one succeeds."""
    failed = TransferFailed(at=5, ip=IP, name="boot.wim", reason="no answer", sent=5_000_000)
    events = [*ipxe_boot()[:5], sent(4.9, "pxeboot.n12"), failed]

    stalled = one(events)
    mended = one([*events, sent(6, "boot.sdi")])

    assert stalled.why(now=999.0).endswith("(boot.wim: no answer)")
    assert mended.reason == ""


def test_another_boot_server_is_named_where_it_may_have_won() -> None:
    """A machine that never came for its program may have followed somebody else."""
    foreign = ForeignOffer(at=0.2, mac=MAC, server="10.77.0.9", file="pxelinux.0")

    attempt = one([discover(0), offer(0.1, "snponly.efi"), foreign])

    assert attempt.foreign == "10.77.0.9"
    assert attempt.why(now=999.0).endswith(
        "(another boot server, 10.77.0.9, answers on this network)"
    )


def test_a_script_with_nothing_to_boot_is_a_refusal() -> None:
    """iPXE was told why, and so is the page."""
    script = ScriptServed(at=7, mac=MAC, ip=IP, image="", version=0, reason="no image for x86")

    attempt = one([*ipxe_boot()[:11], script])

    assert attempt.outcome(now=8.0) is Outcome.IGNORED
    assert attempt.why(now=8.0) == "no image for x86"


def test_a_script_that_only_asks_for_the_processor_is_no_refusal() -> None:
    """A BIOS client is sent once more round; its boot goes on."""
    script = ScriptServed(at=7, mac=MAC, ip=IP, image="", version=0, reason=ASKS_AGAIN)

    attempt = one([*ipxe_boot()[:11], script])

    assert attempt.outcome(now=8.0) is Outcome.UNDER_WAY


def test_an_offer_with_a_warning_stands_beside_the_stall() -> None:
    """A machine that asks again and again and takes nothing is worth a look."""
    odd = replace(offer(20, "snponly.efi"), warning="asked 4 times and took no offer")

    attempt = one([discover(0), offer(0.1, "snponly.efi"), odd])

    assert attempt.steps[-1].text.endswith("default for x64 (asked 4 times and took no offer)")
    assert attempt.why(now=999.0).endswith("(asked 4 times and took no offer)")


def test_content_that_is_damaged_is_told() -> None:
    """A 503 stands beside the place where the boot stalled."""
    refused = ContentRefused(at=9, ip=IP, name="boot.wim", status=503, reason="its blob is gone")

    attempt = one([*ipxe_boot()[:12], refused])

    assert attempt.why(now=999.0).endswith("(was refused boot.wim with 503: its blob is gone)")


def test_an_image_without_the_driver_is_offline() -> None:
    """Seen on the serial console: the machine runs, without a network."""
    offline = PeOffline(at=20, mac=MAC, image=IMAGE, version=7, missing="PCI\\VEN_8086&DEV_100E")

    attempt = one([*ipxe_boot()[:-1], offline])

    assert attempt.outcome(now=21.0) is Outcome.OFFLINE
    assert attempt.why(now=21.0) == "no driver for PCI\\VEN_8086&DEV_100E"
    assert attempt.ended


def test_a_report_of_another_version_is_noticed() -> None:
    """What runs is what the image says, and the page says that it is odd."""
    attempt = one([*ipxe_boot()[:-1], report(20, version=6)])

    assert attempt.label == "Lab PE x64 v6"
    assert attempt.why(21.0) == "it reports Lab PE x64 v6 although Lab PE x64 v7 was sent"


def test_a_machine_booted_from_a_disk_reports_too() -> None:
    """An attempt may begin with its end."""
    attempt = one([report(5)])

    assert attempt.outcome(now=5.0) is Outcome.ONLINE
    assert attempt.seconds == 0.0


def test_a_client_without_a_discover_is_followed_by_its_address() -> None:
    """The site's own DHCP server names our program; later the lease tells who it was."""
    events: list[Event] = [
        TransferStarted(at=0, ip=IP, name="undionly.kpxe", size=70_000),
        sent(1, "undionly.kpxe", image=""),
        discover(2, stage="ipxe"),
        AddressLearned(at=3, mac=MAC, ip=IP),
        served(5, "boot.wim"),
    ]

    newest, oldest = fold(events)

    assert (newest.mac, newest.rung) == (MAC, Rung.IMAGE_SENT)
    assert (oldest.mac, oldest.ip, oldest.rung) == ("", IP, Rung.PROGRAM_SENT)


def test_an_attempt_known_by_its_address_is_named_when_the_machine_is() -> None:
    """A lease that comes after the first file joins the two."""
    events: list[Event] = [
        sent(1, "undionly.kpxe", image=""),
        ScriptServed(at=2, mac=MAC, ip=IP, image=IMAGE, version=7),
        served(5, "boot.wim"),
    ]

    attempt = one(events)

    assert (attempt.mac, attempt.ip, attempt.rung) == (MAC, IP, Rung.IMAGE_SENT)


def test_an_address_given_to_another_machine_tells_of_that_one() -> None:
    """The newest lease decides whose transfer it was."""
    events: list[Event] = [
        *ipxe_boot()[:9],
        discover(10, mac=OTHER_MAC),
        AddressLearned(at=11, mac=OTHER_MAC, ip=IP),
        sent(12, "bootmgfw.efi"),
    ]

    newest, oldest = fold(events)

    assert (newest.mac, newest.rung) == (OTHER_MAC, Rung.PROGRAM_SENT)
    assert (oldest.mac, oldest.last) == (MAC, 5.0)


@pytest.mark.parametrize(
    "event",
    [
        TransferRefused(at=1, ip="10.9.9.9", name="../x", reason="a name that climbs"),
        TransferFailed(at=1, ip="10.9.9.9", name="x", reason="silence", sent=1),
        AddressLearned(at=1, mac=OTHER_MAC, ip="10.9.9.9"),
        ForeignOffer(at=1, server="10.77.0.9"),
        ContentRefused(at=1, ip="10.9.9.9", name="/", status=404, reason="no such page"),
        Event(at=1, mac=MAC),
    ],
)
def test_what_is_no_boot_begins_no_attempt(event: Event) -> None:
    """Scanners, leases of ordinary machines and events without a machine are not boots."""
    assert fold([event]) == ()


def test_a_lease_taken_hours_later_does_not_touch_the_boot() -> None:
    """The installed system asks for its address, too."""
    before = one(ipxe_boot())

    after = one([*ipxe_boot(), AddressLearned(at=9000, mac=MAC, ip=OTHER_IP)])

    assert before == after


def test_a_long_story_keeps_its_beginning_and_its_end() -> None:
    """Memory is bounded; what was left out is counted."""
    events = [*ipxe_boot()[:9], *(sent(10 + n / 100, "x.mui") for n in range(500)), report(20)]

    attempt = one(events)

    assert len(attempt.steps) == 64
    assert attempt.dropped_steps == len(events) - 64
    assert attempt.steps[0].kind == "Discovered"
    assert attempt.steps[-1].kind == "PeReported"


def test_a_folder_holds_no_more_than_it_may() -> None:
    """The oldest attempts are forgotten, with all that led to them."""
    folder = Folder(capacity=5)
    for number in range(1000):
        mac, ip = f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", f"10.0.{number >> 8}.9"
        folder.add(discover(float(number), mac=mac))
        folder.add(AddressLearned(at=float(number), mac=mac, ip=ip))
        folder.add(replace(sent(float(number), "x.efi"), ip=f"10.1.{number >> 8}.{number & 255}"))

    assert len(folder.attempts()) == 5
    assert len(folder._latest_of) == 5
    assert len(folder._mac_of) <= 20


def test_a_folder_tells_what_each_event_changed() -> None:
    """A page that follows a boot gets the new attempt with every event."""
    folder = Folder()

    changed = [folder.add(event) for event in ipxe_boot()]

    assert all(changed)
    assert folder.attempts(mac=MAC) == (changed[-1],)
    assert folder.attempts(mac=OTHER_MAC) == ()
    assert folder.attempts(limit=0) == ()


EVENTS = st.sampled_from(
    [*ipxe_boot(), *(replace(e, mac=OTHER_MAC, ip=OTHER_IP) for e in ipxe_boot())]
)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 400)), max_size=40))
def test_any_order_of_events_folds_to_sound_ladders(story: list[tuple[Event, float]]) -> None:
    """Rungs are climbed upwards, times are not negative, and nothing depends on who asks when."""
    events = [replace(event, at=at) for event, at in story]
    folder = Folder()
    for event in events:
        folder.add(event)

    attempts = folder.attempts()

    assert attempts == fold(events)
    for attempt in attempts:
        rungs = [rung for rung, _ in attempt.reached]
        assert rungs == sorted(set(rungs))
        assert attempt.rung == (rungs[-1] if rungs else Rung.SEEN)
        assert all(took >= 0 for _, took in attempt.seconds_per_rung())
        assert attempt.seconds >= 0


def test_machines_of_a_check_leave_no_boots() -> None:
    """They ask, are answered, and take nothing: nobody should look for them."""
    made_up = "02:6e:62:00:00:01"
    events = [discover(1, mac=made_up), offer(1.1, "snponly.efi", mac=made_up), discover(2)]

    assert [attempt.mac for attempt in fold(events)] == [MAC]


def test_firmware_that_takes_no_offer_is_told_of_while_it_still_asks() -> None:
    """It asks on for minutes; the cure is known after three tries."""
    warned = replace(offer(12, "snponly.efi"), warning="this firmware does not merge two offers")
    (attempt,) = fold([discover(1), offer(1, "snponly.efi"), discover(12), warned])

    assert attempt.outcome(13) is Outcome.UNDER_WAY
    assert attempt.why(13) == "this firmware does not merge two offers"


def reported(at: float, way: str = "") -> PeReported:
    return PeReported(
        at=at, mac=MAC, ip=IP, image=IMAGE, version=7, driver="e1000", device="x", way=way
    )


def test_a_start_from_a_medium_is_an_attempt_of_its_own():
    """After a boot that was over it is a new one, and so is what comes after it."""
    newest, medium, network = fold([
        discover(1.0), offer(1.1, "x"), reported(9.0), reported(12.0, "iso"), discover(15.0),
    ])  # fmt: skip

    assert [newest.way, medium.way, network.way] == ["", "iso", ""]
    assert (network.ended, medium.ended, newest.ended) == (True, True, False)
    assert "started from iso" in medium.steps[-1].text


def test_two_ways_in_a_row_are_two_attempts():
    """A stick after a disc."""
    ways = [each.way for each in fold([reported(1.0, "iso"), reported(2.0, "usb")])]

    assert ways == ["usb", "iso"]
