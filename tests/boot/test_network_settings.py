"""Networks as the settings name them: each possible, and all of them together."""

import pytest
from pydantic import ValidationError

from netboot.boot.network_settings import NetworkSetting, clash, read_line


def wanted(*settings):
    return [NetworkSetting(**one) for one in settings]


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ([{"interface": "eth0"}, {"interface": "eth0"}], "there are two networks eth0"),
        (
            [{"interface": "eth0"}, {"interface": "eth0", "address": "10.1.0.9"}],
            "there are two networks on eth0: give each an address or a subnet",
        ),
        (
            [{"subnet": "10.2.0.0/16"}, {"subnet": "10.2.3.0/24"}],
            "the networks 10.2.0.0/16 and 10.2.3.0/24 overlap",
        ),
        ([{"subnet": "10.2.0.0/24"}, {"subnet": "10.2.1.0/24"}, {"interface": "eth0"}], ""),
    ],
)
def test_networks_that_do_not_go_together_are_told_without_looking_at_the_host(settings, wrong):
    assert wrong == clash(wanted(*settings))


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"interface": "a/b"},
        {"interface": "a b"},
        {"interface": "longer-than-any-name"},
        {"subnet": "10.2.0.1/24"},
        {"interface": "eth0", "address": "fd00::1"},
        {"interface": "eth0", "block_size": 100},
        {"interface": "eth0", "response_delay": -1},
        {"interface": "eth0", "response_delay": 31},
        {"interface": "eth0", "delay": 1},
    ],
)
def test_a_network_setting_that_cannot_be_is_refused(setting):
    with pytest.raises(ValidationError):
        NetworkSetting(**setting)


@pytest.mark.parametrize(
    "line",
    [
        "interface=eth0",
        "interface=eth0.20 response_delay=2.5 only_known=yes",
        "subnet=10.8.0.0/16 address=10.1.0.2 allowed=no block_size=1380",
    ],
)
def test_a_line_of_a_form_is_a_network_and_back(line):
    assert line == str(NetworkSetting(**read_line(line)))
    assert line == str(NetworkSetting(**read_line(line.replace(" ", ", "))))


def test_a_word_that_is_no_value_is_named():
    for line in ("eth0", "card=eth0", "interface=eth0 allowed=perhaps"):
        with pytest.raises(ValueError, match=line.split()[-1]):
            read_line(line)
