"""Why our server made no offer; the common reasons stand in test_verdict."""

import pytest

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.firmware import KINDS
from netboot.diagnose.evidence import Evidence
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging.findings import Finding
from netboot.diagnose.judging.silence import cure_for, silence

SERVER = "10.0.0.2"
KIND = {kind.key: kind for kind in KINDS}
SAME_HOST = Reply(1, SERVER, 67, 2, SERVER, "10.0.0.99", "0.0.0.0", "", "")


def only(**facts: object) -> Finding:
    """The one finding on a silence."""
    evidence = Evidence(**{"kind": KIND["uefi-x64"], **facts})  # type: ignore[arg-type]
    (finding,) = silence(evidence, Expectation(server=SERVER))
    return finding


def test_http_boot_cannot_do_without_port_67() -> None:
    """It never asks on 4011, where PXE would find us."""
    finding = only(kind=KIND["http-x64"], offers=(SAME_HOST,), alive=True)

    assert finding.words.startswith("10.0.0.2 cannot answer HTTP boot")
    assert "option 60 HTTPClient" in finding.cure


def test_ipxe_beside_a_dhcp_server_on_our_host_needs_the_same_lines() -> None:
    """It asks on 4011 when it is sent there."""
    ack = Reply(1, SERVER, 4011, 5, SERVER, "0.0.0.0", SERVER, "x", "PXEClient")
    finding = only(kind=KIND["ipxe-x64"], offers=(SAME_HOST,), acknowledged=ack)

    assert "answers on port 4011 only" in finding.words


@pytest.mark.parametrize(
    ("holders", "cure"),
    [
        ({67: "", 4011: ""}, "No program uses UDP port 67 here: start the site"),
        ({67: "dnsmasq (process 8)"}, "dnsmasq (process 8) uses UDP port 67"),
        ({67: "python3 (process 8)"}, "a firewall here drops the packets"),
        ({}, "Start netboot on 10.0.0.2"),
    ],
)
def test_on_the_servers_own_host_it_is_told_who_has_the_port(
    holders: dict[int, str], cure: str
) -> None:
    """From elsewhere nobody can know."""
    assert cure in only(holders=holders).cure


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        ("the relay 10.2.0.1 is not among the allowed relays", "`relays` in netboot.toml"),
        ("no default image for x64", "Deployment page"),
        ("more than 5 requests a second from one machine", "boot log"),
    ],
)
def test_a_reason_of_the_server_has_its_cure(reason: str, cure: str) -> None:
    """By what it is about."""
    assert cure in cure_for(reason)
