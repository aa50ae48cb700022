"""Machines of a check are known by their address."""

import pytest

from netboot.boot.told.check_machines import MAC_PREFIX, is_made_up


@pytest.mark.parametrize(
    ("mac", "made_up"),
    [(f"{MAC_PREFIX}:00:00:01", True), ("52:54:00:77:00:01", False), ("", False)],
)
def test_only_the_checks_own_addresses_are_made_up(mac: str, *, made_up: bool) -> None:
    """No maker of cards has them: the second bit of the first byte says so."""
    assert is_made_up(mac) is made_up
    assert int(MAC_PREFIX[:2], 16) & 3 == 2
