"""Follows a test machine of the lab as a job: its console, its screen, and how it ended."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from netboot.boot.told.events import PeOffline
from netboot.errors import DiskFault, OperatorFault
from netboot.operations import lab
from netboot.store.database.jobs import JobFailed

if TYPE_CHECKING:
    from netboot.daemons.job_context import Context
    from netboot.site import Site

log = structlog.get_logger()

_STEPS = {
    "START": (0.5, "kernel started"),
    "WIM": (0.6, "image opened"),
    "IMAGE": (0.65, "image identified"),
    "DRVLOAD": (0.7, "loading drivers"),
    "NET": (0.85, "network up"),
    "REPORT": (0.95, "reported home"),
}
"""Words on the Lab PE's console: the part of the boot that is done, and its stage."""


def run_test_machine(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Boot a machine as requested and report its result.

    Raises JobFailed, OperatorFault, and what the methods of the context raise.
    """
    image, began = str(request.get("image", "")), time.monotonic()
    served = {context.site.point.served(image)}
    follower = _Follower(context)
    try:
        for event in lab.boot_machine(context.site, request):
            context.check()
            if event.get("event") == "done":
                event["devices"] = " ".join(follower.devices)
                result = _done(context, event, time.monotonic() - began)
                if image:
                    served.add(context.site.point.served(image))
                    _require_wanted(context.site, image, served, result)
                return result
            follower.follow(event)
    except JobFailed:
        raise
    except OperatorFault:
        context.check()  # site and lab stop together: then the job did not fail
        raise
    raise OperatorFault("the lab did not report how the test machine ended")


def failed_as_told(event: dict[str, Any], reason: str, result: dict[str, Any]) -> JobFailed:
    """The failure in an event, with `reason` if it names none."""
    hint = str(event.get("hint", ""))
    return JobFailed(str(event.get("reason", reason)), hint=hint, result=result)


def _require_wanted(
    site: Site, image: str, served: set[int | None], result: dict[str, Any]
) -> None:
    """Raises JobFailed with what was seen, without a result that says online."""
    try:
        lab.require_wanted(site, image, served, result)
    except OperatorFault as fault:
        seen = {**result, "result": "failed", "reason": str(fault)}
        raise JobFailed(str(fault), hint=fault.hint, result=seen) from fault


class _Follower:
    """Shows on the job what the machine does: stage, console, screen; notes its devices."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._part, self._stage = 0.02, "queued"
        self._shown: dict[str, Any] = {}
        self.devices: list[str] = []

    def follow(self, event: dict[str, Any]) -> None:
        """Raises JobFailed, and what the methods of the context raise."""
        match event:
            case {"event": "failed"}:
                shown = _with_screenshot(self._context.site, event)
                raise failed_as_told(event, "the test machine failed", {**self._shown, **shown})
            case {"event": "serial", "line": str(line)}:
                steps = (step for word, step in _STEPS.items() if f" {word}" in line)
                self._part, self._stage = next(steps, (0.3, "booting"))
                self._context.line(line, part=self._part, stage=self._stage)
                self.devices += _devices_in(line)
            case {"event": "screen", "path": str(path)}:
                frame = int(self._shown.get("frame", 0)) + 1
                self._show({"screen": path, "frame": frame})
            case {"event": "silent"}:
                pass
            case {"event": "started", "mac": str(mac)}:
                self._stage = "started"
                self._show({"mac": mac})
            case {"event": name}:
                self._context.progress(self._part, str(name))

    def _show(self, more: dict[str, Any]) -> None:
        self._shown |= more
        self._context.show(self._shown, part=self._part, stage=self._stage)


def _done(context: Context, event: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The result. An offline machine cannot report, so the report is made from its console."""
    if event.get("result") == "offline":
        context.site.journal.emit(
            PeOffline(
                at=time.time(),
                mac=str(event.get("mac", "")),
                image=str(event.get("image", "")),
                version=int(event.get("version") or 0),
                missing=str(event.get("missing", "")),
                reason="seen on the test machine's serial console",
                devices=str(event.get("devices", "")),
            )
        )
    return {**_with_screenshot(context.site, event), "seconds": round(seconds, 1)}


def _with_screenshot(site: Site, event: dict[str, Any]) -> dict[str, Any]:
    """The event with its picture in the store: the lab deletes its own after a while."""
    path = Path(str(event.get("screenshot") or "."))
    try:
        digest = site.blobs.add_file(path).digest if path.is_file() else ""
    except DiskFault as fault:  # the verdict is worth more than its picture
        log.warning("test_machine.no_picture", fault=str(fault))
        digest = ""
    return {**event, "screenshot": digest}


def _devices_in(line: str) -> list[str]:
    """The PCI device in a line of the Lab PE's console: `vvvv:dddd:class:subsystem`."""
    found = re.search(r"^LABPE \S+ PCI .*\bdevice=([0-9a-f:]+)", line)
    return [found[1]] if found else []
