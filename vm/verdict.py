"""The judgement over one boot: online, offline, or failed. Pure; the evidence is handed in.

Law: a machine is online when its report arrived at the server and its console agrees; offline
when its console says so, names the device that lacks a driver, and no report arrived. A limit
that was reached, a console that fell silent, a contradiction: failed, with the reason, never
offline.
"""

from dataclasses import dataclass
from enum import StrEnum

from vm.machine.console import LabLine


class Result(StrEnum):
    """How a boot ended."""

    ONLINE = "online"
    OFFLINE = "offline"
    FAILED = "failed"


_BAD_ENDS = {
    "nowim": "the boot image never got its WIM",
    "badwim": "the WIM that arrived cannot be read",
    "noreport": "the network is up, but the report did not reach the server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that arrived at the server."""

    mac: str
    image: str
    version: int
    driver: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one boot.

    `done` is whether the console reached its last line; `words` say how the run ended where it
    did not. `device` is the network card under test, `vendor:device`. `reports` are those that
    arrived from this machine since it was switched on.
    """

    lines: tuple[LabLine, ...]
    done: bool
    words: str
    device: str
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result, why, and what the console told on the way."""

    result: Result
    reason: str
    image: str = ""
    version: int = 0
    driver: str = ""
    package: str = ""
    missing: str = ""


def judge(evidence: Evidence) -> Verdict:
    """The verdict that the evidence allows."""
    told = {line.key: line.fields for line in evidence.lines}
    missing = next((line.rest for line in evidence.lines if line.key == "MISSING"), "")
    image = told.get("IMAGE", {})
    network = told.get("NET", {})
    result, reason = _result(evidence, told, missing)
    return Verdict(
        result=result,
        reason=reason,
        image=image.get("name", ""),
        version=_number(image.get("version", "")),
        driver=_named(network.get("driver", "")),
        package=_named(network.get("package", "")),
        missing=_named(missing),
    )


def _result(
    evidence: Evidence, told: dict[str, dict[str, str]], missing: str
) -> tuple[Result, str]:
    if not evidence.done:
        return Result.FAILED, evidence.words or "the console never came to its end"
    said = told.get("DONE", {}).get("result", "")
    if said == "online":
        return _online(evidence, told)
    if said == "offline":
        return _offline(evidence, told, missing)
    return Result.FAILED, _BAD_ENDS.get(said, f"the console ended with {said!r}: no known result")


def _online(evidence: Evidence, told: dict[str, dict[str, str]]) -> tuple[Result, str]:
    if not evidence.reports:
        return Result.FAILED, "the console says online, but no report arrived at the server"
    report = evidence.reports[-1]
    network, image = told.get("NET", {}), told.get("IMAGE", {})
    for what, console, server in (
        ("version", str(_number(image.get("version", ""))), str(report.version)),
        ("driver", _named(network.get("driver", "")), report.driver),
        ("device", evidence.device, report.device),
    ):
        if console != server:
            return (
                Result.FAILED,
                f"console and report disagree about the {what}: {console!r}, {server!r}",
            )
    return Result.ONLINE, f"{report.driver} drives {report.device}"


def _offline(
    evidence: Evidence, told: dict[str, dict[str, str]], missing: str
) -> tuple[Result, str]:
    if evidence.reports:
        return Result.FAILED, "the console says offline, but a report arrived at the server"
    reason = told.get("DONE", {}).get("reason", "")
    if f"net:{evidence.device}" not in missing.split():
        return Result.FAILED, f"offline although {evidence.device} has its driver: {reason}"
    return Result.OFFLINE, f"no driver for {evidence.device}"


def _named(word: str) -> str:
    return "" if word == "none" else word


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
