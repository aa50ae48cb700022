"""What the network's DHCP servers do for a machine: an address, in time, and a way to us."""

from ipaddress import IPv4Network
from typing import Final

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.evidence import Evidence, boot_offers
from netboot.diagnose.judging.findings import Finding, fault, info, ok, warning

SLOW: Final = 1.0
"""Seconds: iPXE repeats its DISCOVER after one, UEFI waits for about four."""


def addresses(evidence: Evidence, server: str) -> list[Finding]:
    """Who offers an address, how fast, and whether a machine with it reaches `server`."""
    offers = [reply for reply in evidence.offers if reply.gives_address]
    if not offers:
        code = "PXE-E52" if boot_offers(evidence.offers) else "PXE-E51"
        return [
            fault(
                f"no DHCP server offers an address [{code}]",
                "netboot gives no addresses: start the site's DHCP server, or see whether its"
                " range is used up, it serves this network, or knows only registered machines.",
            )
        ]
    found = [ok(_in_words(reply)) for reply in offers]
    slow = max(reply.after for reply in offers)
    if slow > SLOW:
        found.append(
            warning(
                f"the address took {slow:.1f} s: some firmware has given up by then",
                "Let the DHCP server not ping an address before it offers it (dnsmasq: no-ping;"
                " ISC dhcpd: ping-check false), and set switch ports to PortFast.",
            )
        )
    found += _several(offers)
    found += [_no_way(reply, server) for reply in offers if server and not reaches(reply, server)]
    return found


def reaches(reply: Reply, server: str) -> bool:
    """Whether a machine with the offered address can send to `server`."""
    network = _network(reply)
    if network is None or reply.router:
        return True
    return IPv4Network(server).subnet_of(network)


def _in_words(reply: Reply) -> str:
    return f"{reply.server} offers the address {reply.offered} after {_time(reply.after)}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= SLOW else f"{seconds * 1000:.0f} ms"


def _several(offers: list[Reply]) -> list[Finding]:
    """More than one server is right for a pair, and wrong for a stranger."""
    servers = sorted({reply.server for reply in offers})
    if len(servers) == 1:
        return []
    names = ", ".join(servers)
    if len({_network(reply) for reply in offers}) > 1:
        return [
            warning(
                f"DHCP servers give addresses of different networks here: {names}",
                "One of them does not belong here: a machine that takes its address is lost."
                " Look for a router or a virtual machine that brings a DHCP server along.",
            )
        ]
    return [info(f"{len(servers)} DHCP servers offer addresses, as a pair would: {names}")]


def _network(reply: Reply) -> IPv4Network | None:
    try:
        return IPv4Network(f"{reply.offered}/{reply.mask}", strict=False) if reply.mask else None
    except ValueError:
        return None


def _no_way(reply: Reply, server: str) -> Finding:
    return fault(
        f"the address {reply.offered} comes without a router: a machine with it cannot reach"
        f" {server}, which is in another network",
        f"Let {reply.server} give option 3 (router) in this network.",
    )
