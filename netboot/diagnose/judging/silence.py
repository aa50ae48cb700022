"""Why our server made no offer: what the rest of the evidence says about it."""

from netboot.boot.answer.dhcp_on_host import option_60_lines
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.evidence import Evidence, not_meant_to_boot
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging.findings import Finding, fault, info


def silence(evidence: Evidence, expected: Expectation) -> list[Finding]:
    kind, server = evidence.kind, expected.server
    if not_meant_to_boot(kind, expected):
        return [not_served(kind)]
    if evidence.said:
        return [fault(f"{server} kept silent: {evidence.said}", cure_for(evidence.said))]
    if not server:
        return [
            fault(
                "no boot server answers [PXE-E53]",
                "Start netboot on this network, and see that UDP ports 67 and 4011 are open.",
            )
        ]
    return [_silent_server(evidence, expected)]


def not_served(kind: Kind) -> Finding:
    return info(
        f"no image for a {kind.title} is published: it gets no answer",
        "If such machines shall boot, publish an image and make it the default.",
    )


def cure_for(reason: str) -> str:
    if "relay" in reason:
        return "Name the network in `relays` in netboot.toml and start the site again."
    if "default" in reason or "assigned" in reason or "published" in reason:
        return "Choose images on the Deployment page, then Update Distribution Points."
    return "See the boot log for this machine."


def _silent_server(evidence: Evidence, expected: Expectation) -> Finding:
    server = expected.server
    answers_4011 = evidence.acknowledged is not None or evidence.alive
    same_host = any(reply.gives_address and server in {reply.server, reply.source}
                    for reply in evidence.offers)  # fmt: skip
    if answers_4011 and same_host and evidence.kind.http:
        return _http_needs_port_67(server, expected.http_port)
    if answers_4011 and same_host:
        return fault(
            f"{server} answers on port 4011 only, for a DHCP server on the same host holds port 67,"
            " and that one does not tell machines to ask there",
            "The DHCP server's configuration needs, for dnsmasq:\n"
            f"{option_60_lines('dnsmasq')}\nor for others: {option_60_lines('')}",
        )
    if not evidence.local:
        return _behind_relay(evidence, server)
    if answers_4011:
        return fault(
            f"{server} answers on port 4011, but not the DISCOVER on port 67",
            _holder(evidence, 67)
            or f"On {server} another program holds UDP port 67, or a firewall drops broadcasts:"
            " open UDP 67 and see `netboot boot`'s first lines.",
        )
    return fault(
        f"{server} does not answer at all [PXE-E53]",
        _holder(evidence, 67)
        or _holder(evidence, 4011)
        or f"Start netboot on {server}, on this network's interface, and open UDP ports 67 and"
        " 4011.",
    )


def _http_needs_port_67(server: str, port: int) -> Finding:
    return fault(
        f"{server} cannot answer HTTP boot: a DHCP server on the same host holds port 67, and"
        " HTTP boot asks nowhere else",
        "Move the DHCP server or netboot to another host, let such machines boot by PXE, or let"
        " the DHCP server itself answer class HTTPClient: option 60 HTTPClient and option 67"
        f" http://{server}:{port}/p/snponly.efi.",
    )


def _holder(evidence: Evidence, port: int) -> str:
    """Who has a port of ours, where that is somebody else; this host is the server."""
    if port not in evidence.holders:
        return ""
    holder = evidence.holders[port]
    if not holder:
        return f"Nothing listens on UDP port {port} here: start the site (`netboot run`)."
    if holder.startswith(("netboot", "python")):
        return f"UDP port {port} is netboot's own ({holder}); a firewall here drops the packets."
    return f"UDP port {port} is taken by {holder}: stop it, or configure it to send machines to us."


def _behind_relay(evidence: Evidence, server: str) -> Finding:
    if evidence.to_relay:
        return fault(
            f"{server} answers relays, but none hands this network's DISCOVERs on to it",
            f"Add {server} to the helper addresses (DHCP relay) of this network's router.",
        )
    if evidence.to_relay is False:
        return fault(
            f"{server} does not answer relays of this network",
            "Name this network in `relays` in netboot.toml on the server; if it is named there,"
            f" add {server} to the router's helper addresses and open UDP port 67.",
        )
    return fault(
        f"{server} is in another network and was not heard",
        f"The router must relay to {server}, and `relays` in netboot.toml must name this network.",
    )
