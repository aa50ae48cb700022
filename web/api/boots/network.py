"""The boot network over the API: who was answered and why, who else answers, and checks."""

from typing import Literal

from pydantic import BaseModel, Field

from netboot.operations.boots import network as operations
from web.api.jobs import Job, accepted
from web.api.subject import LARGEST_PAGE, Order, Subject, Value
from web.guard.access import Role, site
from web.uploads.tus import handed_in

network = Subject("network", "The boot network: answers, other boot servers, checks.")


class Serving(Value):
    """What our proxyDHCP serves; `notes` say what it cannot do here, and the cure."""

    since: float
    interface: str
    address: str
    ports: str
    notes: list[str]
    counts: dict[str, dict[str, int]] = Field(
        description="By service, what came in since the start, as of the last half minute."
    )


class OtherServer(Value):
    """Another boot server that was heard. `mac` is whom it answered last."""

    server: str
    file: str
    mac: str
    first: float
    last: float


class Network(Value):
    """What we serve (null where we never did), and who else does."""

    serving: Serving | None
    others: list[OtherServer]


class Decision(Value):
    """One request of a machine: what it was answered, or that it was ignored, and why."""

    at: float
    mac: str
    ip: str
    port: int
    file: str
    label: str
    reason: str
    warning: str
    ignored: bool


class Decisions(Value):
    """The newest decisions."""

    items: list[Decision]


class NewestDecisions(BaseModel):
    """How many, and which."""

    limit: int = Field(100, ge=1, le=LARGEST_PAGE)
    ignored: bool = Field(default=False, description="Only requests that got no answer.")
    search: str = Field("", max_length=100, description="Words of MAC, address, file or reason.")


class Capture(Order):
    """A recorded boot: the batch of an upload that holds one pcap or pcapng file."""

    upload: str = Field(description="What PUT /api/v1/uploads/{name} or tus gave as batch.")


class Check(Order):
    """What to ask the network for. No kinds are all kinds."""

    kinds: list[str] = Field(default_factory=list, max_length=20)
    patience: Literal[3, 10] = Field(3, description="Seconds to wait for offers.")
    whole: bool = Field(default=False, description="Read images to their end.")


@network.verb("GET", "", needs=Role.VIEWER, gives=Network)
def get_network() -> Network:
    """What is served, and other boot servers that were heard."""
    serving = operations.serving(site())
    return Network(
        serving=Serving.model_validate(serving) if serving else None,
        others=[OtherServer.model_validate(one) for one in operations.other_servers(site())],
    )


@network.verb("GET", "/decisions", needs=Role.VIEWER, gives=Decisions)
def list_decisions(query: NewestDecisions) -> Decisions:
    """Who was answered and who was ignored, and why, newest first."""
    found = operations.decisions(
        site(), query.limit, ignored_only=query.ignored, search=query.search
    )
    return Decisions(items=[Decision.model_validate(one) for one in found])


@network.verb("POST", "/checks", needs=Role.OPERATOR, gives=Job, status=202, action="check")
def check_network(body: Check) -> tuple[Job, dict[str, str]]:
    """Ask the network as machines would; the verdicts stand in the job's result as they come."""
    job = operations.ask_check(site(), tuple(body.kinds), patience=body.patience, whole=body.whole)
    return accepted(job)


@network.verb(
    "POST", "/captures", needs=Role.OPERATOR, gives=Job, status=202, action="read_capture"
)
def read_capture(body: Capture) -> tuple[Job, dict[str, str]]:
    """Tell the story of an uploaded recording; it stands in the job's result."""
    return accepted(handed_in(body.upload, lambda path: operations.ask_capture(site(), path)))
