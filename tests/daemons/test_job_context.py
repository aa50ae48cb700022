"""What a job's handler reports."""

import threading

import pytest

from netboot.daemons.job_context import OUTCOME, Context, settle
from netboot.errors import DatabaseFault
from netboot.operations import jobs


@pytest.fixture
def context(site):
    job = jobs.submit(site, jobs.JobKind.READ_CAPTURE, {"path": "x"}, title="Read")
    return Context(site, job, threading.Event())


def test_progress_that_cannot_be_written_does_not_end_the_work(context, monkeypatch):
    """It is a number on a page."""

    def gone(*_, **__):
        raise DatabaseFault("the database is locked")

    monkeypatch.setattr(context.site.jobs, "report", gone)
    context.progress(0.5, "half")
    monkeypatch.undo()
    context.progress(0.6, "more")

    assert jobs.get_job(context.site, context.job.id).stage == "more"


def test_the_outcome_is_written_before_the_upload_goes(context, monkeypatch):
    """If it cannot be written, the upload stays for who takes the job over."""
    upload = context.site.data / "uploads" / "one"
    upload.parent.mkdir()
    upload.write_bytes(b"uploaded")
    job = jobs.submit(context.site, jobs.JobKind.READ_CAPTURE, {"path": str(upload)}, title="Read")

    def gone(*_, **__):
        raise DatabaseFault("the database is locked")

    with monkeypatch.context() as broken:
        broken.setattr(context.site.jobs, "report", gone)
        with pytest.raises(DatabaseFault):
            settle(context.site, job, {"result": {"a": 1}})
    assert upload.exists()
    settle(context.site, job, {"result": {"a": 1}})

    found = jobs.get_job(context.site, job.id).result
    assert (found, upload.exists()) == ({"a": 1, OUTCOME: {"result": {"a": 1}}}, False)
