import pytest

from netboot.boot.events import PeOffline
from netboot.operations import job_handlers, jobs, lab
from netboot.store.jobs import JobFailed


class Context:
    """A job's context that notes what it is told."""

    def __init__(self, site, job):
        self.site, self.job, self.told = site, job, []

    def progress(self, part, stage):
        self.told.append(stage)

    def line(self, text, *, part, stage):
        self.told.append(text)

    def check(self):
        pass


SERIAL = "LABPE 3.52 PCI slot=0000:00:03.0 device=8086:100e:0200:11001af4 revision=03"


@pytest.fixture
def boot(site, monkeypatch):
    """`boot(*events)`: the handler's result when the lab says this."""

    def run(*events):
        monkeypatch.setattr(lab, "boot_machine", lambda site, request: iter(events))
        job = jobs.submit(site, "boot_test_machine", {"firmware": "bios-x64"}, title="Boot")
        return job_handlers.boot_test_machine(Context(site, job))

    return run


def test_an_offline_machine_gets_a_line_in_the_boot_log(site, boot):
    """It cannot report home; its console names what it lacks and which devices it has."""
    result = boot(
        {"event": "serial", "line": SERIAL},
        {"event": "done", "result": "offline", "mac": "52:54:00:77:00:00", "image": "Lab",
         "version": 1, "missing": "net:8086:100e"},
    )  # fmt: skip
    assert site.journal.flush()

    (entry,) = site.journal.latest()
    assert isinstance(entry.event, PeOffline)
    assert ("net:8086:100e", "8086:100e:0200:11001af4") == (
        entry.event.missing,
        entry.event.devices,
    )
    assert "offline" == result["result"]


def test_the_picture_of_the_screen_is_kept(site, boot, tmp_path):
    """The lab throws its own away; the store's is named by its digest."""
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG picture")
    result = boot({"event": "done", "result": "online", "screenshot": str(picture)})

    assert b"\x89PNG picture" == site.blobs.require(result["screenshot"]).read_bytes()


def test_a_machine_that_failed_fails_the_job_and_shows_what_there_is(boot):
    """Reason and hint are the lab's."""
    with pytest.raises(JobFailed, match="no offer") as failure:
        boot({"event": "failed", "reason": "no offer", "hint": "Look at the network."})
    assert ("Look at the network.", "") == (failure.value.hint, failure.value.result["screenshot"])


def test_an_upload_is_removed_only_where_uploads_lie(site, tmp_path):
    """A file of the operator's own is never touched."""
    mine = tmp_path / "boot.wim"
    mine.write_bytes(b"mine")
    uploads = site.data / "uploads"
    uploads.mkdir()
    upload = uploads / "1"
    upload.write_bytes(b"uploaded")
    job_handlers._forget_upload(site, mine)
    job_handlers._forget_upload(site, upload)

    assert (True, False) == (mine.exists(), upload.exists())
