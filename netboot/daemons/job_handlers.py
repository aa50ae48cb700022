"""What the worker does for each kind of job.

A handler's parameters are the arguments of its kind; `ask_…` functions queue the same names. Jobs
in one lane wait for each other; lanes run in parallel.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from netboot.daemons.job_context import OUTCOME, Context, forget_upload, settle
from netboot.daemons.test_machines import failed_as_told, run_test_machine
from netboot.errors import (
    AlreadyExists,
    InvalidInput,
    OperatorFault,
    WrongArchitecture,
    explained,
)
from netboot.images.architecture import Architecture
from netboot.images.media.request import MediaOrder
from netboot.operations import lab_pe
from netboot.operations.backups import making
from netboot.operations.boots import network as boot_network
from netboot.operations.drivers import importing
from netboot.operations.images import images
from netboot.operations.images import source as image_source
from netboot.operations.jobs import JobKind
from netboot.operations.machines.recipients import who_gets
from netboot.operations.media import media
from netboot.operations.points import cleanup, points
from netboot.operations.points import scrub as scrubbing
from netboot.operations.versions import versions
from netboot.store.database.jobs import (
    JobCancelled,
    JobFailed,
)


class Lane(NamedTuple):
    """Kinds that wait for each other; `width` jobs of the lane run at the same time."""

    name: str
    width: int = 1


MAIN = Lane("main")
TEST_MACHINES = Lane("test machines", width=2)
"""Two cores boot two test machines without slowing each other down."""
CHECKS, CAPTURES = Lane("network checks"), Lane("recordings")
SCRUBS, BACKUPS = Lane("scrub"), Lane("backup")
"""Both may read for hours; nothing else should wait for them."""
LAB_PE = Lane("Lab PE")
"""It may wait for a mirror."""

Handler = Callable[..., dict[str, Any]]

HANDLERS: dict[JobKind, Handler] = {}
_IN_LANE: dict[Lane, list[JobKind]] = {}


def handles(kind: JobKind, lane: Lane = MAIN) -> Callable[[Handler], Handler]:
    """Declare the function that does the jobs of a kind, and the lane that they run in."""

    def declare(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        _IN_LANE.setdefault(lane, []).append(kind)
        return handler

    return declare


def lanes() -> tuple[tuple[JobKind, ...], ...]:
    """The kinds that each thread of the worker takes."""
    return tuple(tuple(kinds) for lane, kinds in _IN_LANE.items() for _ in range(lane.width))


def carry_out(context: Context) -> dict[str, Any]:
    """Do the job; returns its result. Raises what the handler of its kind raises.

    An upload is deleted when the job has succeeded, was cancelled or found it unusable, and when
    that is in the database: a worker that takes the job over from a dead one finds either the
    upload or the outcome. Otherwise the job may be retried with it; the console deletes it after a
    day.
    """
    known = context.job.result.get(OUTCOME) if context.job.attempts > 1 else None
    if known is not None:
        return _outcome(context, known)
    try:
        result = HANDLERS[JobKind(context.job.kind)](context, **context.job.arguments)
    except (InvalidInput, WrongArchitecture, JobCancelled, JobFailed) as fault:
        settle(context.site, context.job, {"fault": explained(fault)})
        raise
    settle(context.site, context.job, {"result": result})
    return result


def _outcome(context: Context, known: dict[str, Any]) -> dict[str, Any]:
    forget_upload(context.site, Path(context.job.arguments["path"]))
    if "fault" in known:
        raise OperatorFault(known["fault"])
    return dict(known["result"])


@handles(JobKind.BUILD_VERSION)
def build_version(context: Context, *, image: str, update: bool = False) -> dict[str, Any]:
    """Build an image's next version; with `update`, publish it at once."""
    result = versions.build_version(context.site, image, progress=context.progress)
    if update:
        points.update_distribution_points(context.site, image)
    # A worker that died may have built it for this job already.
    built = result.built or result.version.built_at >= context.job.created_at
    return {"image": result.version.image, "version": result.version.number, "built": built}


@handles(JobKind.UPDATE_POINTS)
def update_distribution_points(context: Context, *, image: str) -> dict[str, Any]:
    result = points.update_distribution_points(context.site, image, progress=context.progress)
    reach = who_gets(context.site, images.get_image(context.site, image))
    return {
        "image": result.image,
        "version": result.number,
        "changed": result.changed,
        "before": result.before,
        "machines": reach.machines,
        "reach": reach.words,
    }


@handles(JobKind.IMPORT_IMAGE)
def import_image(
    context: Context,
    *,
    path: str,
    name: str,
    architecture: str | None = None,
    index: int | None = None,
    comment: str = "",
) -> dict[str, Any]:
    wim = Path(path)
    try:
        view = images.import_image(
            context.site,
            wim,
            name=name,
            architecture=Architecture(architecture) if architecture else None,
            index=index,
            comment=comment,
            ours=True,
            progress=context.progress,
        )
    except AlreadyExists:
        earlier = _imported_before(context, wim, name)
        if earlier is None:
            raise
        view = earlier
    return {"image": view.name, "source": view.facts.words}


@handles(JobKind.EXAMINE_SOURCE)
def examine_source(
    context: Context, *, image: str, path: str, index: int | None = None
) -> dict[str, Any]:
    """Examine an uploaded file as a newer source of an image; its page shows the report."""
    wim = Path(path)
    view = image_source.examine_source(
        context.site, image, wim, index=index, ours=True, progress=context.progress
    )
    conflicts = view.candidate.report.conflicts if view.candidate else ()
    return {"image": view.name, "conflicts": list(conflicts)}


