"""From what was seen to what is wrong and what to do: rules, without a wire.

They follow the order in which firmware goes on: an address, a boot server, a file's name, the
file, what the file leads to. The first thing that is broken is what a person should mend first.
"""

from dataclasses import dataclass

from netboot.boot.neighbours import option_60_lines
from netboot.diagnose.answers import Reply
from netboot.diagnose.expectation import Expectation, Promised
from netboot.diagnose.fetch import Fetched
from netboot.diagnose.findings import Finding, Level, fault, info, ok, warning
from netboot.diagnose.firmware import Kind
from netboot.diagnose.program import made_for, name_of

_SIZES = ("bytes", "KiB", "MiB", "GiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that happened to one made-up machine.

    `acknowledged` is the answer from port 4011 of `asked`, which is empty where nobody was asked.
    `to_relay` tells whether our server answers a relay here (None: not tried). `said` is the
    server's own reason for its silence, where its journal is at hand. `local` is whether the
    server lives in the same subnet.
    """

    kind: Kind
    offers: tuple[Reply, ...] = ()
    asked: str = ""
    acknowledged: Reply | None = None
    to_relay: bool | None = None
    program: Fetched | None = None
    parts: tuple[Fetched, ...] = ()
    said: str = ""
    local: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a kind of machine: `boots`, `fails`, or `not served`."""

    kind: Kind
    outcome: str
    findings: tuple[Finding, ...]


def judge(evidence: Evidence, expected: Expectation) -> Verdict:
    """The verdict on one kind of machine."""
    found = [
        *_addresses(evidence),
        *_boot_servers(evidence, expected),
        *_port_4011(evidence),
        *_program(evidence, expected),
        *_parts(evidence, expected),
    ]
    return Verdict(evidence.kind, _outcome(evidence, expected, found), tuple(found))


def boot_offers(offers: tuple[Reply, ...]) -> list[Reply]:
    """Those replies that speak of booting."""
    return [reply for reply in offers if reply.is_boot]


def is_from(reply: Reply, server: str) -> bool:
    """Whether a reply is the server's, or leads to it."""
    return server in {reply.server, reply.source, reply.boot_server}


def _outcome(evidence: Evidence, expected: Expectation, found: list[Finding]) -> str:
    if any(one.level is Level.FAULT for one in found):
        return "fails"
    if _not_meant_to_boot(evidence.kind, expected) and not boot_offers(evidence.offers):
        return "not served"
    return "boots"


def _not_meant_to_boot(kind: Kind, expected: Expectation) -> bool:
    """Whether the site has no image for such machines, and knows it."""
    if not expected.is_complete:
        return False
    either = kind.runs == "bios" or kind.key == "ipxe-bios"
    wanted = ("x64", "x86") if either else (kind.runs if kind.runs != "script" else "x64",)
    return not any(expected.serves(architecture) for architecture in wanted)


def _addresses(evidence: Evidence) -> list[Finding]:
    found = [
        ok(f"{reply.server} offers the address {reply.offered}")
        for reply in evidence.offers
        if reply.gives_address
    ]
    if found:
        return found
    code = "PXE-E52" if boot_offers(evidence.offers) else "PXE-E51"
    return [
        fault(
            f"no DHCP server offers an address [{code}]",
            "netboot gives no addresses: start the site's DHCP server, or see whether its range"
            " is used up, it serves this network, or knows only registered machines.",
        )
    ]


def _boot_servers(evidence: Evidence, expected: Expectation) -> list[Finding]:
    offers = boot_offers(evidence.offers)
    server = expected.server
    ours = [reply for reply in offers if not server or is_from(reply, server)]
    others = [reply for reply in offers if server and not is_from(reply, server)]
    found = [ok(_offer_in_words(reply)) for reply in ours]
    found += [_other_server(reply, bool(ours), server) for reply in others]
    names = sorted({reply.server for reply in offers})
    if not server and len(names) > 1:
        found.append(
            fault(
                f"{len(names)} boot servers answer: {', '.join(names)}",
                "A machine takes whichever is first. Switch off all but one.",
            )
        )
    if not ours:
        found += _silence(evidence, expected)
    return found


def _offer_in_words(reply: Reply) -> str:
    if not reply.file:
        return f"{reply.server} says that it is a boot server, to be asked on port 4011"
    how = ", and says to take it" if reply.skips_discovery else ""
    return f"{reply.server} offers the boot file {reply.file}{how}"


def _other_server(reply: Reply, ours_too: bool, server: str) -> Finding:  # noqa: FBT001
    what = f"the boot file {reply.file}" if reply.file else "to be the boot server"
    if ours_too:
        return fault(
            f"a second boot server answers: {reply.server} offers {what}",
            f"A machine takes whichever is first. Switch off booting on {reply.server}"
            " (WDS, FOG, dnsmasq, or options 66 and 67 of a DHCP server).",
        )
    return fault(
        f"the wrong boot server answers: {reply.server} offers {what}, and {server} is silent",
        f"Switch off booting on {reply.server}, and see why {server} is silent.",
    )


def _silence(evidence: Evidence, expected: Expectation) -> list[Finding]:
    """Why there is no offer of ours."""
    kind, server = evidence.kind, expected.server
    if _not_meant_to_boot(kind, expected):
        return [
            info(
                f"no image for a {kind.title} is published: it gets no answer",
                "If such machines shall boot, publish an image and make it the default.",
            )
        ]
    if evidence.said:
        return [fault(f"{server} kept silent: {evidence.said}", _cure_for(evidence.said))]
    if not server:
        return [
            fault(
                "no boot server answers [PXE-E53]",
                "Start netboot on this network, and see that UDP ports 67 and 4011 are open.",
            )
        ]
    return [_silent_server(evidence, server)]


def _cure_for(reason: str) -> str:
    if "relay" in reason:
        return "Name the network in `relays` in netboot.toml and start the site again."
    if "default" in reason or "assigned" in reason or "published" in reason:
        return "Choose images on the Deployment page, then Update Distribution Points."
    return "See the boot log for this machine."


def _silent_server(evidence: Evidence, server: str) -> Finding:
    same_host = any(reply.gives_address and server in {reply.server, reply.source}
                    for reply in evidence.offers)  # fmt: skip
    if evidence.acknowledged is not None and same_host:
        return fault(
            f"{server} answers on port 4011 only, for a DHCP server on the same host holds port 67,"
            " and that one does not tell machines to ask there",
            "The DHCP server's configuration needs, for dnsmasq:\n"
            f"{option_60_lines('dnsmasq')}\nor for others: {option_60_lines('')}",
        )
    if not evidence.local:
        return _behind_relay(evidence, server)
    if evidence.acknowledged is not None:
        return fault(
            f"{server} answers on port 4011, but not the DISCOVER on port 67",
            f"On {server} another program holds UDP port 67, or a firewall drops broadcasts:"
            " open UDP 67 and see `netboot boot`'s first lines.",
        )
    return fault(
        f"{server} does not answer at all [PXE-E53]",
        f"Start netboot on {server}, on this network's interface, and open UDP ports 67 and 4011.",
    )


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


def _port_4011(evidence: Evidence) -> list[Finding]:
    if not evidence.asked:
        return []
    reply = evidence.acknowledged
    if reply is not None and reply.file:
        return [ok(f"{evidence.asked} names {reply.file} on port 4011")]
    if reply is not None:
        return [
            fault(
                f"{evidence.asked} answers on port 4011 without a boot file [PXE-E53]",
                "See the boot log for this machine.",
            )
        ]
    cure = f"Open UDP port 4011 on {evidence.asked}."
    if any(one.file for one in boot_offers(evidence.offers)):
        return [
            warning(
                f"{evidence.asked} is silent on port 4011: firmware that asks there all the same"
                " gives up [PXE-E55]",
                cure,
            )
        ]
    if boot_offers(evidence.offers):
        return [fault(f"{evidence.asked} is silent on port 4011 [PXE-E55]", cure)]
    return []


def _program(evidence: Evidence, expected: Expectation) -> list[Finding]:
    fetched = evidence.program
    if fetched is None:
        return []
    if fetched.trouble:
        return [_transfer_trouble(fetched)]
    return [
        *_comparison(fetched, _promised(fetched.name, expected), known=expected.is_complete),
        *_fitness(evidence.kind, fetched),
    ]


def _transfer_trouble(fetched: Fetched) -> Finding:
    name, words = fetched.name, fetched.words
    http = "://" in name
    match fetched.trouble, http:
        case "missing", _:
            return fault(
                f"{name} is not there: {words} [PXE-E3B]",
                "Update Distribution Points, and restart the site so that it takes up its boot"
                " programs (packages ipxe, grub-efi-ia32-bin).",
            )
        case "silent", False:
            return fault(
                f"nothing comes by TFTP for {name} [PXE-E32]",
                "Open UDP port 69 on the server, and let it answer from any port: TFTP transfers"
                " have ports of their own.",
            )
        case "silent" | "unreachable", True:
            return fault(
                f"{name} cannot be reached: {words or 'no answer'}",
                "Open the boot HTTP port (TCP) on the server and see that `netboot http` runs.",
            )
        case "broken", _:
            return fault(
                f"the transfer of {name} stopped half way: {words} [PXE-E35]",
                "A firewall or a path with a smaller MTU eats packets: try block size 1024.",
            )
    return fault(f"{name} was refused: {words} [PXE-E36]", "See the boot log for the reason.")


def _promised(name: str, expected: Expectation) -> Promised | None:
    _, scheme, rest = name.partition("://")
    if scheme:
        return expected.promised_at("/" + rest.partition("/")[2].partition("?")[0])
    return expected.promised(name)


def _comparison(fetched: Fetched, promised: Promised | None, *, known: bool) -> list[Finding]:
    size = _human(len(fetched.data))
    if made_for(fetched.data) == "script":
        return [ok(f"{fetched.name} is a script of {size}")]
    if promised is None:
        words = f"{fetched.name} came whole ({size})"
        if known:
            return [warning(f"{words}, but is not among what is published", "Publish it anew.")]
        return [info(f"{words}; without a list of digests it was not compared")]
    if fetched.digest == promised.digest:
        return [ok(f"{fetched.name} came whole ({size}) and is what was published")]
    return [
        fault(
            f"{fetched.name} is not what was published: {fetched.digest[:19]}… instead of"
            f" {promised.digest[:19]}…",
            "It was altered on the way or on the server. Verify the distribution point and update"
            " it; if it stays so, look who else answers under this address.",
        )
    ]


def _fitness(kind: Kind, fetched: Fetched) -> list[Finding]:
    actual = made_for(fetched.data)
    if actual == kind.runs:
        return [ok(f"{fetched.name} is {name_of(actual)}")] if actual != "script" else []
    return [
        fault(
            f"{fetched.name} is {name_of(actual)}, which a {kind.title} cannot start",
            "Publish an image of the right architecture, and boot programs of the right package.",
        )
    ]


def _parts(evidence: Evidence, expected: Expectation) -> list[Finding]:
    found = []
    for part in evidence.parts:
        promised = _promised(part.name, expected)
        if part.trouble:
            found.append(_transfer_trouble(part))
        elif promised is not None and part.size not in {promised.size, -1}:
            found.append(
                fault(
                    f"{part.name} has {part.size} bytes instead of {promised.size}",
                    "Verify the distribution point and update it.",
                )
            )
        elif part.name.endswith(".wim") and not part.data.startswith(b"MSWIM\0\0\0"):
            found.append(
                fault(f"{part.name} does not begin like a WIM", "Verify the distribution point.")
            )
        else:
            found.append(ok(f"{part.name} can be had ({_human(part.size)})"))
    return found


def _human(size: int) -> str:
    if size < 0:
        return "size unknown"
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_SIZES[unit]}" if unit == 0 else f"{value:.1f} {_SIZES[unit]}"
