"""What the worker does for each kind of job: the same operations that pages and CLI call."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from netboot.boot.told.events import PeOffline
from netboot.errors import AlreadyExists, OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.media.request import MediaOrder
from netboot.operations import lab
from netboot.operations.boots import network
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.images import source as image_source
from netboot.operations.media import media
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import points
from netboot.operations.points import scrub as guarding
from netboot.operations.versions import versions
from netboot.site import Site
from netboot.store.content.blobs import hash_file
from netboot.store.database.jobs import Job, JobFailed, JobInterrupted


class Context(Protocol):
    """What the worker hands to a handler."""

    site: Site
    job: Job

    def progress(self, part: float, stage: str) -> None:
        """Show progress; raises when the job must end."""

    def line(self, text: str, *, part: float, stage: str) -> None:
        """Add a line to the job's log; raises when the job must end."""

    def show(self, result: dict[str, Any], *, part: float, stage: str) -> None:
        """Show what there is of the result; raises when the job must end."""

    def check(self) -> None:
        """Raises when the job must end."""


def build_version(context: Context) -> dict[str, Any]:
    """Build an image's next version; with `update`, hand it to the points at once."""
    arguments = context.job.arguments
    result = versions.build_version(context.site, arguments["image"], progress=context.progress)
    if arguments.get("update"):
        points.update_distribution_points(context.site, arguments["image"])
    return {"image": result.version.image, "version": result.version.number, "built": result.built}


def update_distribution_points(context: Context) -> dict[str, Any]:
    """Update Distribution Points."""
    result = points.update_distribution_points(
        context.site, context.job.arguments["image"], progress=context.progress
    )
    return {"image": result.image, "version": result.number, "changed": result.changed}


def import_image(context: Context) -> dict[str, Any]:
    """Import an uploaded WIM."""
    arguments = context.job.arguments
    chosen = arguments.get("architecture")
    with _upload(context) as path:
        try:
            view = images.import_image(
                context.site,
                path,
                name=arguments["name"],
                architecture=Architecture(chosen) if chosen else None,
                index=arguments.get("index"),
                comment=arguments.get("comment", ""),
                ours=True,
                progress=context.progress,
            )
        except AlreadyExists:
            view = _imported_before(context, path)
    return {"image": view.name}


def examine_source(context: Context) -> dict[str, Any]:
    """Examine an uploaded file as a newer source of an image; the report waits on its page."""
    arguments = context.job.arguments
    with _upload(context) as path:
        view = image_source.examine_source(
            context.site,
            arguments["image"],
            path,
            index=arguments.get("index"),
            ours=True,
            progress=context.progress,
        )
    conflicts = view.candidate.report.conflicts if view.candidate else ()
    return {"image": view.name, "conflicts": list(conflicts)}


def verify_content(context: Context) -> dict[str, Any]:
    """Read all that is served of an image; a version with altered files is out of service."""
    found, wrong = points.verify(
        context.site, context.job.arguments["image"], progress=context.progress
    )
    if wrong:
        raise JobFailed(
            f"{found.image} v{found.held} was altered and is out of service: {', '.join(wrong)}",
            hint="Build it again, or roll back to an older version.",
            result={"image": found.image, "altered": list(wrong)},
        )
    return {"image": found.image, "version": found.held, "status": found.status.value}


def scrub(context: Context) -> dict[str, Any]:
    """The daily reading of all that is stored and served."""
    found = guarding.scrub(context.site, progress=context.progress)
    if found.alarms:
        raise JobFailed(
            f"{len(found.alarms)} alarms: {'; '.join(found.alarms[:5])}",
            hint="Each image's page says what to do.",
            result=asdict(found),
        )
    return asdict(found)


def import_drivers(context: Context) -> dict[str, Any]:
    """Import uploaded driver packages."""
    with _upload(context) as path:
        report = driver_import.import_drivers(context.site, path, progress=context.progress)
    return report.shortened()


def build_media(context: Context) -> dict[str, Any]:
    """Make an ISO, a USB image or a disk image of a version."""
    arguments = context.job.arguments
    order = MediaOrder.from_json(arguments["order"])
    wanted = [(image, number) for image, number in arguments["versions"]]
    view = media.build_media(context.site, order, wanted, progress=context.progress)
    return {"image": arguments["image"], "medium": view.id, "digest": view.digest}


def boot_test_machine(context: Context) -> dict[str, Any]:
    """Boot a test machine in the lab and say how it ended."""
    request = {**context.job.arguments, "id": str(context.job.id)}
    began = time.monotonic()
    devices: list[str] = []
    try:
        for event in lab.boot_machine(context.site, request):
            context.check()
            if event.get("event") == "done":
                event["devices"] = " ".join(devices)
                return _machine_done(context, event, time.monotonic() - began)
            devices += _follow(context, event)
    except JobFailed:
        raise
    except OperatorFault:
        context.check()  # site and lab are stopped together: then the job is not to blame
        raise
    raise OperatorFault("the lab said nothing about how the test machine ended")


def _follow(context: Context, event: dict[str, Any]) -> list[str]:
    """Show what the machine does; the devices that it names. Raises JobFailed."""
    match event:
        case {"event": "failed"}:
            raise JobFailed(
                str(event.get("reason", "the test machine failed")),
                hint=str(event.get("hint", "")),
                result=_with_screenshot(context.site, event),
            )
        case {"event": "serial", "line": str(line)}:
            context.line(line, part=_part_of(line), stage=_stage_of(line))
            return _devices_in(line)
        case {"event": "silent"}:
            pass
        case {"event": name}:
            context.progress(0.02, str(name))
    return []


