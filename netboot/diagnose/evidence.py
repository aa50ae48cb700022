"""What happened to one made-up machine of a check: plain values, gathered before any judgement."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import Kind
from netboot.diagnose.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that happened to one made-up machine.

    `acknowledged` is the answer from port 4011 of `asked`, which is empty where nobody was asked.
    `alive` is whether our server, silent to this machine, answers others of its architecture on
    4011. `to_relay` tells whether it answers a relay here (None: not tried). `said` is its own
    reason for its silence, where its journal is at hand. `local` is whether it lives in the same
    subnet; `holders` names the programs that have its ports, where it is this very host.
    `chained` is what happened to the iPXE that the machine was given.
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


def boot_offers(offers: tuple[Reply, ...]) -> list[Reply]:
    return [reply for reply in offers if reply.is_boot]


def is_from(reply: Reply, server: str) -> bool:
    """Whether a reply is the server's, or leads to it."""
    return server in {reply.server, reply.source, reply.boot_server}


def architectures_for(kind: Kind) -> tuple[str, ...]:
    """The architectures of images that such a machine could start, the best first."""
    if kind.architecture == 0:  # a BIOS does not tell how wide its processor is
        return ("x64", "x86")
    return (kind.runs if kind.runs != "script" else "x64",)


def not_meant_to_boot(kind: Kind, expected: Expectation) -> bool:
    """Whether the site has no image for such machines, and knows it."""
    if not expected.is_complete:
        return False
    return not any(expected.serves(one) for one in architectures_for(kind))
