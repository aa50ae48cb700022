"""What happened to one simulated machine of a check: plain values, before any judgement."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.asking.menu import BootMenu, MenuItem
from netboot.diagnose.expectation import Expectation


@dataclass(frozen=True, slots=True)
class Choice:
    """An item of a boot menu: the servers that were asked for it, and the answer of one."""

    item: MenuItem
    places: tuple[str, ...] = ()
    answer: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that happened to one simulated machine.

    `first_offer`: seconds until this check heard the first offer of an address to any machine.
    `others_served`: another kind of machine gets a boot program, from a server of which we do not
    know what it serves. `choices` are the items
    of the boot menu that it was offered, the one that starts first.
    `loop` says what the machine is handed again and again, or is empty.

    `acknowledged` is the answer from port 4011 of `asked`, which is empty if no server was asked.
    `alive`: our server, silent to this machine, answers others of its architecture on port 4011.
    `to_relay`: it answers a relay here (None: not tried). `said` is its reason for its silence, if
    its journal can be read. `local`: it is in the same subnet. `holders` names the programs that
    have its ports, if it is on this host. `chained` is what happened to the iPXE that it served.
    """

    kind: Kind
    offers: tuple[Reply, ...] = ()
    asked: str = ""
    acknowledged: Reply | None = None
    alive: bool = False
    to_relay: bool | None = None
    program: Fetched | None = None
    parts: tuple[Fetched, ...] = ()
    said: str = ""
    local: bool = True
    holders: Mapping[int, str] = field(default_factory=dict)
    chained: "Evidence | None" = None
    first_offer: float = 0.0
    others_served: bool = False
    choices: tuple[Choice, ...] = ()
    loop: str = ""

    @property
    def gets_a_program(self) -> bool:
        return self.program is not None and not self.program.trouble

    @property
    def is_left_out(self) -> bool:
        """Whether an unknown server names a program to other kinds of machine, and none to this."""
        named = (*boot_offers(self.offers), self.acknowledged)
        return self.others_served and not any(reply is not None and reply.file for reply in named)

    @property
    def menu(self) -> BootMenu | None:
        """The boot menu that led to `choices`."""
        if not self.choices:
            return None
        return next((reply.menu for reply in self.offers if reply.menu is not None), None)


def boot_offers(offers: tuple[Reply, ...]) -> list[Reply]:
    return [reply for reply in offers if reply.is_boot]


def is_from(reply: Reply, server: str) -> bool:
    """Whether a reply comes from the server, or names it."""
    return server in {reply.server, reply.source, reply.boot_server}


def architectures_for(kind: Kind) -> tuple[str, ...]:
    """The image architectures that such a machine can start, the best first."""
    if kind.architecture == 0:  # a BIOS does not say whether its processor has 64 bits
        return ("x64", "x86")
    return (kind.runs if kind.runs != "script" else "x64",)


def not_meant_to_boot(kind: Kind, expected: Expectation) -> bool:
    """Whether the site is known to have no image for such machines."""
    if not expected.is_complete:
        return False
    return not any(expected.serves(one) for one in architectures_for(kind))
