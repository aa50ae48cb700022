"""Known pairs over the API: drivers that do not get along."""

from pydantic import BaseModel, Field

from netboot.images.drivers import known_pairs as rules
from netboot.images.drivers.known_pairs import KnownPair, Trouble
from netboot.operations.drivers import known_pairs as operations
from web.api.subject import Order, Subject, Value
from web.guard.access import Role, site

pairs = Subject("known-pairs", "Drivers that are known not to get along.")


class Side(Order):
    """Which drivers are meant: those that fit all that is said."""

    inf: str = Field("", max_length=200, description="INF names with * and ?, blanks between.")
    provider: str = Field("", max_length=200, description="Makers with * and ?, commas between.")
    service: str = Field("", max_length=200, description="Services, like `inf`.")
    since: str = Field("", max_length=40, description="First version that is meant.")
    before: str = Field("", max_length=40, description="First version that is not any more.")

    def value(self) -> rules.Side:
        """As the rules know it."""
        return rules.Side(self.inf, self.provider, self.service, self.since, self.before)


class NewPair(Order):
    """A pair of the site's own."""

    trouble: Trouble = Field(
        description="apart: never both in one image; order: load the first before the second;"
        " release: the first two numbers of their versions must be the same."
    )
    first: Side
    second: Side
    reason: str = Field(max_length=1000, description="What goes wrong.")
    source: str = Field("", max_length=1000, description="Where it was learned.")


class SideShown(Value):
    """Which drivers are meant."""

    inf: str
    provider: str
    service: str
    since: str
    before: str


class Pair(Value):
    """Two kinds of drivers that do not get along; `own` are this site's."""

    id: str
    trouble: Trouble
    rule: str
    first: SideShown
    second: SideShown
    reason: str
    source: str
    own: bool

    @staticmethod
    def of(pair: KnownPair) -> "Pair":
        """A pair as the rules know it."""
        return Pair.model_validate(pair)


class Pairs(Value):
    """All pairs."""

    items: list[Pair]


class PairPath(BaseModel):
    """A pair by its id."""

    pair: str = Field(min_length=1, max_length=40)


@pairs.verb("GET", "", needs=Role.VIEWER, gives=Pairs)
def list_known_pairs() -> Pairs:
    """All pairs: those that come with netboot, then the site's own."""
    return Pairs(items=[Pair.of(one) for one in operations.list_pairs(site())])


@pairs.verb("POST", "", needs=Role.OPERATOR, gives=Pair, status=201, action="add")
def add_known_pair(body: NewPair) -> Pair:
    """Note a pair of the site's own."""
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
    """Forget a pair of the site's own."""
    operations.remove_pair(site(), path.pair)
