"""The network's DHCP servers: whether a machine gets an address, in time, and a route to us."""

from ipaddress import IPv4Network
from typing import Final

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.evidence import Evidence, boot_offers
from netboot.diagnose.judging.findings import Finding, fault, info, ok, warning

SLOW: Final = 1.0
"""Seconds: iPXE repeats its DISCOVER after one, firmware after four."""

_FASTER: Final = (
    "Turn off the DHCP server's ping before an offer (dnsmasq: no-ping; ISC dhcpd: ping-check"
    " false), and set the switch ports to PortFast."
)


def addresses(evidence: Evidence, server: str) -> list[Finding]:
    """Which servers offer an address, how fast, and whether it can reach `server`."""
    offers = [reply for reply in evidence.offers if reply.gives_address]
    if not offers:
        code = "PXE-E52" if boot_offers(evidence.offers) else "PXE-E51"
        return [
            fault(
                f"no DHCP server offers an address [{code}]",
                "netboot does not assign addresses: start your DHCP server. If it runs, check that"
                " it serves this network, has free addresses, and accepts unknown machines.",
            )
        ]
    found = []
    for reply in offers:
        time = f"{reply.after:.1f} s" if reply.after >= SLOW else f"{reply.after * 1000:.0f} ms"
        found.append(ok(f"{reply.server} offers the address {reply.offered} after {time}"))
    first = min(reply.after for reply in offers)
    if first > SLOW:
        found.append(_slow(evidence, first))
    found += _several(offers)
    found += [_no_way(reply, server) for reply in offers if server and not reaches(reply, server)]
    return found


def _slow(evidence: Evidence, first: float) -> Finding:
    """An offer that came late: whether firmware still takes it.

    A server that pings before each offer answers one machine after the other: what the check's
    other machines made this one wait is not its own fault.
    """
    kind, alone = evidence.kind, evidence.first_offer
    if not SLOW < alone < first:
        alone = first
    words = f"slow: first offer after {alone:.1f} s"
    if first - alone > SLOW:
        words += f", and {first:.1f} s to this machine because several ask at once"
    who = "iPXE" if kind.ipxe else "such firmware"
    if alone > kind.gives_up_after:
        return fault(f"{words}; {who} gives up after {kind.gives_up_after} s", _FASTER)
    words += f"; {who} keeps asking for {kind.gives_up_after} s, and takes it"
    return warning(words, _FASTER)


def reaches(reply: Reply, server: str) -> bool:
    """Whether a machine with the offered address can send to `server`."""
    network = _network(reply)
    if network is None or reply.router:
        return True
    return IPv4Network(server).subnet_of(network)


def _several(offers: list[Reply]) -> list[Finding]:
    """More than one server is right for a failover pair, and wrong for a rogue server."""
    servers = sorted({reply.server for reply in offers})
    if len(servers) == 1:
        return []
    names = ", ".join(servers)
    if len({_network(reply) for reply in offers}) > 1:
        return [
            warning(
                f"DHCP servers offer addresses of different networks: {names}",
                "One of them does not belong here, and a machine with its address cannot boot."
                " Look for a router or a virtual machine that runs a DHCP server.",
            )
        ]
    return [info(f"{len(servers)} DHCP servers offer addresses of the same network: {names}")]


def _network(reply: Reply) -> IPv4Network | None:
    try:
        return IPv4Network(f"{reply.offered}/{reply.mask}", strict=False) if reply.mask else None
    except ValueError:
        return None


def _no_way(reply: Reply, server: str) -> Finding:
    return fault(
        f"{reply.server} offers {reply.offered} without a router: the machine cannot reach"
        f" {server}, which is in another network",
        f"Configure option 3 (router) for this network on {reply.server}.",
    )
