"""One check of a network: asks for every kind of machine, follows our server, gathers evidence."""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from netboot.boot.told.events import DhcpStarted, RequestIgnored
from netboot.diagnose import follow
from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.firmware import Kind, Machine
from netboot.diagnose.asking.menu import BootMenu
from netboot.diagnose.asking.program import is_ipxe, made_for
from netboot.diagnose.asking.wire import BOOT_SERVER_PORT, SERVER_PORT, Wire
from netboot.diagnose.evidence import (
    Choice,
    Evidence,
    boot_offers,
    is_from,
    not_meant_to_boot,
)
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging.verdict import Verdict, judge
from netboot.errors import ContentFault
from netboot.interfaces import network_of
from netboot.serve.port_holder import holder_of
from netboot.store.boots.journal import Journal

FIRST_WAIT: Final = 4.0
"""Seconds until firmware repeats its DISCOVER; then 8, 16 and 32 (PXE 2.1 §2.2.1)."""

_MOST_ITEMS: Final = 16
_TELLS_WITHIN: Final = 1.0  # seconds after which a boot service has written its journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to check and how patiently.

    `patience` is the time until the first repeat, in seconds. `reason_of` gives the server's
    message about a machine (by MAC) that comes within some seconds, if its journal can be read.
    `whole` compares whole images, not only their beginnings.
    """

    interface: str
    address: str
    kinds: tuple[Kind, ...]
    expected: Expectation
    network: ipaddress.IPv4Network | None = None
    patience: float = FIRST_WAIT
    whole: bool = False
    reason_of: Callable[[str, float], str] = lambda _mac, _seconds: ""

    @property
    def waits(self) -> tuple[float, ...]:
        """Firmware's waits: each is twice the one before."""
        return tuple(factor * self.patience for factor in (1, 2, 4, 8))


def examine(plan: Plan) -> Iterator[Verdict]:
    """The verdict on each kind of machine. Raises NotPermitted."""
    machines = [Machine.new(kind) for kind in plan.kinds]
    with Wire(plan.interface, plan.address) as wire:
        examiner = _Examiner(plan, wire)
        heard = examiner.ask(machines)
        first = min((reply.after for reply in heard if reply.gives_address), default=0.0)
        gathered = (
            replace(
                examiner.evidence(
                    one, without_doubles(reply for reply in heard if reply.xid == one.xid)
                ),
                first_offer=first,
            )
            for one in machines
        )
        if plan.expected.is_complete:
            yield from (judge(found, plan.expected) for found in gathered)
            return
        # Only what all kinds get shows which of them an unknown server serves.
        everything = list(gathered)
        for found in everything:
            others = any(one.gets_a_program for one in everything if one is not found)
            yield judge(replace(found, others_served=others), plan.expected)


def without_doubles(replies: Iterable[Reply]) -> tuple[Reply, ...]:
    """Retransmissions of one offer count once."""
    return tuple(dict.fromkeys(replies))


