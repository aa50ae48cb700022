"""Boots over the API: what machines did, step by step, and why they stopped."""

import time
from typing import Self

from pydantic import BaseModel, Field

from netboot.boot.told.attempt import Outcome
from netboot.boot.told.error_codes import CODES, look_up
from netboot.errors import InvalidInput, NotFound
from netboot.operations.boots import boots as operations
from netboot.operations.boots.boots import BootFilter
from netboot.operations.machines.missing_drivers import find_fitting
from web.api.subject import Items, Listed, Page, Subject, Value, items_of, listed, part_of
from web.guard.access import Role, site
from web.show import ladder
from web.show.ladder import Boot as SeenBoot

boots = Subject("boots", "Current and earlier boots.")


class BootPath(BaseModel):
    """A boot by its machine and its start time in milliseconds."""

    boot: str = Field(min_length=1, max_length=80)


class Boot(Value):
    """One boot attempt. Times are epoch seconds, sizes bytes, `rate` bytes per second."""

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

    @classmethod
    def of(cls, found: SeenBoot) -> Self:
        return cls.model_validate(_common(found))


class Step(Value):
    """One line of the timeline."""

    at: float
    kind: str
    text: str


class Code(Value):
    """An error code: its meaning, its usual causes and the solutions."""

    code: str
    meaning: str
    causes: list[str]
    cures: list[str]


class CodePath(BaseModel):
    """An error code as shown on a screen: `PXE-E55`, `e55`, `0xc000000f`."""

    code: str = Field(min_length=2, max_length=80)


class HoursWanted(BaseModel):
    """How many hours to return."""

    hours: int = Field(24, ge=1, le=24 * 31)


class Hours(Value):
    """Boots per hour of their start (epoch seconds), oldest first."""

    starts: list[int]
    online: list[int]
    other: list[int]


class RatesWanted(BaseModel):
    """How many boots to return."""

    limit: int = Field(200, ge=1, le=1000)


class Rate(Value):
    """The image transfer rate of one boot: start time and bytes per second."""

    began: float
    rate: float


class Finding(Value):
    """Why a boot failed, the solutions, and the error codes most likely shown on the screen."""

    cause: str
    cures: list[str]
    codes: list[Code]


class File(Value):
    """A file sent to the machine: start, duration and rate (bytes per second)."""

    name: str
    began: float
    seconds: float
    size: int
    rate: float


class FittingDriver(Value):
    """A driver in the catalog that fits a missing device."""

    digest: str
    name: str
    version: str
    enabled: bool


class BootStory(Boot):
    """A boot with all recorded steps, its files and the cause of a failure."""

    steps: list[Step]
    files: list[File]
    finding: Finding | None
    fitting_drivers: list[FittingDriver] = Field(
        description="Drivers in the catalog for the missing device, best first."
    )


class BootSearch(Page):
    """Which boots to return."""

    machine: str = Field("", max_length=40, description="MAC address.")
    search: str = Field("", max_length=100, description="Part of an address, boot image or driver.")
    image: str = Field("", max_length=100, description="Name of the boot image.")
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


@boots.verb("GET", "", needs=Role.VIEWER)
def list_boots(query: BootSearch) -> Listed[Boot]:
    """List boots, newest first."""
    now = time.time()
    if query.outcome and query.outcome not in set(Outcome):
        raise InvalidInput(
            f"unknown outcome {query.outcome!r}", hint=f"Use one of {', '.join(Outcome)}."
        )
    wanted = BootFilter(
        machine=query.machine.lower(),
        search=query.search,
        image=query.image,
        outcome=Outcome(query.outcome) if query.outcome else None,
    )
    total = operations.count(site(), wanted, now=now)
    found = operations.list_boots(site(), wanted, query.offset + query.limit, now=now)
    return listed(Boot, ladder.as_seen(part_of(found, query), now), query, total=total)


@boots.verb("GET", "/hours", needs=Role.VIEWER)
def count_boots_by_hour(query: HoursWanted) -> Hours:
    """Count the boots per hour that came online and that did not."""
    return Hours.of(operations.by_hour(site(), query.hours))


@boots.verb("GET", "/rates", needs=Role.VIEWER)
def list_boot_rates(query: RatesWanted) -> Items[Rate]:
    """List the image transfer rates of the latest boots, oldest first."""
    found = operations.rates(site(), query.limit)
    return items_of(Rate, (Rate(began=began, rate=rate) for began, rate in found))


@boots.verb("GET", "/codes", needs=Role.VIEWER)
def list_codes() -> Items[Code]:
    """List all known error codes of firmware and Windows Boot Manager."""
    return items_of(Code, CODES.values())


@boots.verb("GET", "/codes/<code>", needs=Role.VIEWER)
def explain_code(path: CodePath) -> Code:
    """Explain an error code and its solutions."""
    found = look_up(path.code)
    if found is None:
        raise NotFound(
            f"unknown error code {path.code!r}",
            hint="Error codes look like PXE-E55 or 0xc000000f.",
        )
    return Code.of(found)


@boots.verb("GET", "/<boot>", needs=Role.VIEWER)
def get_boot(path: BootPath) -> BootStory:
    """Get a boot with its steps, its files and the cause of a failure."""
    now = time.time()
    story = operations.story(site(), path.boot, now=now)
    found = ladder.seen(story.attempt, now)
    fitting = find_fitting(site(), story.attempt.missing, story.attempt.image)
    return BootStory(
        **_common(found),
        steps=[Step.of(step) for step in found.attempt.steps],
        files=[File.of(file) for file in story.fetches],
        finding=Finding.of(story.diagnosis) if story.diagnosis else None,
        fitting_drivers=[FittingDriver.of(one) for one in fitting.drivers] if fitting else [],
    )
