"""Machines keep the version that their boot began with."""

from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.answer.pins import LIFETIME, Sessions
from netboot.boot.told.events import AddressLearned, TransferStarted
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion

MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
IP, OTHER_IP = "10.0.0.11", "10.0.0.12"


def make_version(number: int) -> ContentVersion:
    return ContentVersion("Lab PE", number, Architecture.X64, f"recipe {number}", 0.0, (), ())


OLD, NEW = make_version(1), make_version(2)


def test_a_machine_nobody_has_seen_is_pinned_to_nothing() -> None:
    """An unknown address has no version, no firmware and no MAC."""
    sessions = Sessions()

    assert sessions.version_for(IP, 0.0) is None
    assert sessions.firmware_for(IP, 0.0) == ""
    assert sessions.mac_of(IP, 0.0) == ""


def test_an_address_leads_to_what_the_discover_pinned() -> None:
    """The DISCOVER knows only the MAC; the address that it takes later joins the two."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip="", version=OLD, firmware="uefi", now=0.0, fresh=True)
    sessions.learn(MAC, IP, 1.0)

    assert sessions.version_for(IP, 2.0) is OLD
    assert sessions.firmware_for(IP, 2.0) == "uefi"
    assert sessions.mac_of(IP, 2.0) == MAC


def test_an_update_in_the_middle_of_a_boot_does_not_change_its_version() -> None:
    """Later requests of the same boot keep the first version."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip="", version=OLD, firmware="bios", now=0.0, fresh=True)
    sessions.learn(MAC, IP, 1.0)

    kept = [
        sessions.pin(mac=MAC, ip=IP, version=NEW, firmware="bios", now=2.0),
        sessions.pin(mac="", ip=IP, version=NEW, firmware="", now=3.0),
        sessions.version_for(IP, 4.0),
    ]

    assert kept == [OLD, OLD, OLD]


def test_a_machine_that_is_switched_on_again_gets_what_is_published_now() -> None:
    """A DISCOVER begins a new boot, even seconds after the last, at the same address."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip="", version=OLD, firmware="bios", now=0.0, fresh=True)
    sessions.learn(MAC, IP, 1.0)

    sessions.pin(mac=MAC, ip="", version=NEW, firmware="uefi", now=5.0, fresh=True)

    assert sessions.version_for(IP, 6.0) is NEW
    assert sessions.firmware_for(IP, 6.0) == "uefi"


def test_a_pin_ends_after_fifteen_minutes() -> None:
    """The time counts from the answer that made the pin, not from its last use."""
    sessions = Sessions()
    sessions.pin(mac="", ip=IP, version=OLD, firmware="bios", now=0.0)
    sessions.pin(mac="", ip=IP, version=NEW, firmware="bios", now=LIFETIME - 1)

    assert sessions.version_for(IP, LIFETIME - 0.001) is OLD
    assert sessions.version_for(IP, LIFETIME) is None
    assert sessions.pin(mac="", ip=IP, version=NEW, firmware="bios", now=LIFETIME) is NEW


def test_a_client_that_only_ever_asked_by_tftp_is_pinned_by_its_address() -> None:
    """The site's own DHCP server may name our boot program; then we see no DISCOVER."""
    sessions = Sessions()
    sessions.pin(mac="", ip=IP, version=OLD, firmware="", now=0.0)

    sessions.pin(mac="", ip=IP, version=NEW, firmware="", now=1.0)

    assert sessions.version_for(IP, 2.0) is OLD


def test_an_address_that_changes_hands_takes_nothing_with_it() -> None:
    """The next machine at an address does not inherit the last one's version."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip=IP, version=OLD, firmware="uefi", now=0.0, fresh=True)

    sessions.learn(OTHER_MAC, IP, 1.0)

    assert sessions.version_for(IP, 2.0) is None
    assert sessions.mac_of(IP, 2.0) == OTHER_MAC
    assert sessions.pin(mac=MAC, ip=OTHER_IP, version=NEW, firmware="", now=3.0) is NEW


def test_a_pin_for_another_machine_at_a_taken_address_is_its_own() -> None:
    """An answer that names both MAC and address believes the MAC."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip=IP, version=OLD, firmware="uefi", now=0.0)

    kept = sessions.pin(mac=OTHER_MAC, ip=IP, version=NEW, firmware="bios", now=1.0)

    assert kept is NEW
    assert sessions.firmware_for(IP, 1.0) == "bios"


