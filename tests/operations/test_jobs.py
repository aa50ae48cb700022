import ast
import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest

from netboot.daemons import job_handlers
from netboot.errors import AlreadyExists, NotFound
from netboot.images.media.request import MediaKind, MediaOrder
from netboot.operations import jobs, lab, lab_pe
from netboot.operations import remembered as facts
from netboot.operations.backups import making
from netboot.operations.boots import network
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.images import source as image_source
from netboot.operations.jobs import DAY, JobKind, queue_when_due
from netboot.operations.media import media
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import points
from netboot.operations.points import scrub as guarding
from netboot.operations.versions import versions
from netboot.site import Site
from tests.support.media_versions import add_lab_version

ROOT = Path(__file__).parents[2]
QUEUES = re.compile(r"(?<!pool\.)\bsubmit\(")


def test_every_kind_of_job_has_a_handler_and_a_lane():
    """Nothing can be queued that no worker would take."""
    assert set(JobKind) == set(job_handlers.HANDLERS)
    assert set(JobKind) == {kind for lane in job_handlers.lanes() for kind in lane}


def test_a_job_is_queued_by_ask_functions_alone():
    """Page, API and command line call these, so each order is checked and titled in one place."""
    modules = [path for room in ("netboot", "web") for path in (ROOT / room).rglob("*.py")]
    nodes = [node for path in modules for node in ast.walk(ast.parse(path.read_bytes()))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    found = [one.name for one in functions if QUEUES.search(ast.unparse(one))]

    asking = [name for name in found if name.startswith("ask_")]
    assert {"submit", "queue_when_due"} == set(found) - set(asking)
    assert len(JobKind) + 1 == len(asking)  # the Lab PE is built, or taken from a file


def test_every_order_fits_the_parameters_of_its_handler(site, tmp_path, monkeypatch):
    """A job that a handler cannot take would fail long after it was asked for."""
    view = replace(lab.lab_status(site), available=True)
    monkeypatch.setattr(lab, "lab_status", lambda site: view)
    monkeypatch.setattr(lab_pe, "missing_for", lambda what: ())
    version = add_lab_version(site)
    capture = tmp_path / "boot.pcap"
    capture.write_bytes(b"\xd4\xc3\xb2\xa1")
    asked = [
        versions.ask_build(site, version.image),
        points.ask_update(site, version.image),
        points.ask_verify(site, version.image),
        images.ask_import(site, tmp_path, name="New"),
        image_source.ask_examine(site, version.image, tmp_path),
        guarding.ask_scrub(site),
        housekeeping.ask_clean(site),
        driver_import.ask_import(site, tmp_path, "packs"),
        media.ask_media(site, MediaOrder(kind=MediaKind.USB), [(version.image, 0)]),
        network.ask_check(site),
        network.ask_capture(site, capture),
        lab.ask_boot(site, firmware="bios-x64", nic="e1000", memory=512),
        lab_pe.ask_build(site),
    ]

    (site.data / "netboot.toml").write_text(f'backup_folder = "{tmp_path}"\n')
    asked.append(making.ask_backup(Site.open(site.data)))

    assert set(JobKind) == {job.kind for job in asked}
    for job in asked:
        stored = jobs.get_job(site, job.id)
        handler = inspect.signature(job_handlers.HANDLERS[JobKind(job.kind)])
        handler.bind(None, **stored.arguments)
        assert stored.title


def test_a_name_that_is_taken_is_refused_before_a_job_is_queued(site, tmp_path):
    """Nobody waits for an import that cannot succeed."""
    version = add_lab_version(site)

    with pytest.raises(AlreadyExists):
        images.ask_import(site, tmp_path, name=version.image)
    assert jobs.list_jobs(site) == []


def test_a_job_is_found_by_its_number_and_cancelled(site):
    """Pages, API and CLI see the same job."""
    made = jobs.submit(site, "build_version", {"image": "x"}, title="Build x")

    assert made == jobs.get_job(site, made.id)
    assert jobs.cancel(site, made.id).state == "cancelled"
    with pytest.raises(NotFound):
        jobs.get_job(site, made.id + 1)


@pytest.mark.parametrize("daily", [housekeeping.DAILY, guarding.DAILY])
def test_a_daily_job_is_queued_once_a_day(site, daily):
    """A new site begins to count; only the lane that does it asks."""
    lane, now = (daily.kind, "build_version"), 1_000_000.0
    queue_when_due(site, daily, lane, now=now)
    queue_when_due(site, daily, lane, now=now + DAY - 1)
    queue_when_due(site, daily, ("boot_test_machine",), now=now + 2 * DAY)
    assert site.jobs.latest() == []
    for moment in (now + DAY + 1, now + DAY + 60, now + 2 * DAY):
        queue_when_due(site, daily, lane, now=moment)

    assert [daily.kind] == [job.kind for job in site.jobs.latest()]
    queue_when_due(site, daily, lane, now=now + 2 * DAY + 2)
    assert len(site.jobs.latest()) == 2
    assert {"at": now + 2 * DAY + 2} == facts.recall(site, daily.mark)
