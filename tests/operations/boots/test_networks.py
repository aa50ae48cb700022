"""The networks as the boot services told them last."""

import json

import pytest

from netboot.boot.told.events import NetworksChanged
from netboot.errors import NotFound
from netboot.operations.boots.networks import find_network, list_networks


def tell(site, text):
    site.journal.emit(NetworksChanged(at=1.0, networks=text))
    assert site.journal.flush()


def test_the_newest_word_counts(site):
    assert list_networks(site) == []
    for state in ("waits", "serves"):
        tell(site, json.dumps([{"name": "eth0", "state": state, "subnets": ["10.1.0.0/24"]}]))

    (network,) = list_networks(site)
    assert (network.state, network.subnets, network.heard) == ("serves", ("10.1.0.0/24",), 0)


@pytest.mark.parametrize("text", ["{half", "null", "[1]", '[{"state": "serves"}]'])
def test_a_row_that_was_edited_is_no_error(site, text):
    tell(site, text)

    assert list_networks(site) == []


def test_an_unknown_network_is_answered_with_those_that_there_are(site):
    tell(site, json.dumps([{"name": "eth0"}, {"name": "10.8.0.0/16"}]))

    assert find_network(site, "eth0").name == "eth0"
    with pytest.raises(NotFound, match="no network 'eth7'") as fault:
        find_network(site, "eth7")
    assert fault.value.hint == "They have: eth0, 10.8.0.0/16."