def check_network(context: Context) -> dict[str, Any]:
    """Ask the boot network as machines would; verdicts are shown as they come."""
    verdicts: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    for event in network.run_check(context.site, context.job.arguments):
        context.check()
        match event:
            case {"event": "asking", "kinds": int(kinds), **facts}:
                about = {**facts, "kinds": kinds}
                context.show({**about, "verdicts": []}, part=0.1, stage="asking the network")
            case {"event": "verdict", **verdict}:
                verdicts.append(verdict)
                part = 0.1 + 0.9 * len(verdicts) / max(1, about.get("kinds", 1))
                shown = {**about, "verdicts": list(verdicts)}
                context.show(shown, part=part, stage=str(verdict.get("title", "")))
            case {"event": "failed"}:
                raise JobFailed(
                    str(event.get("reason", "the check ended early")),
                    hint=str(event.get("hint", "")),
                    result={**about, "verdicts": verdicts},
                )
            case {"event": "done", **result}:
                return {**about, **result}
    raise OperatorFault("the check ended without a verdict", hint="Is the site stopping?")


def read_capture(context: Context) -> dict[str, Any]:
    """Tell the story of a recorded boot; the recording goes when it is told."""
    with _upload(context) as path:
        context.progress(0.1, "reading the recording")
        for event in network.tell_capture(path):
            context.check()
            match event:
                case {"event": "failed"}:
                    raise JobFailed(
                        str(event.get("reason", "the recording could not be read")),
                        hint=str(event.get("hint", "")),
                        result={},
                    )
                case {"event": "story", **story}:
                    return story
    raise OperatorFault("the reading ended without a word", hint="Is the site stopping?")


def clean_up(context: Context) -> dict[str, Any]:
    """The daily housekeeping."""
    done = housekeeping.collect_garbage(context.site, time.time(), progress=context.progress)
    return {**asdict(done), "versions": list(done.versions)}


def _machine_done(context: Context, event: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The result; an offline machine cannot report, so its console speaks for it."""
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
    """The event with its picture in the store: the lab throws its own away after a while."""
    path = Path(str(event.get("screenshot") or "."))
    digest = site.blobs.add_file(path).digest if path.is_file() else ""
    return {**event, "screenshot": digest}


def _devices_in(line: str) -> list[str]:
    """The PCI device that a line of the Lab PE's console names: `vvvv:dddd:class:subsystem`."""
    found = re.search(r"^LABPE \S+ PCI .*\bdevice=([0-9a-f:]+)", line)
    return [found[1]] if found else []


_STAGES = (
    ("START", 0.5, "kernel started"),
    ("WIM", 0.6, "image opened"),
    ("IMAGE", 0.65, "image identified"),
    ("DRVLOAD", 0.7, "loading drivers"),
    ("NET", 0.85, "network up"),
    ("REPORT", 0.95, "reported home"),
)


def _stage_of(line: str) -> str:
    return next((stage for word, _, stage in _STAGES if f" {word}" in line), "booting")


def _part_of(line: str) -> float:
    return next((part for word, part, _ in _STAGES if f" {word}" in line), 0.3)


@contextmanager
def _upload(context: Context) -> Iterator[Path]:
    """The upload that a job is about; it goes when the job is over, however it ended."""
    path = Path(context.job.arguments["path"])
    try:
        yield path
    except JobInterrupted:
        raise  # whoever takes the job up again needs it
    except BaseException:
        _forget_upload(context.site, path)
        raise
    _forget_upload(context.site, path)


def _forget_upload(site: Site, path: Path) -> None:
    """Remove an upload of ours; never a file that lies anywhere else."""
    uploads = (site.data / "uploads").resolve()
    path = path.resolve()
    if path != uploads and path.is_relative_to(uploads):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _imported_before(context: Context, path: Path) -> images.ImageView:
    """The image, if an earlier worker imported it and died before it could say so."""
    if context.job.attempts > 1:
        view = images.get_image(context.site, context.job.arguments["name"])
        if view.source_digest == hash_file(path).digest:
            return view
    raise AlreadyExists(
        f'there is a boot image "{context.job.arguments["name"]}" already',
        hint="Choose another name.",
    )


HANDLERS: dict[str, Callable[[Context], dict[str, Any]]] = {
    "build_version": build_version,
    "update_distribution_points": update_distribution_points,
    "import_image": import_image,
    "examine_source": examine_source,
    "verify_content": verify_content,
    "scrub": scrub,
    "import_drivers": import_drivers,
    "boot_test_machine": boot_test_machine,
    "check_network": check_network,
    "read_capture": read_capture,
    "clean_up": clean_up,
    "build_media": build_media,
}

# Kinds in one lane wait for each other; lanes run side by side. Two lanes of test machines,
# since that is what two cores boot without getting in each other's way. The scrub reads slowly
# for hours, so it has a lane of its own.
LANES: tuple[tuple[str, ...], ...] = (
    (
        *("build_version", "update_distribution_points", "import_image", "examine_source"),
        *("verify_content", "import_drivers", "clean_up", "build_media"),
    ),
    ("boot_test_machine",),
    ("boot_test_machine",),
    ("check_network",),
    ("read_capture",),
    ("scrub",),
)
