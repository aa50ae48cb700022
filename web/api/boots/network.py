"""The boot network over the API: answered requests, other boot servers and checks."""

from functools import partial
from typing import Literal

from pydantic import BaseModel, Field

from netboot.operations.boots import network as operations
from netboot.operations.boots import networks
from web.api.jobs import Accepted, accepted
from web.api.subject import LARGEST_PAGE, Items, Order, Subject, Value, items_of
from web.api.uploads import FileUpload
from web.guard.access import Role, site
from web.uploads.tus import handed_in

network = Subject("network", "The boot network: requests, other boot servers, checks.")


class Serving(Value):
    """What proxyDHCP serves; `notes` list problems and their solutions."""

    since: float
    interface: str
    address: str
    ports: str
    notes: list[str]
    counts: dict[str, dict[str, int]] = Field(
        description="Requests per service since the start, updated every 30 seconds."
    )


class OtherServer(Value):
    """Another boot server that was detected. `mac` is the last machine it answered."""

    server: str
    file: str
    mac: str
    first: float
    last: float


class ServedNetwork(Value):
    """A network as the boot services told it last, at most 30 seconds ago.

    `state` is serves, behind relays, not allowed, waits (`reason` says for what) or stopped.
    """

    name: str
    interface: str
    address: str = Field(description="Address of the server that machines there are given.")
    state: str
    reason: str
    subnets: list[str]
    block_size: int = Field(description="Largest TFTP block in bytes; 0: no limit.")
    response_delay: float = Field(description="Seconds before an offer is sent.")
    only_known: bool = Field(description="Whether only known machines are answered.")
    heard: int = Field(description="Boot requests since the start.")
    answered: int
    last: float = Field(description="Time of the newest request; 0: none.")
    relays: list[str] = Field(description="DHCP relays that forwarded requests, latest first.")
    notes: list[str]


class Network(Value):
    """The boot services (null if they never ran) and other boot servers."""

    serving: Serving | None
    others: list[OtherServer]


class Decision(Value):
    """One boot request: the answer, or that it was ignored, and why."""

    at: float
    mac: str
    ip: str
    port: int
    file: str
    label: str
    reason: str
    warning: str
    ignored: bool


class NewestDecisions(BaseModel):
    """Which requests to return."""

    limit: int = Field(100, ge=1, le=LARGEST_PAGE)
    ignored: bool = Field(default=False, description="Only ignored requests.")
    search: str = Field(
        "", max_length=100, description="Part of a MAC address, IP address, file or reason."
    )


class Capture(FileUpload):
    """A recorded boot, as one pcap or pcapng file."""


class Check(Order):
    """What to check. No kinds means all kinds."""

    kinds: list[str] = Field(default_factory=list, max_length=20)
    patience: Literal[4, 10] = Field(
        4, description="Seconds to wait for offers before asking again, as firmware does."
    )
    whole: bool = Field(default=False, description="Download complete boot images.")
    network: str = Field(
        "", max_length=100, description="Name of the network to check; empty: the first one."
    )


@network.verb("GET", "", needs=Role.VIEWER)
def get_network() -> Network:
    """Get the state of the boot services and other boot servers."""
    serving = operations.serving(site())
    return Network(
        serving=Serving.of(serving) if serving else None,
        others=[OtherServer.of(one) for one in operations.other_servers(site())],
    )


@network.verb("GET", "/networks", needs=Role.VIEWER)
def list_networks() -> Items[ServedNetwork]:
    """List the networks, how each is served, and what was heard there."""
    return items_of(ServedNetwork, networks.list_networks(site()))


@network.verb("GET", "/decisions", needs=Role.VIEWER)
def list_decisions(query: NewestDecisions) -> Items[Decision]:
    """List boot requests with their answers and reasons, newest first."""
    found = operations.decisions(
        site(), query.limit, ignored_only=query.ignored, search=query.search
    )
    return items_of(Decision, found)


@network.verb("POST", "/checks", needs=Role.OPERATOR, status=202, action="check")
def check_network(body: Check) -> Accepted:
    """Check the network by simulating machines. Results appear in the job as they arrive."""
    job = operations.ask_check(
        site(),
        tuple(body.kinds),
        patience=body.patience,
        whole=body.whole,
        network=body.network,
    )
    return accepted(job)


@network.verb("POST", "/captures", needs=Role.OPERATOR, status=202, action="read_capture")
def read_capture(body: Capture) -> Accepted:
    """Analyse an uploaded recording. The result is in the job."""
    return accepted(handed_in(body.upload, partial(operations.ask_capture, site())))
