"""The Lab PE of a site: images that start Linux, to try a boot without a Windows PE.

They are made only when somebody asks: from Debian packages, by a compiler, or from a file that was
prepared on a machine that has both. The work is done in a process of its own.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from netboot.errors import InvalidInput, MissingTool, OperatorFault
from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations.extras import LAB_PE, missing_for
from netboot.operations.images.view import list_images
from netboot.operations.jobs import JobKind
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.images import lab_pe_file

MAKER = ("-m", "vm.defaults")
"""The program that makes it: virtual machines and what they boot are another part of netboot."""

EXPORTER = ("-m", "vm.prepared")
"""The program that writes it as a file."""

KIND = JobKind.MAKE_LAB_PE
STEPS = 10
"""About so many steps it reports, for the bar."""

_SILENCE_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
_WORDS_KEPT = 400


@dataclass(frozen=True, slots=True)
class LabImage:
    """One of its images; `served_version` is what machines get of it, if anything."""

    name: str
    slug: str
    architecture: Architecture
    served_version: int | None


@dataclass(frozen=True, slots=True)
class LabPeView:
    """The Lab PE images of a site, and whether they can be built here.

    `missing` are the packages that a build lacks; `job` is the number of the job that makes them
    now, or 0.
    """

    images: tuple[LabImage, ...]
    missing: tuple[str, ...]
    job: int


def lab_pe_state(site: Site) -> LabPeView:
    found = tuple(
        LabImage(one.name, one.slug, one.architecture, one.served_version)
        for one in list_images(site)
        if one.is_lab
    )
    return LabPeView(found, missing_for(LAB_PE), _under_way(site))


def _under_way(site: Site) -> int:
    return next((one.id for one in jobs.list_unfinished(site) if one.kind == KIND), 0)


def ask_build(site: Site) -> jobs.JobView:
    """Queue a build from Debian packages, and the import of what it makes.

    A job that is under way is not queued twice. Raises MissingTool, naming the missing packages.
    """
    require_buildable()
    if number := _under_way(site):
        return jobs.get_job(site, number)
    return jobs.submit(site, KIND, {}, title="Make the Lab PE")


def require_buildable() -> None:
    """Raises MissingTool, naming every package that a build lacks."""
    if lacking := missing_for(LAB_PE):
        raise MissingTool(
            f"the Lab PE cannot be built here: {', '.join(lacking)} "
            f"{'is' if len(lacking) == 1 else 'are'} not installed",
            hint=f"Run `apt-get install {' '.join(lacking)}`, or import a file that was prepared"
            " on another machine by `netboot lab-pe export FILE`.",
        )


def ask_import(site: Site, path: Path) -> jobs.JobView:
    """Queue the import of an uploaded prepared file. Raises InvalidInput if it is of no such kind.

    The job checks the whole file before it uses anything of it.
    """
    with path.open("rb") as stream:
        lab_pe_file.read_head(stream)
    return jobs.submit(site, KIND, {"path": str(path)}, title="Import a prepared Lab PE")


def import_file(site: Site, path: Path, *, progress: Progress = silent) -> list[str]:
    """Import a prepared file at once; returns the names of the images. Raises OperatorFault."""
    part = 0.0
    try:
        file = path.open("rb")
    except OSError as fault:
        raise InvalidInput(
            f"{path} cannot be read: {fault.strerror}", hint="Name another file."
        ) from fault
    with file, closing(make(site, file)) as events:
        for event in events:
            match event:
                case {"event": "step", "text": str(text)}:
                    part = step_part(event, part)
                    progress(part, text)
                case {"event": "failed"}:
                    raise fault_of(event)
                case {"event": "done", "images": list(names)}:
                    return [str(name) for name in names]
    raise OperatorFault("the Lab PE was not imported", hint="See the messages above.")


def fault_of(event: dict[str, Any]) -> OperatorFault:
    """The fault in a `failed` event: InvalidInput if the prepared file is to blame."""
    kind = InvalidInput if event.get("unusable") else OperatorFault
    return kind(str(event.get("reason", "")), hint=str(event.get("hint", "")))


def step_part(event: dict[str, Any], part: float) -> float:
    """The part of the work that is done with this step, after `part`."""
    own = event.get("part")
    return max(part, 0.2 * own) if isinstance(own, float) else part + (1.0 - part) / STEPS


def make(site: Site, file: IO[bytes] | None = None) -> Generator[dict[str, Any], None, None]:
    """Make the images, from a prepared `file` or from Debian packages.

    Yields `step`, and at last `done` or `failed`; each idle second yields `silent`. Closing the
    iterator ends the work and every program that it runs. On a site that serves a network the
    images never become the default: machines there must not start Linux unasked.
    """
    words = ["--json-lines", "--data", str(site.data.resolve())]
    words += ["--prepared"] if file else []
    words += ["--no-default"] if site.settings.all_networks else []
    with subprocess.Popen(
        [sys.executable, *MAKER, *words],
        stdin=file or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield from _events(process)
        finally:
            end_maker(process)


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    output, words, told = b"", b"", ""
    assert process.stdout is not None
    assert process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(_SILENCE_SECONDS)
            if not ready:
                yield {"event": "silent"}
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                if not part:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    words = (words + part)[-_WORDS_KEPT:]
                else:
                    *lines, output = (output + part).split(b"\n")
                    for event in _read(lines):
                        told = str(event.get("event"))
                        yield event
    if told not in {"done", "failed"}:
        last = words.decode(errors="replace").strip().splitlines()[-1:]
        yield {
            "event": "failed",
            "reason": " ".join(["the Lab PE could not be made", *(f"({one})" for one in last)]),
            "hint": "Try again; if that fails, too, see the log of the worker.",
        }


def _read(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):  # printed by a program that it runs
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def end_maker(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: compiler and apt would go on without it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
