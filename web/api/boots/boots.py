"""Boots over the API: what machines did, step by step, and why they stopped."""

import time

from pydantic import BaseModel, Field

from netboot.boot.told.attempt import Outcome
from netboot.boot.told.error_codes import CODES, look_up
from netboot.errors import InvalidInput, NotFound
from netboot.operations.boots import boots as operations
from netboot.operations.boots.boots import BootFilter
from web.api.subject import Listed, Page, Subject, Value, listed, part_of
from web.guard.access import Role, site
from web.show import ladder
from web.show.ladder import Boot as SeenBoot

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


class Code(Value):
    """A code on a machine's screen: what it says, what usually causes it, what mends it."""

    code: str
    meaning: str
    causes: list[str]
    cures: list[str]


class Codes(Value):
    """Codes of firmware and of Windows' boot manager."""

    items: list[Code]


class CodePath(BaseModel):
    """A code as somebody types it from a screen: `PXE-E55`, `e55`, `0xc000000f`."""

    code: str = Field(min_length=2, max_length=80)


class HoursWanted(BaseModel):
    """How many hours."""

    hours: int = Field(24, ge=1, le=24 * 31)


class Hours(Value):
    """Boots by the hour in which they began (epoch seconds), oldest first."""

    starts: list[int]
    online: list[int]
    other: list[int]


class RatesWanted(BaseModel):
    """How many boots."""

    limit: int = Field(200, ge=1, le=1000)


class Rate(Value):
    """How fast one boot's image went: when the boot began, bytes a second."""

    began: float
    rate: float


class Rates(Value):
    """Image transfers of the newest boots, oldest first."""

    items: list[Rate]


class Finding(Value):
    """Why a boot went wrong, what to do, and which codes the screen most likely shows."""

    cause: str
    cures: list[str]
    codes: list[Code]


class File(Value):
    """A file on its way to the machine: from when, how long, how fast (bytes a second)."""

    name: str
    began: float
    seconds: float
    size: int
    rate: float


class BootStory(Boot):
    """A boot with every step that was kept, its files, and what was wrong, if anything."""

    steps: list[Step]
    files: list[File]
    finding: Finding | None


class Boots(Listed):
    """A part of the boots, newest first."""

    items: list[Boot]


class BootSearch(Page):
    """Which boots."""

    machine: str = Field("", max_length=40, description="A MAC address as boots show it.")
    search: str = Field("", max_length=100, description="A part of address, image or driver.")
    image: str = Field("", max_length=100, description="The image's name.")
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
        machine=query.machine.lower(),
        search=query.search,
        image=query.image,
        outcome=Outcome(query.outcome) if query.outcome else None,
    )
    total = operations.count(site(), wanted, now=now)
    found = operations.list_boots(site(), wanted, query.offset + query.limit, now=now)
    items = [Boot.of(boot) for boot in ladder.as_seen(part_of(found, query), now)]
    return listed(Boots, items, query, total=total)


@boots.verb("GET", "/hours", needs=Role.VIEWER, gives=Hours)
def count_boots_by_hour(query: HoursWanted) -> Hours:
    """How many boots came online and how many did not, hour by hour."""
    return Hours.model_validate(operations.by_hour(site(), query.hours))


@boots.verb("GET", "/rates", needs=Role.VIEWER, gives=Rates)
def list_boot_rates(query: RatesWanted) -> Rates:
    """How fast images went to the newest machines."""
    found = operations.rates(site(), query.limit)
    return Rates(items=[Rate(began=began, rate=rate) for began, rate in found])


@boots.verb("GET", "/codes", needs=Role.VIEWER, gives=Codes)
def list_codes() -> Codes:
    """Codes that a machine's screen may show."""
    return Codes(items=[Code.model_validate(code) for code in CODES.values()])


@boots.verb("GET", "/codes/<code>", needs=Role.VIEWER, gives=Code)
def explain_code(path: CodePath) -> Code:
    """What a code on a machine's screen means, and what mends it."""
    found = look_up(path.code)
    if found is None:
        raise NotFound(
            f"{path.code!r} is no code that is known here",
            hint="Codes look like PXE-E55 or 0xc000000f.",
        )
    return Code.model_validate(found)


@boots.verb("GET", "/<boot>", needs=Role.VIEWER, gives=BootStory)
def get_boot(path: BootPath) -> BootStory:
    """One boot with its steps, its files, and why it went wrong, if it did."""
    now = time.time()
    story = operations.story(site(), path.boot, now=now)
    found = ladder.seen(story.attempt, now)
    return BootStory(
        **_common(found),
        steps=[Step.model_validate(step) for step in found.attempt.steps],
        files=[File.model_validate(file) for file in story.fetches],
        finding=Finding.model_validate(story.diagnosis) if story.diagnosis else None,
    )
