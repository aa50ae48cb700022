"""Boots over the API: what machines did, step by step, and why they stopped."""

import time

from pydantic import BaseModel, Field

from netboot.boot.attempt import Outcome
from netboot.errors import InvalidInput
from netboot.operations import boots as operations
from netboot.operations.boots import BootFilter
from web import ladder
from web.access import Role, site
from web.api.subject import Listed, Page, Subject, Value, next_page, part_of
from web.ladder import Boot as SeenBoot

boots = Subject("boots", "What machines do now and did before.")


class BootPath(BaseModel):
    """A boot by its machine and the millisecond in which it began."""

    boot: str = Field(min_length=1, max_length=80)


class Boot(Value):
    """One try of one machine. Times are epoch seconds, sizes bytes, `rate` bytes a second."""

    id: str
    machine: str
    ip: str
    began: float
    last: float
    seconds: float
    outcome: str
    why: str
    architecture: str
    firmware: str
    image: str
    version: int
    decision: str
    driver: str
    missing: str
    rate: float

    @staticmethod
    def of(boot: SeenBoot) -> "Boot":
        """A boot as it stands now."""
        return Boot(**_common(boot))


class Step(Value):
    """One line of the story."""

    at: float
    kind: str
    text: str


class BootStory(Boot):
    """A boot with every step that was kept."""

    steps: list[Step]


class Boots(Listed):
    """A part of the boots, newest first."""

    items: list[Boot]


class BootSearch(Page):
    """Which boots."""

    machine: str = Field("", max_length=40, description="A MAC address as boots show it.")
    outcome: str = Field("", max_length=20, description="online, offline, stalled, …")


def _common(boot: SeenBoot) -> dict[str, object]:
    attempt = boot.attempt
    return {
        "id": boot.key,
        "machine": attempt.machine,
        "ip": attempt.ip,
        "began": attempt.began,
        "last": attempt.last,
        "seconds": attempt.seconds,
        "outcome": boot.outcome.value,
        "why": boot.why,
        "architecture": attempt.architecture,
        "firmware": attempt.firmware,
        "image": attempt.image,
        "version": attempt.version,
        "decision": attempt.decision,
        "driver": attempt.driver,
        "missing": attempt.missing,
        "rate": attempt.rate,
    }


@boots.verb("GET", "", needs=Role.VIEWER, gives=Boots)
def list_boots(query: BootSearch) -> Boots:
    """The newest boots first."""
    now = time.time()
    if query.outcome and query.outcome not in set(Outcome):
        raise InvalidInput(
            f"there is no outcome {query.outcome!r}", hint=f"There are {', '.join(Outcome)}."
        )
    wanted = BootFilter(
        machine=query.machine.lower(), outcome=Outcome(query.outcome) if query.outcome else None
    )
    total = operations.count(site(), wanted, now=now)
    found = operations.list_boots(site(), wanted, query.offset + query.limit, now=now)
    return Boots(
        items=[Boot.of(boot) for boot in ladder.as_seen(part_of(found, query), now)],
        total=total,
        limit=query.limit,
        offset=query.offset,
        next=next_page(query, total),
    )


@boots.verb("GET", "/<boot>", needs=Role.VIEWER, gives=BootStory)
def get_boot(path: BootPath) -> BootStory:
    """One boot with its steps."""
    found = ladder.seen(operations.story(site(), path.boot).attempt, time.time())
    steps = [Step.model_validate(step) for step in found.attempt.steps]
    return BootStory(**_common(found), steps=steps)