def test_a_machine_that_takes_another_address_keeps_its_version() -> None:
    """A second lease in the same boot moves the pin along."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip=IP, version=OLD, firmware="uefi", now=0.0, fresh=True)

    sessions.learn(MAC, OTHER_IP, 1.0)

    assert sessions.version_for(OTHER_IP, 2.0) is OLD
    assert sessions.version_for(IP, 2.0) is None
    assert len(sessions) == 1


def test_learning_an_address_twice_is_learning_it_once() -> None:
    """A repeated REQUEST changes nothing."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip="", version=OLD, firmware="uefi", now=0.0, fresh=True)
    sessions.learn(MAC, IP, 1.0)

    sessions.learn(MAC, IP, 2.0)

    assert sessions.version_for(IP, 3.0) is OLD


def test_a_flood_of_made_up_machines_does_not_push_out_a_running_boot() -> None:
    """Machines without an address have room of their own, and no more than that."""
    sessions = Sessions(capacity=100)
    sessions.pin(mac=MAC, ip="", version=OLD, firmware="uefi", now=0.0, fresh=True)
    sessions.learn(MAC, IP, 0.5)

    for number in range(10_000):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        sessions.pin(mac=mac, ip="", version=NEW, firmware="bios", now=1.0, fresh=True)

    assert sessions.version_for(IP, 2.0) is OLD
    assert len(sessions) == 101


def test_an_event_that_knows_only_an_address_is_given_its_machine() -> None:
    """Log lines of TFTP carry the MAC address once it is known."""
    sessions = Sessions()
    sessions.pin(mac=MAC, ip=IP, version=OLD, firmware="uefi", now=0.0, fresh=True)
    started = TransferStarted(at=1.0, ip=IP, name="boot.wim", size=1)
    stranger = TransferStarted(at=1.0, ip=OTHER_IP, name="boot.wim", size=1)
    learned = AddressLearned(at=1.0, ip=IP, mac=OTHER_MAC)

    assert sessions.identified(started, 1.0) == TransferStarted(
        at=1.0, mac=MAC, ip=IP, name="boot.wim", size=1
    )
    assert sessions.identified(stranger, 1.0) is stranger
    assert sessions.identified(learned, 1.0) is learned


MACS = st.sampled_from([MAC, OTHER_MAC, "52:54:00:00:00:03", ""])
IPS = st.sampled_from([IP, OTHER_IP, "10.0.0.13", ""])


@given(st.lists(st.tuples(st.booleans(), MACS, IPS, st.booleans()), max_size=60))
def test_whatever_happens_the_books_agree(steps: list[tuple[bool, str, str, bool]]) -> None:
    """No machine is kept twice, memory is bounded, and a fresh pin is found at once."""
    sessions = Sessions(capacity=2)
    for now, (learns, mac, ip, fresh) in enumerate(steps):
        if not mac and not ip:
            continue
        if learns and mac and ip:
            sessions.learn(mac, ip, float(now))
            assert sessions.mac_of(ip, float(now)) == mac
        else:
            version = make_version(now)
            kept = sessions.pin(
                mac=mac, ip=ip, version=version, firmware="bios", now=float(now), fresh=fresh
            )
            assert kept is version or not fresh
            assert not ip or sessions.version_for(ip, float(now)) is kept
        assert len(sessions) <= 4
        assert len(sessions._ip_of) <= len(sessions._by_ip)
        assert all(sessions._by_ip[ip].mac == mac for mac, ip in sessions._ip_of.items())
