"""One check of a network: asks for every kind of machine, follows our server, gathers evidence."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from netboot.boot.told.events import RequestIgnored
from netboot.diagnose import follow
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import Kind, Machine
from netboot.diagnose.asking.program import is_ipxe
from netboot.diagnose.asking.wire import BOOT_SERVER_PORT, SERVER_PORT, Wire
from netboot.diagnose.evidence import Evidence, boot_offers, is_from
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging.verdict import Verdict, judge
from netboot.errors import ContentFault
from netboot.serve.port_holder import holder_of
from netboot.store.boots.journal import Journal

_TELLS_WITHIN: Final = 1.0  # seconds after which a boot service has written its journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to check and how patiently.

    `reason_of` gives the server's message about a machine (by MAC), if its journal can be read.
    `whole` compares whole images, not only their beginnings.
    """

    interface: str
    address: str
    kinds: tuple[Kind, ...]
    expected: Expectation
    network: ipaddress.IPv4Network | None = None
    patience: float = 3.0
    whole: bool = False
    reason_of: Callable[[str], str] = lambda _mac: ""


def examine(plan: Plan) -> Iterator[Verdict]:
    """The verdict on each kind of machine. Raises NotPermitted."""
    machines = [Machine.new(kind) for kind in plan.kinds]
    with Wire(plan.interface, plan.address) as wire:
        heard = wire.broadcast([one.discover() for one in machines], plan.patience)
        examiner = _Examiner(plan, wire)
        for machine in machines:
            offers = without_doubles(reply for reply in heard if reply.xid == machine.xid)
            yield judge(examiner.evidence(machine, offers), plan.expected)


def without_doubles(replies: Iterable[Reply]) -> tuple[Reply, ...]:
    """Retransmissions of one offer count once."""
    return tuple(dict.fromkeys(replies))


class _Examiner:
    """Follows one machine after the other on one network."""

    def __init__(self, plan: Plan, wire: Wire) -> None:
        self._plan = plan
        self._wire = wire
        self._server = plan.expected.server

    def evidence(self, machine: Machine, offers: tuple[Reply, ...]) -> Evidence:
        server = self._server
        ours = [one for one in boot_offers(offers) if not server or is_from(one, server)]
        asked = self._whom_to_ask(machine.kind, ours)
        acknowledged = self._boot_server_says(machine, asked) if asked else None
        silent = not ours or (bool(asked) and acknowledged is None)
        found = Evidence(
            kind=machine.kind,
            offers=offers,
            asked=asked,
            acknowledged=acknowledged,
            said=self._plan.reason_of(machine.written_mac) if silent else "",
            local=self._is_local(),
        )
        if not ours:
            return self._with_silence(found, machine)
        named = next((one for one in ours if one.file), acknowledged)
        return self._with_files(found, machine, follow.fetch_program(named))

    def _with_silence(self, found: Evidence, machine: Machine) -> Evidence:
        """Our server made no offer: what else can be learned about it?"""
        server, plan = self._server, self._plan
        to_relay = None
        if server and not found.local and self._wire.can_relay:
            request = machine.relayed_discover(plan.address)
            to_relay = self._wire.ask_as_relay(request, server, machine.xid, plan.patience)
        alive = False
        if server and machine.kind.http:
            alive = self._boot_server_says(machine.by_pxe(), server) is not None
        holders = self._holders() if server == plan.address else {}
        return replace(found, to_relay=to_relay, alive=alive, holders=holders)

    def _with_files(self, found: Evidence, machine: Machine, program: Fetched | None) -> Evidence:
        found = replace(found, program=program)
        if program is None or program.trouble:
            return found
        if is_ipxe(program.name):
            return replace(found, chained=self._chained(machine.as_ipxe()))
        plan = self._plan
        return replace(
            found, parts=follow.fetch_parts(program, machine.kind, plan.expected, whole=plan.whole)
        )

    def _chained(self, machine: Machine) -> Evidence:
        """What happens to the iPXE that this machine got; other servers are reported already."""

        def is_ours(reply: Reply) -> bool:
            return (
                reply.xid == machine.xid
                and reply.is_boot
                and (not self._server or is_from(reply, self._server))
            )

        heard = self._wire.broadcast([machine.discover()], self._plan.patience, is_ours)
        mine = without_doubles(reply for reply in heard if reply.xid == machine.xid)
        return self.evidence(machine, tuple(filter(is_ours, mine)) or mine)

    def _whom_to_ask(self, kind: Kind, ours: list[Reply]) -> str:
        """The boot server that this machine asks on port 4011, or ""."""
        if kind.http or (kind.ipxe and any(one.file for one in ours)):
            return ""
        return ours[0].boot_server if ours else self._server

    def _boot_server_says(self, machine: Machine, server: str) -> Reply | None:
        request = machine.boot_request(self._plan.address)
        for _ in range(2):  # a packet may get lost
            replies = self._wire.ask_boot_server(
                request, server, machine.xid, self._plan.patience / 2
            )
            for reply in replies:
                if reply.xid == machine.xid and reply.message == 5:
                    return reply
        return None

    def _holders(self) -> Mapping[int, str]:
        """The programs that have the server's ports on this host; empty for a port that is free."""
        on_67 = "" if self._wire.can_relay else holder_of(SERVER_PORT, protocol="udp")
        return {
            SERVER_PORT: on_67,
            BOOT_SERVER_PORT: holder_of(BOOT_SERVER_PORT, protocol="udp"),
        }

    def _is_local(self) -> bool:
        if not self._server or self._plan.network is None:
            return True
        return ipaddress.IPv4Address(self._server) in self._plan.network


def journal_reasons(data: Path | None) -> Callable[[str], str]:
    """`reason_of` for the site in `data`: why its journal says that it ignored a machine."""
    path = data / "journal.db" if data is not None else None

    def newest_reason(journal: Journal, mac: str) -> str:
        ignored = (one.event for one in journal.latest(20, mac=mac))
        return next((one.reason for one in ignored if isinstance(one, RequestIgnored)), "")

    def reason_of(mac: str) -> str:
        if path is None or not path.exists():
            return ""
        journal = Journal(path)
        try:
            newest = journal.last_id()
            found = newest_reason(journal, mac)
            if not found and journal.wait_for_change(newest, _TELLS_WITHIN):
                found = newest_reason(journal, mac)
        except ContentFault:
            return ""
        finally:
            journal.close()
        return found

    return reason_of