@handles(JobKind.VERIFY_CONTENT)
def verify_content(context: Context, *, image: str) -> dict[str, Any]:
    """Read every served file of an image; a version with altered files goes out of service."""
    found, wrong = points.verify(context.site, image, progress=context.progress)
    if wrong:
        raise JobFailed(
            f"{found.image} v{found.held} was altered and is out of service: {', '.join(wrong)}",
            hint="Build it again, or roll back to an older version.",
            result={"image": found.image, "altered": list(wrong)},
        )
    return {"image": found.image, "version": found.held, "status": found.status.value}


@handles(JobKind.SCRUB, SCRUBS)
def scrub(context: Context) -> dict[str, Any]:
    """Read every stored and served file and compare it with its digest."""
    found = scrubbing.scrub(context.site, progress=context.progress)
    if found.alarms:
        raise JobFailed(
            f"{len(found.alarms)} alarms: {'; '.join(found.alarms[:5])}",
            hint="Each image's page says what to do.",
            result=asdict(found),
        )
    return asdict(found)


@handles(JobKind.IMPORT_DRIVERS)
def import_drivers(context: Context, *, path: str) -> dict[str, Any]:
    packages = Path(path)
    report = importing.import_drivers(context.site, packages, progress=context.progress)
    return report.shortened()


@handles(JobKind.BUILD_MEDIA)
def build_media(
    context: Context, *, image: str, order: dict[str, Any], versions: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    """Make a medium of `versions` (image and number)."""
    wanted = [(name, number) for name, number in versions]
    view = media.build_media(
        context.site, MediaOrder.from_json(order), wanted, progress=context.progress
    )
    return {"image": image, "medium": view.id, "digest": view.digest}


@handles(JobKind.BOOT_TEST_MACHINE, TEST_MACHINES)
def boot_test_machine(
    context: Context, *, firmware: str, nic: str, memory: int, image: str = ""
) -> dict[str, Any]:
    """Boot a test machine in the lab and report its result."""
    request = {"firmware": firmware, "nic": nic, "memory": memory, "id": str(context.job.id)}
    return run_test_machine(context, {**request, "image": image} if image else request)


@handles(JobKind.CHECK_NETWORK, CHECKS)
def check_network(
    context: Context, *, kinds: Sequence[str], patience: int, whole: bool, network: str = ""
) -> dict[str, Any]:
    """Ask the boot network as machines would, and show each verdict at once."""
    verdicts: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    events = boot_network.run_check(
        context.site, kinds, patience=patience, whole=whole, network=network
    )
    for event in events:
        context.check()
        match event:
            case {"event": "asking", "kinds": int(count), **facts}:
                about = {**facts, "kinds": count}
                context.show({**about, "verdicts": []}, part=0.1, stage="asking the network")
            case {"event": "verdict", **verdict}:
                verdicts.append(verdict)
                part = 0.1 + 0.9 * len(verdicts) / max(1, about.get("kinds", 1))
                shown = {**about, "verdicts": list(verdicts)}
                context.show(shown, part=part, stage=str(verdict.get("title", "")))
            case {"event": "failed"}:
                raise failed_as_told(
                    event, "the check ended early", {**about, "verdicts": verdicts}
                )
            case {"event": "done", **result}:
                return {**about, **result}
    raise OperatorFault("the check ended without a verdict", hint="Is the site stopping?")


@handles(JobKind.READ_CAPTURE, CAPTURES)
def read_capture(context: Context, *, path: str) -> dict[str, Any]:
    """Explain a recorded boot, then delete the recording."""
    recording = Path(path)
    context.progress(0.1, "reading the recording")
    for event in boot_network.explain_capture(recording):
        context.check()
        match event:
            case {"event": "failed"}:
                raise failed_as_told(event, "the recording could not be read", {})
            case {"event": "story", **story}:
                return story
    raise OperatorFault("the analysis ended without a result", hint="Is the site stopping?")


@handles(JobKind.CLEAN_UP)
def clean_up(context: Context) -> dict[str, Any]:
    done = cleanup.collect_garbage(context.site, time.time(), progress=context.progress)
    return {**asdict(done), "versions": list(done.versions)}


@handles(JobKind.BACK_UP, BACKUPS)
def back_up(context: Context, *, folder: str, incremental: bool) -> dict[str, Any]:
    """Back up the site into the folder that was set when the job was queued."""
    target = Path(folder)
    if not target.is_dir():
        raise OperatorFault(f"there is no folder {target}", hint="Create it, then try again.")
    made = making.make_backup(
        context.site, target, incremental=incremental, progress=context.progress
    )
    return asdict(made)


@handles(JobKind.MAKE_LAB_PE, LAB_PE)
def make_lab_pe(context: Context, *, path: str = "") -> dict[str, Any]:
    """Make the images of the Lab PE, from Debian packages or from a prepared file."""
    if not path:
        lab_pe.require_buildable()
    part, stage = 0.0, "starting"
    with ExitStack() as stack:
        file = stack.enter_context(Path(path).open("rb")) if path else None
        for event in stack.enter_context(closing(lab_pe.make(context.site, file))):
            context.check()
            match event:
                case {"event": "step", "text": str(text)}:
                    part = lab_pe.step_part(event, part)
                    if text != stage:
                        context.line(text, part=part, stage=text)
                    context.progress(part, text)
                    stage = text
                case {"event": "failed"}:
                    raise lab_pe.fault_of(event)  # a usable file stays, for another try
                case {"event": "done", "images": list(names)}:
                    return {"images": names}
    raise OperatorFault("the Lab PE was not made", hint="Is the site stopping?")


def _imported_before(context: Context, path: Path, name: str) -> images.ImageView | None:
    """The image, if an earlier worker imported it and died before it could record that."""
    if context.job.attempts > 1:
        view = images.get_image(context.site, name)
        if view.source_digest == image_source.digest_of(context.site, path):
            return view
    return None
