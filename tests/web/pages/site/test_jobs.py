"""Jobs on pages."""

import pytest

from netboot.images.drivers.driver import DriverKind
from netboot.operations import jobs
from netboot.operations.drivers.drivers import list_drivers
from netboot.operations.drivers.importing import ImportReport
from tests.web.conftest import htmx

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


@pytest.fixture
def job(furnished):
    return jobs.submit(furnished, "build_version", {"image": "Lab PE x64"}, title="Build it")


def test_a_job_shows_how_far_it_is(furnished, make_client, job):
    """Stage, progress and log."""
    furnished.jobs.claim("worker", ("build_version",))
    furnished.jobs.report(job.id, progress=0.4, stage="writing the WIM", line="one line")
    text = make_client(furnished, "viewer").get(f"/jobs/{job.id}").text

    assert "writing the WIM" in text
    assert 'value="40"' in text
    assert "one line" in text
    assert "Build it" in make_client(furnished, "viewer").get("/jobs/").text


def test_a_failed_job_says_why(furnished, make_client, job):
    """The message is the first thing on the page."""
    furnished.jobs.finish(job.id, "failed", message="wimlib said no")
    text = make_client(furnished, "viewer").get(f"/jobs/{job.id}").text

    assert "Wimlib said no." in text
    assert "Failed" in text


def test_a_job_can_be_stopped_once(furnished, make_client, job):
    """What has ended cannot be stopped any more."""
    operator = make_client(furnished, "operator")

    assert operator.post(f"/jobs/{job.id}/cancel").status_code == 303
    assert jobs.get_job(furnished, job.id).state == "cancelled"
    assert operator.post(f"/jobs/{job.id}/cancel").status_code == 409


def test_an_import_says_what_came_of_it(furnished, make_client):
    """New, known and refused, one by one."""
    job = jobs.submit(furnished, "import_drivers", {"path": "x"}, title="Import")
    drivers = list_drivers(furnished, kind=DriverKind.NETWORK)
    furnished.jobs.finish(
        job.id,
        "succeeded",
        result=ImportReport(
            new=(drivers[0],),
            duplicates=(drivers[1],),
            refused=(("a.inf", "no file"),),
            new_hardware_ids=("PCI\\VEN_8086&DEV_10D3",),
        ).shortened(),
    )
    text = make_client(furnished, "viewer").get(f"/jobs/{job.id}").text

    assert f"{drivers[0].name}</a>" in text
    assert "already in the catalog" in text
    assert "a.inf: no file" in text
    assert "PCI\\VEN_8086&amp;DEV_10D3" in text


def test_the_screenshot_is_a_picture_of_the_store(furnished, make_client):
    """It is found by digest; anything else is absent."""
    client = make_client(furnished, "viewer")
    picture = furnished.blobs.add_bytes(PNG)
    for result, status in (
        ({"screenshot": picture.digest}, 200),
        ({"screenshot": "/etc/passwd"}, 404),
        ({"screenshot": "sha256:" + "0" * 64}, 503),
        ({"screenshot": "sha256:../../secret"}, 404),
        ({}, 404),
    ):
        job = jobs.submit(furnished, "boot_test_machine", {}, title="Test")
        furnished.jobs.finish(job.id, "succeeded", result=result)
        response = client.get(f"/jobs/{job.id}/screenshot")
        assert status == response.status_code, result
        if status == 200:
            assert (response.data, response.mimetype) == (PNG, "image/png")


def test_an_unknown_job_is_absent(furnished, make_client):
    """As a page that says so."""
    assert make_client(furnished, "viewer").get("/jobs/4711").status_code == 404


@pytest.fixture
def failed(furnished):
    """An import that failed although its upload is fine."""
    upload = furnished.data / "uploads" / "0" / "files" / "boot.wim"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"wim")
    job = jobs.submit(furnished, "import_image", {"path": str(upload)}, title="Import PE")
    furnished.jobs.finish(job.id, "failed", message="the disk is full")
    return job.id, upload


def test_a_failed_import_is_retried_or_dismissed_from_the_overview(furnished, make_client, failed):
    number, upload = failed
    client = make_client(furnished, "operator")
    card = client.get("/").text.split('id="decisions-title"')[1]
    assert f'action="/jobs/{number}/retry"' in card
    assert f'action="/jobs/{number}/dismiss"' in card

    client.post(f"/jobs/{number}/retry")
    again = jobs.get_job(furnished, number)
    assert (again.state, again.message, again.arguments["path"]) == ("queued", "", str(upload))
    assert client.post(f"/jobs/{number}/retry", headers=htmx()).status_code == 409

    furnished.jobs.finish(number, "failed", message="the disk is full")
    upload.unlink()
    assert "/retry" not in client.get(f"/jobs/{number}").text
    gone = client.post(f"/jobs/{number}/retry", headers=htmx())
    assert "Upload the file again." in gone.text
    client.post(f"/jobs/{number}/dismiss")
    assert "Import PE" not in client.get("/").text.split('id="decisions-title"')[1]
    assert "Import PE" in client.get("/jobs/").text


def test_failures_are_retried_and_dismissed_over_the_api_too(furnished, make_client, failed):
    number, _upload = failed
    client = make_client(furnished, "operator")

    assert client.post(f"/api/v1/jobs/{number}/dismiss").json["dismissed"] is True
    again = client.post(f"/api/v1/jobs/{number}/retry").json
    assert (again["state"], again["dismissed"]) == ("queued", False)
    assert client.post(f"/api/v1/jobs/{number}/dismiss").status_code == 409
