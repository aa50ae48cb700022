"""Known driver conflicts over the API."""

from pydantic import BaseModel, Field

from netboot.images.drivers import known_pairs as rules
from netboot.images.drivers.known_pairs import Trouble
from netboot.operations.drivers import known_pairs as operations
from web.api.subject import Items, Order, Subject, Value, items_of
from web.guard.access import Role, site

pairs = Subject("known-pairs", "Known driver conflicts.")


class Side(Order):
    """Which drivers one side of a conflict applies to; a driver must match all values."""

    inf: str = Field(
        "", max_length=200, description="INF names, separated by spaces; * and ? are wildcards."
    )
    provider: str = Field(
        "", max_length=200, description="Providers, separated by commas; * and ? are wildcards."
    )
    service: str = Field("", max_length=200, description="Services, in the same form as `inf`.")
    since: str = Field("", max_length=40, description="First affected version.")
    before: str = Field("", max_length=40, description="First version that is no longer affected.")

    def value(self) -> rules.Side:
        return rules.Side(self.inf, self.provider, self.service, self.since, self.before)


class NewPair(Order):
    """A known conflict added by this site."""

    trouble: Trouble = Field(
        description="apart: never both in one image; order: load the first before the second;"
        " release: the first two numbers of their versions must be the same."
    )
    first: Side
    second: Side
    reason: str = Field(max_length=1000, description="Description of the conflict.")
    source: str = Field("", max_length=1000, description="Source of this information.")


class SideShown(Value):
    """Which drivers one side of a conflict applies to."""

    inf: str
    provider: str
    service: str
    since: str
    before: str


class Pair(Value):
    """Two groups of drivers that conflict; `own` entries were added by this site."""

    id: str
    trouble: Trouble
    rule: str
    first: SideShown
    second: SideShown
    reason: str
    source: str
    own: bool


class PairPath(BaseModel):
    """A known conflict by its id."""

    pair: str = Field(min_length=1, max_length=40)


@pairs.verb("GET", "", needs=Role.VIEWER)
def list_known_pairs() -> Items[Pair]:
    """List all known conflicts: those that come with netboot, then those of this site."""
    return items_of(Pair, operations.list_pairs(site()))


@pairs.verb("POST", "", needs=Role.OPERATOR, status=201, action="add")
def add_known_pair(body: NewPair) -> Pair:
    """Add a known conflict."""
    noted = operations.add_pair(
        site(),
        body.trouble,
        body.first.value(),
        body.second.value(),
        reason=body.reason,
        source=body.source,
    )
    return Pair.of(noted)


@pairs.verb("DELETE", "/<pair>", needs=Role.OPERATOR, action="remove")
def remove_known_pair(path: PairPath) -> None:
    """Remove a known conflict that this site added."""
    operations.remove_pair(site(), path.pair)
