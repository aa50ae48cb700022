"""What a DHCP server on the same host must say."""

import pytest

from netboot.boot.answer.dhcp_on_host import option_60_lines


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("dnsmasq (process 812)", "dhcp-option-force=tag:pxe,60,PXEClient"),
        ("dhcpd (process 9)", 'option vendor-class-identifier "PXEClient";'),
        ("kea-dhcp4 (process 9)", '"name": "vendor-class-identifier"'),
        ("something else", "option 60 (vendor-class-identifier) = PXEClient"),
    ],
)
def test_each_dhcp_server_has_its_lines(program: str, expected: str) -> None:
    """The program's name decides; the real servers read these lines in tests/serve."""
    assert expected in option_60_lines(program)
