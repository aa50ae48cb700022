import pytest

from netboot.boot.told.events import PeOffline
from netboot.daemons import job_handlers
from netboot.errors import OperatorFault
from netboot.operations import jobs, lab
from netboot.operations.images.properties import set_details
from netboot.store.content import blobs
from netboot.store.database.jobs import JobFailed, WorkerStops
from tests.daemons.contexts import Context
from tests.web.support import seeding

MACHINE = {"firmware": "bios-x64", "nic": "e1000", "memory": 512}
SERIAL = "LABPE 3.52 PCI slot=0000:00:03.0 device=8086:100e:0200:11001af4 revision=03"


@pytest.fixture
def boot(site, monkeypatch):
    """`boot(*events)`: the handler's result when the lab says this."""

    def run(*events, **more):
        monkeypatch.setattr(lab, "boot_machine", lambda site, request: iter(events))
        job = jobs.submit(site, "boot_test_machine", MACHINE | more, title="Boot")
        return job_handlers.carry_out(Context(site, job))

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
    assert (
        entry.event.missing,
        entry.event.devices,
    ) == ("net:8086:100e", "8086:100e:0200:11001af4")
    assert result["result"] == "offline"


def test_the_picture_of_the_screen_is_kept(site, boot, tmp_path):
    """The lab throws its own away; the store's is named by its digest."""
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG picture")
    result = boot({"event": "done", "result": "online", "screenshot": str(picture)})

    assert site.blobs.require(result["screenshot"]).read_bytes() == b"\x89PNG picture"


def test_a_disk_without_room_for_the_picture_does_not_cost_the_verdict(boot, tmp_path, monkeypatch):
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG picture")
    monkeypatch.setattr(blobs, "SPARE_BYTES", 1 << 60)
    result = boot({"event": "done", "result": "online", "screenshot": str(picture)})

    assert (result["result"], result["screenshot"]) == ("online", "")


def test_a_machine_that_failed_fails_the_job_and_shows_what_there_is(boot):
    """Reason and hint are the lab's."""
    with pytest.raises(JobFailed, match="no offer") as failure:
        boot({"event": "failed", "reason": "no offer", "hint": "Look at the network."})
    assert (failure.value.hint, failure.value.result["screenshot"]) == ("Look at the network.", "")


def test_silence_is_no_progress(boot, site):
    """A machine that says nothing for a while is waited for."""
    assert boot({"event": "silent"}, {"event": "done", "result": "online"})["result"] == "online"


def test_a_lab_that_ends_with_the_site_is_not_the_jobs_fault(site, monkeypatch):
    """The worker gives the job back instead of failing it."""

    def ends(site, request):
        yield {"event": "started"}
        raise OperatorFault("the lab ended before the test machine did")

    class Stopping(Context):
        def check(self):
            if self.told:
                raise WorkerStops("told to stop")

    monkeypatch.setattr(lab, "boot_machine", ends)
    job = jobs.submit(site, "boot_test_machine", MACHINE, title="Boot")
    with pytest.raises(WorkerStops):
        job_handlers.carry_out(Stopping(site, job))
    with pytest.raises(OperatorFault, match="the lab ended"):
        job_handlers.carry_out(Context(site, job))


@pytest.fixture
def served(site):
    """Two images, each with a served version; the first is the default."""
    for name in ("Lab PE x64", "Rescue"):
        seeding.add_image(site, name)
        site.point.update(seeding.add_version(site, name), site.blobs, now=1.0)
    return site


def online(image, version=1):
    return {"event": "done", "result": "online", "image": image, "version": version}


def test_a_test_of_an_image_is_green_only_if_that_image_came_up(served, boot):
    """Another image, another version and an unknown one are failures, not results."""
    assert boot(online("Rescue"), image="Rescue")["result"] == "online"
    for wrong in (online("Lab PE x64"), online("Rescue", 2), online("")):
        with pytest.raises(JobFailed, match="instead of Rescue") as failure:
            boot(dict(wrong), image="Rescue")
        assert failure.value.result["result"] == "failed"


def test_offline_counts_only_for_the_image_that_was_to_boot(served, boot):
    """Another image that lacks a driver says nothing about this one."""
    lacking = {"event": "done", "result": "offline", "image": "Lab PE x64", "version": 1,
               "missing": "net:8086:100e"}  # fmt: skip
    with pytest.raises(JobFailed, match="Lab PE x64 v1 instead of Rescue"):
        boot(lacking, image="Rescue")


def test_a_renamed_image_is_itself_although_its_version_has_the_old_name_inside(served, boot):
    """The name inside changes with the next version only."""
    set_details(served, "Rescue", name="First aid")

    assert boot(online("Rescue"), image="First aid")["result"] == "online"


def test_the_lab_is_told_the_image_only_if_there_is_one(served, monkeypatch):
    """Without, the machine gets what every machine of its kind gets."""
    asked = []

    def heard(site, request):
        asked.append(request)
        yield online("Rescue")

    monkeypatch.setattr(lab, "boot_machine", heard)
    for more in ({}, {"image": "Rescue"}):
        job = jobs.submit(served, "boot_test_machine", MACHINE | more, title="Boot")
        job_handlers.carry_out(Context(served, job))

    assert [one.get("image") for one in asked] == [None, "Rescue"]
