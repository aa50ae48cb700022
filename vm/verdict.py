"""The verdict on one boot: online, offline, or failed. Pure.

A machine is online if its report reached the server and its console agrees. It is offline if its
console says so and names the device that lacks a driver, and no report arrived. A time limit, a
silent console or a contradiction is a failure with its reason, never "offline".
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
    "nowim": "the boot image did not receive its WIM",
    "badwim": "the boot image cannot read the WIM that it received",
    "noreport": "the network is up, but the report did not reach the server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that reached the server."""

    mac: str
    image: str
    version: int
    driver: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The evidence of one boot.

    `done` is whether the console printed its last line; if not, `words` says how the run ended.
    `device` is the network card under test, `vendor:device`. `reports` are those of this machine
    since it was switched on.
    """

    lines: tuple[LabLine, ...]
    done: bool
    words: str
    device: str
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result, the reason, and what the console printed."""

    result: Result
    reason: str
    image: str = ""
    version: int = 0
    driver: str = ""
    package: str = ""
    missing: str = ""


def judge(evidence: Evidence) -> Verdict:
    console = {line.key: line.fields for line in evidence.lines}
    missing = next((line.rest for line in evidence.lines if line.key == "MISSING"), "")
    image = console.get("IMAGE", {})
    network = console.get("NET", {})
    result, reason = _result(evidence, console, missing)
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
    evidence: Evidence, console: dict[str, dict[str, str]], missing: str
) -> tuple[Result, str]:
    if not evidence.done:
        return Result.FAILED, evidence.words or "the console never printed its last line"
    end = console.get("DONE", {})
    result = end.get("result", "")
    if result == "online":
        return _online(evidence, console)
    if result != "offline":
        unknown = f"the console ended with an unknown result: {result!r}"
        return Result.FAILED, _BAD_ENDS.get(result, unknown)
    if evidence.reports:
        return Result.FAILED, "the console says offline, but a report reached the server"
    if f"net:{evidence.device}" not in missing.split():
        reason = end.get("reason", "")
        return Result.FAILED, f"offline although {evidence.device} has its driver: {reason}"
    return Result.OFFLINE, f"no driver for {evidence.device}"


def _online(evidence: Evidence, console: dict[str, dict[str, str]]) -> tuple[Result, str]:
    if not evidence.reports:
        return Result.FAILED, "the console says online, but no report reached the server"
    report = evidence.reports[-1]
    network, image = console.get("NET", {}), console.get("IMAGE", {})
    for what, printed, reported in (
        ("version", str(_number(image.get("version", ""))), str(report.version)),
        ("driver", _named(network.get("driver", "")), report.driver),
        ("device", evidence.device, report.device),
    ):
        if printed != reported:
            words = f"console and report disagree about the {what}: {printed!r}, {reported!r}"
            return Result.FAILED, words
    return Result.ONLINE, f"{report.driver} drives {report.device}"


def _named(word: str) -> str:
    return "" if word == "none" else word


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