class _Examiner:
    """Follows one machine after the other on one network."""

    def __init__(self, plan: Plan, wire: Wire) -> None:
        self._plan = plan
        self._wire = wire
        self._server = plan.expected.server

    def ask(self, machines: Sequence[Machine]) -> list[Reply]:
        """The offers to machines that ask again, as firmware does, for what they may still get.

        That is an address, and a boot server if such machines should boot. A kind that we know
        nothing of is not waited for once another has a boot server, nor one whose refusal the
        server's journal explains.
        """
        expected = self._plan.expected
        addressed: set[int] = set()

        def unanswered(heard: Sequence[Reply]) -> list[Machine]:
            addressed.update(reply.xid for reply in heard if reply.gives_address)
            booted = {reply.xid for reply in heard if self._is_ours(reply)}
            may_boot = [
                one.xid
                for one in machines
                if not not_meant_to_boot(one.kind, expected)
                and (expected.is_complete or not booted)
            ]
            return [
                one
                for one in machines
                if one.xid not in addressed or (one.xid in may_boot and one.xid not in booted)
            ]

        def hopeless(machine: Machine) -> bool:
            return machine.xid in addressed and bool(self._plan.reason_of(machine.written_mac, 0))

        return self._wire.ask_as_firmware(machines, self._plan.waits, unanswered, hopeless=hopeless)

    def _is_ours(self, reply: Reply) -> bool:
        return reply.is_boot and (not self._server or is_from(reply, self._server))

    def evidence(
        self, machine: Machine, offers: tuple[Reply, ...], handed: tuple[str, ...] = ()
    ) -> Evidence:
        """What happens to a machine with these offers; `handed` is what its iPXEs got before."""
        server = self._server
        ours = [one for one in boot_offers(offers) if self._is_ours(one)]
        menu = self._menu_of(machine.kind, ours)
        choices = self._choose(machine, menu) if menu is not None else ()
        # Before port 4011 is asked, whose refusals would be newer.
        said = "" if ours else self._plan.reason_of(machine.written_mac, _TELLS_WITHIN)
        asked, acknowledged = ("", None) if said else self._ask_for(machine, ours, choices)
        if ours and asked and acknowledged is None:
            said = self._plan.reason_of(machine.written_mac, _TELLS_WITHIN)
        found = Evidence(
            kind=machine.kind,
            offers=offers,
            asked=asked,
            acknowledged=acknowledged,
            choices=choices,
            said=said,
            local=self._is_local(),
        )
        if not ours:
            return self._with_silence(found, machine, server)
        # With a menu, only the answer to the chosen item counts.
        offered = None if menu is not None else next((one for one in ours if one.file), None)
        named = offered or acknowledged
        return self._with_files(found, machine, named, handed)

    def _with_silence(self, found: Evidence, machine: Machine, server: str) -> Evidence:
        """Our server made no offer: what else can be learned about it?"""
        plan = self._plan
        to_relay = None
        if server and not found.local and self._wire.can_relay:
            request = machine.relayed_discover(plan.address)
            to_relay = self._wire.ask_as_relay(request, server, machine.xid, plan.patience)
        alive = False
        if server and machine.kind.http:
            alive = self._boot_server_says(machine.by_pxe(), server) is not None
        holders = self._holders() if server == plan.address else {}
        return replace(found, to_relay=to_relay, alive=alive, holders=holders)

    def _with_files(
        self, found: Evidence, machine: Machine, named: Reply | None, handed: tuple[str, ...]
    ) -> Evidence:
        program, plan = follow.fetch_program(named, machine.kind), self._plan
        found = replace(found, program=program)
        if named is None or program is None or program.trouble:
            return found
        if is_ipxe(program.name, program.data):
            return self._with_next(found, machine, f"{named.boot_server} {program.name}", handed)
        if made_for(program.data) != "script":
            parts = follow.fetch_parts(machine.kind, plan.expected, whole=plan.whole)
            return replace(found, parts=parts)
        led = follow.follow_script(
            program,
            follow.known_to_ipxe(named, machine.written_mac),
            whole=plan.whole,
            server=named.boot_server,
        )
        found = replace(found, parts=led.parts, loop=led.loop)
        if not led.hands_over:
            return found
        return self._with_next(found, machine, program.name, handed)

    def _with_next(
        self, found: Evidence, machine: Machine, step: str, handed: tuple[str, ...]
    ) -> Evidence:
        """After `step` an iPXE starts, and asks again. If it was handed that before, it loops."""
        if not machine.kind.ipxe:
            return replace(found, chained=self._chained(machine.as_ipxe(), ()))
        if step in handed or len(handed) >= follow.MOST_STEPS:
            program = found.program.name if found.program is not None else step
            return replace(found, loop=program)
        return replace(found, chained=self._chained(machine.as_ipxe(), (*handed, step)))

    def _chained(self, machine: Machine, handed: tuple[str, ...]) -> Evidence:
        """What happens to the iPXE that this machine got; other servers are reported already."""

        def pending(heard: Sequence[Reply]) -> list[Machine]:
            answered = any(one.xid == machine.xid and self._is_ours(one) for one in heard)
            return [] if answered else [machine]

        def hopeless(one: Machine) -> bool:
            return bool(self._plan.reason_of(one.written_mac, 0))

        heard = self._wire.ask_as_firmware(
            [machine], self._plan.waits, pending, hopeless=hopeless, at_once=True
        )
        mine = without_doubles(reply for reply in heard if reply.xid == machine.xid)
        return self.evidence(machine, tuple(filter(self._is_ours, mine)) or mine, handed)

    @staticmethod
    def _menu_of(kind: Kind, ours: list[Reply]) -> BootMenu | None:
        """The menu that the machine shows; iPXE takes a file of the offer before a menu."""
        if kind.http or (kind.ipxe and any(one.file for one in ours)):
            return None
        return next((one.menu for one in ours if one.menu is not None), None)

    def _choose(self, machine: Machine, menu: BootMenu) -> tuple[Choice, ...]:
        """Every item of the menu that boots from the network, each asked for as firmware does."""
        found = []
        for item in menu.items[:_MOST_ITEMS]:
            places = [] if item.is_local else menu.places(item)
            answer = None
            for place in places:
                answer = self._boot_server_says(machine, place, item.request)
                if answer is not None:
                    break
            found.append(Choice(item, tuple(places), answer))
        return tuple(found)

    def _ask_for(
        self, machine: Machine, ours: list[Reply], choices: tuple[Choice, ...]
    ) -> tuple[str, Reply | None]:
        """The boot server that is asked on port 4011, and its answer."""
        first = next((one for one in choices if not one.item.is_local), None)
        if first is not None:
            place = first.answer.source if first.answer else next(iter(first.places), "")
            return place, first.answer
        asked = "" if choices else self._whom_to_ask(machine.kind, ours)
        return asked, self._boot_server_says(machine, asked) if asked else None

    def _whom_to_ask(self, kind: Kind, ours: list[Reply]) -> str:
        """The boot server that this machine asks on port 4011, or ""."""
        if kind.http or (kind.ipxe and any(one.file for one in ours)):
            return ""
        return ours[0].boot_server if ours else self._server

    def _boot_server_says(self, machine: Machine, server: str, item: bytes = b"") -> Reply | None:
        request = machine.boot_request(self._plan.address, item)
        for wait in (1, 2, 3, 4):  # seconds, if the patience is firmware's (PXE 2.1 §2.2.3)
            replies = self._wire.ask_boot_server(
                request, server, machine.xid, wait * self._plan.patience / FIRST_WAIT
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


def journal_reasons(data: Path | None) -> Callable[[str, float], str]:
    """`reason_of` for the site in `data`: why its journal says that it ignored a machine."""
    path = data / "journal.db" if data is not None else None

    def newest_reason(journal: Journal, mac: str) -> str:
        ignored = (one.event for one in journal.latest(20, mac=mac))
        return next((one.reason for one in ignored if isinstance(one, RequestIgnored)), "")

    def reason_of(mac: str, seconds: float) -> str:
        if path is None or not path.exists():
            return ""
        journal = Journal(path)
        try:
            newest = journal.last_id()
            found = newest_reason(journal, mac)
            if not found and seconds and journal.wait_for_change(newest, seconds):
                found = newest_reason(journal, mac)
        except ContentFault:
            return ""
        finally:
            journal.close()
        return found

    return reason_of


def served_interface(data: Path | None) -> str:
    """The interface of this host that the site in `data` served last, or ""."""
    path = data / "journal.db" if data is not None else None
    if path is None or not path.exists():
        return ""
    journal = Journal(path)
    try:
        entry = journal.latest_start()
    except ContentFault:
        return ""
    finally:
        journal.close()
    if entry is None or not isinstance(event := entry.event, DhcpStarted):
        return ""
    # A lab's interface, or one of another host's backup, is none of ours.
    here = event.interface in {name for _, name in socket.if_nameindex()}
    return event.interface if here and network_of(event.address) else ""
