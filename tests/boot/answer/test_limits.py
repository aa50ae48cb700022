"""Limits, and machines that take no offer."""

from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.answer.limits import MACHINES_KEPT, Limits, RecentClients

MAC = b"\x52\x54\x00\x77\x00\x01"
OTHER = b"\x52\x54\x00\x77\x00\x02"


def test_the_same_request_is_answered_three_times_in_ten_seconds() -> None:
    """Two PXE servers that hear each other can't make a storm."""
    recent = RecentClients()
    answers = [
        recent.refusal(recent.client(MAC, 1.0 + step), 7, 67, 1.0 + step) for step in range(4)
    ]

    assert answers == ["", "", "", "the same request was answered 3 times already"]
    assert recent.refusal(recent.client(MAC, 11.0), 7, 67, 11.0) == ""


def test_another_request_or_port_counts_anew() -> None:
    """A new transaction id is a new request; 4011 is another conversation."""
    recent = RecentClients()
    for _ in range(3):
        recent.refusal(recent.client(MAC, 1.0), 7, 67, 1.0)

    assert recent.refusal(recent.client(MAC, 2.0), 8, 67, 2.0) == ""
    assert recent.refusal(recent.client(MAC, 2.0), 8, 4011, 2.0) == ""


def test_one_machine_may_ask_five_times_a_second() -> None:
    """With a burst of two seconds' worth."""
    recent = RecentClients()
    answers = [recent.refusal(recent.client(MAC, 0.0), xid, 67, 0.0) for xid in range(11)]

    assert answers == [""] * 10 + ["more than 5 requests a second from one machine"]
    assert recent.refusal(recent.client(OTHER, 0.0), 1, 67, 0.0) == ""
    assert recent.refusal(recent.client(MAC, 0.3), 99, 67, 0.3) == ""


def test_all_together_have_a_limit_as_well() -> None:
    """A flood of made-up machines is cut off in the end."""
    recent = RecentClients(Limits(total=100))
    macs = [number.to_bytes(6, "big") for number in range(101)]
    answers = [recent.refusal(recent.client(mac, 0.0), 1, 67, 0.0) for mac in macs]

    assert answers == [""] * 100 + ["more than 100 requests a second in all"]
    assert recent.refusal(recent.client(OTHER, 1.0), 1, 67, 1.0) == ""


def test_sixty_thousand_machines_take_the_room_of_ten_thousand() -> None:
    """The oldest are forgotten first."""
    recent = RecentClients()
    for number in range(60_000):
        recent.refusal(recent.client(number.to_bytes(6, "big"), 0.0), 1, 67, 0.0)

    assert len(recent) == MACHINES_KEPT
    assert recent.knows((59_999).to_bytes(6, "big"))
    assert not recent.knows((1).to_bytes(6, "big"))


def test_discovers_are_counted_until_a_request_comes() -> None:
    """A REQUEST ends the streak, and so does a long silence."""
    recent = RecentClients()
    assert [recent.client(MAC, at).discovered("firmware", "", at) for at in (0.0, 4.0, 12.0)] == [
        1,
        2,
        3,
    ]

    recent.requested(MAC)
    assert recent.client(MAC, 13.0).discovered("firmware", "", 13.0) == 1
    assert recent.client(MAC, 200.0).discovered("firmware", "", 200.0) == 1


def test_each_stage_has_a_streak_of_its_own() -> None:
    """A machine that goes on from PXE to HTTP boot begins anew."""
    recent = RecentClients()
    recent.client(MAC, 0.0).discovered("firmware", "", 0.0)

    assert recent.client(MAC, 1.0).discovered("firmware-http", "", 1.0) == 1


def test_a_machine_that_takes_no_offer_is_told_with_both_causes() -> None:
    """Three DISCOVERs over ten seconds and no REQUEST."""
    recent = RecentClients()
    told = []
    for at in (0.0, 4.0, 12.0):
        recent.client(MAC, at).discovered("firmware", "", at)
        told.append(recent.client(MAC, at).unheeded(at))

    assert told[:2] == ["", ""]
    assert told[2].startswith("3 DISCOVERs in 12 s and no REQUEST: either no DHCP server")
    assert "options 66 and 67" in told[2]


def test_where_a_dhcp_server_offered_an_address_the_firmware_is_to_blame() -> None:
    """Then only one cause is left."""
    recent = RecentClients()
    for at in (0.0, 4.0, 12.0):
        recent.client(MAC, at).discovered("firmware", "", at)
        recent.address_offered(MAC, "10.77.0.1")

    told = recent.client(MAC, 12.0).unheeded(12.0)
    assert "although 10.77.0.1 offered an address: this firmware does not merge" in told


def test_strangers_are_not_remembered() -> None:
    """Other hosts' DHCP costs us nothing."""
    recent = RecentClients()
    recent.requested(MAC)
    recent.address_offered(MAC, "10.77.0.1")

    assert len(recent) == 0
    assert recent.client(MAC, 0.0).unheeded(0.0) == ""
    assert not recent.came_by_relay(MAC)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.floats(0, 3)), max_size=80))
def test_no_machine_ever_gets_more_than_its_rate(
    steps: list[tuple[int, int, float]],
) -> None:
    """Over any stretch: five a second and a burst of ten."""
    recent = RecentClients()
    now = 0.0
    answered: dict[int, int] = {}
    for machine, xid, wait in steps:
        now += wait
        if not recent.refusal(recent.client(machine.to_bytes(6, "big"), now), xid, 67, now):
            answered[machine] = answered.get(machine, 0) + 1

    assert all(count <= 10 + 5 * now + 1e-6 for count in answered.values())
