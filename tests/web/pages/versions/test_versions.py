"""The versions of a boot image on their page."""

import pytest

from netboot.operations import jobs
from netboot.operations.images import images
from netboot.operations.versions import versions
from netboot.store.images.rows import find_image
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.conftest import htmx

PAGE = "/images/lab-pe-x64"


@pytest.fixture
def operator(furnished, make_client):
    return make_client(furnished, "operator")


def test_every_version_stands_with_what_can_be_done(operator):
    """The served one is marked; others can be compared and served."""
    text = operator.get(f"{PAGE}/versions").text

    assert ">served</span>" in text
    assert f'href="{PAGE}/versions?old=1&amp;new=2"' in text
    assert f'action="{PAGE}/roll-back"' in text


@pytest.mark.wimlib
def test_two_versions_are_compared(furnished, operator, tmp_path):
    """Drivers, properties, and the files in their WIMs."""
    images.import_image(furnished, SyntheticWinPe().capture(tmp_path), name="PE")
    versions.build_version(furnished, "PE")
    images.add_driver(furnished, "PE", "vioscsi")
    versions.build_version(furnished, "PE")
    text = operator.get("/images/pe/versions?old=1&new=2").text
    region = text.split('aria-label="Differences"')[1]

    assert "vioscsi" in region
    assert "/Windows/BootDrivers/0001-vioscsi/vioscsi.sys" in region
    assert operator.get("/images/pe/versions?old=1&new=9").status_code == 404
    assert operator.get("/images/pe/versions?old=x&new=9").status_code == 400


def test_a_version_out_of_service_is_an_alarm(furnished, operator):
    """Its files are named, it cannot be served, and the overview says what to do."""
    with furnished.database.writing() as session:
        find_image(session, "lab-pe-x64").versions[0].altered = ["boot.wim"]

    text = operator.get(f"{PAGE}/versions").text
    assert "boot.wim changed on disk" in text
    overview = operator.get(PAGE).text
    assert "Version 2 is out of service" in overview
    assert "Version 1 is served instead" in overview
    assert "Version 2 must be built again" in overview
    response = operator.post(f"{PAGE}/roll-back", data={"number": 2}, headers=htmx())
    assert response.status_code == 409
    assert "out of service" in response.text


def test_verifying_is_a_job(furnished, operator):
    """The worker reads; the page shows how far it is."""
    assert operator.post(f"{PAGE}/verify").status_code == 303
    (job,) = jobs.list_jobs(furnished)

    assert (job.kind, job.arguments["image"]) == ("verify_content", "Lab PE x64")


def test_an_image_without_versions_says_what_makes_one(operator):
    """There is nothing to compare."""
    text = operator.get("/images/windows-pe-11/versions").text

    assert "The first build creates version 1" in text
    assert "Compare two versions" not in text
