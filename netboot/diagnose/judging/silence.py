"""Finds out from the other evidence why our server made no offer."""

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
        return [fault(f"{server} does not answer: {evidence.said}", cure_for(evidence.said))]
    if evidence.is_left_out:
        return [left_out(kind)]
    if not server:
        return [
            fault(
                "no boot server answers [PXE-E53]",
                "Start netboot on this network, and open UDP ports 67 and 4011.",
            )
        ]
    return [_silent_server(evidence, expected)]


def not_served(kind: Kind) -> Finding:
    return info(
        f"no image for a {kind.title} is published: it gets no answer",
        "To boot such machines, publish an image and make it the default image.",
    )


def left_out(kind: Kind) -> Finding:
    return info(
        f"no boot server has a program for a {kind.title}, only for others",
        "To boot such machines, publish an image and a boot program for them.",
    )


def cure_for(reason: str) -> str:
    if "relay" in reason:
        return "Add the network to `relays` in netboot.toml and restart the site."
    if "default" in reason or "assigned" in reason or "published" in reason:
        return "Choose images on the Deployment page, then update the distribution points."
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
            f"{server} answers on port 4011 only: a DHCP server on the same host uses port 67, and"
            " does not send machines to port 4011",
            "Add this to the DHCP server's configuration, for dnsmasq:\n"
            f"{option_60_lines('dnsmasq')}\nor for others: {option_60_lines('')}",
        )
    if not evidence.local:
        return _behind_relay(evidence, server)
    if answers_4011:
        return fault(
            f"{server} answers on port 4011, but not on port 67",
            _holder(evidence, 67)
            or f"On {server} another program uses UDP port 67, or a firewall drops broadcasts:"
            " open UDP port 67 and read the first messages of `netboot boot`.",
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
        f"{server} cannot answer HTTP boot: a DHCP server on the same host uses port 67, and"
        " HTTP boot uses no other port",
        "Move the DHCP server or netboot to another host, boot such machines by PXE, or configure"
        " the DHCP server for class HTTPClient: option 60 HTTPClient and option 67"
        f" http://{server}:{port}/p/snponly.efi.",
    )


def _holder(evidence: Evidence, port: int) -> str:
    """What is wrong with a port of ours on this host, if this host is the server."""
    if port not in evidence.holders:
        return ""
    holder = evidence.holders[port]
    if not holder:
        return f"No program uses UDP port {port} here: start the site (`netboot run`)."
    if holder.startswith(("netboot", "python")):
        return f"netboot uses UDP port {port} ({holder}), but a firewall here drops the packets."
    return f"{holder} uses UDP port {port}: stop it, or configure it to send machines to netboot."


def _behind_relay(evidence: Evidence, server: str) -> Finding:
    if evidence.to_relay:
        return fault(
            f"{server} answers relays, but no relay forwards this network's requests to it",
            f"Add {server} to the helper addresses (DHCP relay) of this network's router.",
        )
    if evidence.to_relay is False:
        return fault(
            f"{server} does not answer relays of this network",
            "Add this network to `relays` in netboot.toml on the server. If it is there, add"
            f" {server} to the router's helper addresses and open UDP port 67.",
        )
    return fault(
        f"{server} is in another network and does not answer",
        f"Let the router relay DHCP to {server}, and add this network to `relays` in netboot.toml.",
    )
