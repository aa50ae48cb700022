import pytest

from netboot.errors import NotFound, TooManyAttempts
from netboot.operations.accounts import lockouts
from tests.web.support.seeding import add_accounts

HERE, THERE = "192.0.2.1", "203.0.113.9"


@pytest.fixture
def peopled(site):
    add_accounts(site)
    return site


def fail(site, times, name="ada", address=THERE):
    for _ in range(times):
        lockouts.begin_attempt(site, name, address)


def test_five_failures_lock_a_name_out_from_one_address(peopled):
    fail(peopled, 4)
    assert not lockouts.is_locked(peopled, "ada", THERE)
    fail(peopled, 1)

    assert lockouts.is_locked(peopled, "ADA ", THERE)
    with pytest.raises(TooManyAttempts, match="so wait 15 minutes") as refused:
        lockouts.begin_attempt(peopled, "ada", THERE)
    assert 890 < refused.value.seconds <= 900
    lockouts.begin_attempt(peopled, "ada", HERE)
    lockouts.begin_attempt(peopled, "otto", THERE)


def test_a_success_counts_for_nothing(peopled):
    """Neither for the name nor for the address."""
    for _ in range(30):
        lockouts.begin_attempt(peopled, "ada", THERE)
        lockouts.end_attempt(peopled, "ada", THERE)

    assert lockouts.list_lockouts(peopled) == []


def test_lock_outs_are_listed_without_names_that_nobody_has(peopled):
    """What was typed into the name field may be a password."""
    fail(peopled, 5)
    fail(peopled, 5, "my secret password")

    (found,) = lockouts.list_lockouts(peopled)
    assert (found.name, found.address) == ("ada", THERE)
    assert b"my secret" not in (peopled.web_folder / "limits.db").read_bytes()


def test_unlocking_ends_what_keeps_an_account_out_and_nothing_else(peopled):
    fail(peopled, 5)
    fail(peopled, 5, "otto", HERE)
    for number in range(15):
        lockouts.begin_attempt(peopled, f"guess {number}", THERE)
    assert [one.name for one in lockouts.lockouts_of(lockouts.list_lockouts(peopled), "vera")] == [
        ""
    ]
    ended = lockouts.unlock(peopled, "ada")

    assert {(one.name, one.address) for one in ended} == {("ada", THERE), ("", THERE)}
    assert [one.name for one in lockouts.list_lockouts(peopled)] == ["otto"]
    fail(peopled, 5)
    assert lockouts.unlock(peopled, "vera") == []
    with pytest.raises(NotFound):
        lockouts.unlock(peopled, "nobody")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 minute"), (61, "2 minutes"), (900, "15 minutes")]
)
def test_a_waiting_time_is_rounded_up_to_minutes(seconds, words):
    assert lockouts.in_minutes(seconds) == words


def test_an_ipv4_address_in_ipv6_form_is_the_same_address(peopled):
    fail(peopled, 5, address=f"::ffff:{THERE}")

    assert lockouts.is_locked(peopled, "ada", THERE)
