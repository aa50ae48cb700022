"""Which program a client gets, and how an OFFER says so: decided here and nowhere else.

`decide` is one pure function of the published versions, the site's settings and a few facts about
the client. `Decisions` caches it, since a thousand machines of one model may boot at once.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final, NamedTuple

from netboot.boot.answer import reply
from netboot.boot.answer.client import BootClient, Firmware, Stage, machine_of
from netboot.boot.answer.destination import Masks, masks
from netboot.boot.answer.nbp import BootProgram, NoProgram, select
from netboot.boot.answer.policy import NoImage, choose
from netboot.boot.answer.quirks import MOST_ATTEMPTS, Shape, quirk_of
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import PublishedContent

_KEPT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A network of the site, and our place in it.

    `name` is the network's. `server` is our address for clients. `networks` are those of this
    server's own interface, `relays` those of the relay agents (and clients behind them) that we
    answer. `authority` is the default signing authority of UEFI loaders. `allowed` and `only_known`
    say who gets answers; an OFFER is sent after `delay` seconds.
    """

    server: str
    name: str = ""
    http_port: int = 8081
    networks: tuple[IPv4Network, ...] = ()
    relays: tuple[IPv4Network, ...] = ()
    authority: str = ""
    allowed: bool = True
    only_known: bool = False
    delay: float = 0.0
    identity: reply.Server = field(init=False)
    local_masks: Masks = field(init=False)
    relay_masks: Masks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", reply.Server(self.server))
        object.__setattr__(self, "local_masks", masks(self.networks))
        object.__setattr__(self, "relay_masks", masks(self.relays))


class Facts(NamedTuple):
    """All that `decide` reads of a client (a BootFacts).

    `mac` is empty for every machine that policy does not name: those of one model are alike.
    """

    mac: str
    architecture_code: int
    stage: Stage
    speaks_http: bool

    @property
    def architecture(self) -> Architecture | None:
        return machine_of(self.architecture_code).architecture

    @property
    def firmware(self) -> Firmware:
        return machine_of(self.architecture_code).firmware


class Form(NamedTuple):
    """How an OFFER names the program. `wording` is None if each machine has its own file."""

    shape: Shape
    reason: str
    wording: reply.Wording | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The program for a client, why, and the form of the OFFER by attempt."""

    program: BootProgram
    reason: str
    forms: tuple[Form, ...]

    def form(self, attempt: int) -> Form:
        """The form for the `attempt`-th DISCOVER without success, counted from 1."""
        return self.forms[min(attempt, MOST_ATTEMPTS) - 1]


def decide(facts: Facts, published: PublishedContent, settings: Settings) -> Decision | str:
    """The program for a client, or why it gets none. It reads nothing but its arguments."""
    if not settings.allowed:
        return "machines in this network get no answers: it is not allowed in the settings"
    choice = choose(facts, published, only_known=settings.only_known)
    if isinstance(choice, NoImage):
        return choice.reason
    program = select(
        facts,
        choice,
        server=settings.server,
        http_port=settings.http_port,
        supplied=published.supplied,
        authority=published.authorities.get(facts.mac, ""),
        site_authority=settings.authority,
    )
    if isinstance(program, NoProgram):
        return program.reason
    reason = "; ".join((*choice.reasons, program.reason))
    forms = []
    for attempt in range(1, MOST_ATTEMPTS + 1):
        quirk = quirk_of(facts, program.chain, attempt)
        shape, http = quirk.shape, facts.speaks_http
        wording = None
        if not program.personal:
            file, server = program.file, settings.identity
            wording = reply.offer_wording(file, shape, speaks_http=http, server=server)
        forms.append(Form(shape, f"{reason}; {quirk.name}", wording))
    return Decision(program, reason, tuple(forms))


class Decisions:
    """A cache of `decide`; its key is all that the function reads.

    That is the published state (a new one empties the cache), the settings (which are the same for
    the life of a cache) and every field of Facts.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._published: PublishedContent | None = None
        self._made: dict[tuple[str, int, Stage, bool], Decision | str] = {}

    def of(self, client: BootClient, published: PublishedContent) -> Decision | str:
        if self._published is not published:
            self._published = published
            self._made.clear()
        special = published.names_machine(client.mac)
        key = (
            client.mac if special else "",
            client.architecture_code,
            client.stage,
            client.speaks_http,
        )
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _KEPT:  # a hostile client can invent codes
                self._made.clear()
            made = self._made[key] = decide(Facts(*key), published, self._settings)
        return made
