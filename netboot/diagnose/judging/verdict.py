"""The rules from evidence to what is wrong and what to do.

They follow the order of firmware's steps: an address, a boot server, a file's name, the file, the
files that it loads. The first step that fails is the one to fix first.
"""

from dataclasses import dataclass, replace

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.evidence import Evidence, boot_offers, is_from, not_meant_to_boot
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging import loading, loops, menus
from netboot.diagnose.judging.addresses import addresses
from netboot.diagnose.judging.findings import Finding, Level, fault, ok, warning
from netboot.diagnose.judging.silence import cure_for, left_out, not_served, silence


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for a kind of machine: `boots`, `fails`, or `not served`."""

    kind: Kind
    outcome: str
    findings: tuple[Finding, ...]


def judge(evidence: Evidence, expected: Expectation) -> Verdict:
    """The verdict on one kind of machine, and on the iPXE that it loads."""
    found = [*addresses(evidence, expected.server), *_from_offer_on(evidence, expected)]
    chained = evidence.chained
    while chained is not None:
        found += [
            replace(one, words=f"its iPXE: {one.words}")
            for one in _from_offer_on(chained, expected)
        ]
        chained = chained.chained
    found = list(dict.fromkeys(found))  # an iPXE after an iPXE mostly gets the same
    return Verdict(evidence.kind, _outcome(evidence, expected, found), tuple(found))


def _from_offer_on(evidence: Evidence, expected: Expectation) -> list[Finding]:
    return [
        *_boot_servers(evidence, expected),
        *menus.menu(evidence),
        *_port_4011(evidence, expected),
        *loading.program(evidence, expected),
        *loading.parts(evidence, expected),
        *loops.loop(evidence, expected),
    ]


def _outcome(evidence: Evidence, expected: Expectation, found: list[Finding]) -> str:
    if any(one.level is Level.FAULT for one in found):
        return "fails"
    unserved = not_meant_to_boot(evidence.kind, expected) or evidence.is_left_out
    return "not served" if evidence.program is None and unserved else "boots"


def _boot_servers(evidence: Evidence, expected: Expectation) -> list[Finding]:
    offers = boot_offers(evidence.offers)
    server = expected.server
    ours = [reply for reply in offers if not server or is_from(reply, server)]
    others = [reply for reply in offers if server and not is_from(reply, server)]
    found = [_our_offer(reply, evidence) for reply in ours]
    found += [_other_server(reply, bool(ours), server) for reply in others]
    names = sorted({reply.server for reply in offers})
    if not server and len(names) > 1:
        found.append(
            fault(
                f"{len(names)} boot servers answer: {', '.join(names)}",
                "A machine takes the first answer. Switch off all but one.",
            )
        )
    if not ours:
        found += silence(evidence, expected)
    return found


def _our_offer(reply: Reply, evidence: Evidence) -> Finding:
    """Firmware that has an address does not wait long for a boot server."""
    addressed = [one.after for one in evidence.offers if one.gives_address]
    waits = 2.0 if evidence.kind.ipxe else 4.0
    words = _offer_in_words(reply)
    if not addressed or reply.after - min(addressed) < waits:
        return ok(words)
    return warning(
        f"slow: {words}, but only after {reply.after:.1f} s: a machine that has its address waits"
        f" {waits:.0f} s",
        f"Find out what keeps {reply.server} or the relay on the way to it.",
    )


def _offer_in_words(reply: Reply) -> str:
    if reply.menu is not None and not reply.file:
        return f"{reply.server} offers a boot menu"
    if not reply.file:
        return f"{reply.server} offers to be the boot server, on port 4011"
    how = " and tells the machine to load it" if reply.skips_discovery else ""
    return f"{reply.server} offers the boot file {loading.shown(reply.file)}{how}"


def _other_server(reply: Reply, ours_too: bool, server: str) -> Finding:  # noqa: FBT001
    what = f"the boot file {reply.file}" if reply.file else "to be the boot server"
    if ours_too:
        return fault(
            f"a second boot server answers: {reply.server} offers {what}",
            f"A machine takes the first answer. Switch off network boot on {reply.server}"
            " (WDS, FOG, dnsmasq, or options 66 and 67 of a DHCP server).",
        )
    return fault(
        f"the wrong boot server answers: {reply.server} offers {what}; {server} does not answer",
        f"Switch off network boot on {reply.server}, and find out why {server} does not answer.",
    )


def _port_4011(evidence: Evidence, expected: Expectation) -> list[Finding]:
    if not evidence.asked or evidence.choices:
        return []
    reply = evidence.acknowledged
    if reply is not None and reply.file:
        return [ok(f"{evidence.asked} names {loading.shown(reply.file)} on port 4011")]
    if evidence.is_left_out:
        return [left_out(evidence.kind)] if boot_offers(evidence.offers) else []
    if reply is not None:
        return [
            fault(
                f"{evidence.asked} answers on port 4011 without a boot file [PXE-E53]",
                "See the boot log for this machine.",
            )
        ]
    return _silent_4011(evidence, expected)


def _silent_4011(evidence: Evidence, expected: Expectation) -> list[Finding]:
    offers, asked = boot_offers(evidence.offers), evidence.asked
    cure = f"Open UDP port 4011 on {asked}."
    if any(one.file for one in offers):
        return [
            warning(
                f"{asked} does not answer on port 4011: firmware that needs it gives up [PXE-E55]",
                cure,
            )
        ]
    if not any(is_from(one, asked) for one in offers):
        return []  # it made no offer, which is reported already
    if not_meant_to_boot(evidence.kind, expected):
        return [not_served(evidence.kind)]
    if evidence.said:
        return [fault(f"{asked} does not answer: {evidence.said}", cure_for(evidence.said))]
    return [fault(f"{asked} does not answer on port 4011 [PXE-E55]", cure)]
