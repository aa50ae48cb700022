"""One check of a network: asks for every kind of machine, follows our server, gathers evidence."""

import ipaddress
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from netboot.boot.events import RequestIgnored
from netboot.diagnose import fetch
from netboot.diagnose.answers import Reply
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.fetch import Fetched
from netboot.diagnose.firmware import Kind, Machine
from netboot.diagnose.program import made_for
from netboot.diagnose.verdict import Evidence, Verdict, boot_offers, is_from, judge
from netboot.diagnose.wire import Wire
from netboot.errors import ContentFault
from netboot.store.journal import Journal

_HEAD = 4096
_MOST_PARTS = 8
_PART = re.compile(r"^\s*(?:kernel|initrd|module|chain)\s+(?:-\S+\s+\S+\s+)*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to check and how patiently.

    `reason_of` gives the server's own words about a machine (by MAC), where they can be had.
    """

    interface: str
    address: str
    kinds: tuple[Kind, ...]
    expected: Expectation
    network: ipaddress.IPv4Network | None = None
    patience: float = 3.0
    reason_of: Callable[[str], str] = lambda _mac: ""


def examine(plan: Plan) -> Iterator[Verdict]:
    """Verdicts on each kind, one after the other. Raises PortTaken or NotPermitted."""
    machines = [Machine.new(kind) for kind in plan.kinds]
    with Wire(plan.interface, plan.address) as wire:
        heard = wire.broadcast([one.discover() for one in machines], plan.patience)
        for machine in machines:
            offers = _without_doubles(reply for reply in heard if reply.xid == machine.xid)
            yield judge(_evidence(plan, wire, machine, offers), plan.expected)


def _evidence(plan: Plan, wire: Wire, machine: Machine, offers: tuple[Reply, ...]) -> Evidence:
    server = plan.expected.server
    ours = [one for one in boot_offers(offers) if not server or is_from(one, server)]
    asked = (ours[0].boot_server if ours else server) if _asks_4011(machine.kind) else ""
    acknowledged = _boot_server_says(wire, machine, asked, plan) if asked else None
    local = _is_local(plan, server)
    to_relay = None
    if server and not ours and not local and wire.can_relay:
        request = machine.relayed_discover(plan.address)
        to_relay = wire.ask_as_relay(request, server, machine.xid, plan.patience)
    named = next((one for one in ours if one.file), acknowledged if ours else None)
    program = _fetch_program(named)
    return Evidence(
        kind=machine.kind,
        offers=offers,
        asked=asked,
        acknowledged=acknowledged,
        to_relay=to_relay,
        program=program,
        parts=_fetch_parts(program),
        said="" if ours else plan.reason_of(machine.written_mac),
        local=local,
    )


def _asks_4011(kind: Kind) -> bool:
    """HTTP boot knows no port 4011, and iPXE asks there only where no file was offered."""
    return not kind.http and not kind.ipxe


def _boot_server_says(wire: Wire, machine: Machine, server: str, plan: Plan) -> Reply | None:
    request = machine.boot_request(plan.address)
    for _ in range(2):  # a packet may get lost
        replies = wire.ask_boot_server(request, server, machine.xid, plan.patience / 2)
        for reply in replies:
            if reply.xid == machine.xid and reply.message == 5:
                return reply
    return None


def _is_local(plan: Plan, server: str) -> bool:
    if not server or plan.network is None:
        return True
    return ipaddress.IPv4Address(server) in plan.network


def _fetch_program(reply: Reply | None) -> Fetched | None:
    if reply is None or not reply.file:
        return None
    if reply.file.startswith(("http://", "https://")):
        return fetch.by_http(reply.file)
    return fetch.by_tftp(reply.boot_server, reply.file)


def _fetch_parts(program: Fetched | None) -> tuple[Fetched, ...]:
    """The heads of what a script names: enough to know that they can be had, and how large."""
    if program is None or program.trouble or made_for(program.data) != "script":
        return ()
    script = program.data.decode("utf-8", errors="replace")
    names = dict.fromkeys(name for name in _PART.findall(script) if "${" not in name)
    urls = [urljoin(program.name, name) for name in list(names)[:_MOST_PARTS]]
    return tuple(_fetch_part(url) for url in urls)


def _fetch_part(url: str) -> Fetched:
    found = urlsplit(url)
    if found.scheme == "tftp" and found.hostname:
        return fetch.by_tftp(found.hostname, found.path.lstrip("/"))
    return fetch.by_http(url, head=_HEAD)


def _without_doubles(replies: Iterator[Reply]) -> tuple[Reply, ...]:
    """Retransmissions of one offer count once."""
    return tuple(dict.fromkeys(replies))


def journal_reasons(data: Path | None) -> Callable[[str], str]:
    """The boot log of the site in `data` as `reason_of`: why it kept silent towards a machine."""

    def reason_of(mac: str) -> str:
        time.sleep(0.3)  # events are committed a moment after they happen
        if data is None or not (data / "journal.db").exists():
            return ""
        try:
            entries = Journal(data / "journal.db").latest(20, mac=mac)
        except ContentFault:
            return ""
        ignored = (one.event for one in entries if isinstance(one.event, RequestIgnored))
        return next((event.reason for event in ignored), "")

    return reason_of
