"""A version's page: three ways side by side, media to make and to take, links for disks."""

import hashlib
import re
import time

import pytest

from netboot.images.media.request import MediaKind, MediaOrder
from netboot.operations import jobs
from netboot.operations.images import images
from netboot.operations.media import media
from tests.daemons.test_job_handlers import Context
from tests.support.media_versions import add_lab_version, add_windows_pe
from tests.web.conftest import htmx

PAGE = "/images/lab-pe-x64/versions/1"
HOME = "http://10.0.0.2:8081"
USB = MediaOrder(kind=MediaKind.USB)


@pytest.fixture
def lab_site(site):
    """A site that serves one version."""
    from tests.web.support import seeding

    site.point.update(add_lab_version(site), site.blobs, now=time.time())
    seeding.add_accounts(site)
    return site


@pytest.fixture
def operator(lab_site, make_client):
    return make_client(lab_site, "operator")


def made(site, order=USB):
    return media.build_media(site, order, [("Lab PE x64", 1)])


def address(view):
    return f"/images/media/{view.id}/{view.file_name}"


def test_the_three_ways_stand_side_by_side(lab_site, operator):
    """Each with what there is of it."""
    made(lab_site)
    text = operator.get(PAGE).text
    cards = {
        way: text.partition(f'aria-labelledby="way-{way}-title"')[2].partition("</section>")[0]
        for way in ("network", "media", "disk")
    }

    assert "served" in cards["network"]
    assert "lab-pe-x64-v1-usb.img" in cards["media"]
    assert "1 created" in cards["media"]
    assert "none" in cards["disk"]
    assert media.list_media(lab_site)[0].carried[0].wim[7:19] in text


def test_an_images_page_leads_to_its_versions(operator):
    """From the table of versions."""
    assert f'href="{PAGE}"' in operator.get("/images/lab-pe-x64").text


@pytest.mark.parametrize("path", ["/images/lab-pe-x64/versions/9", "/images/none/versions/1"])
def test_what_there_is_not_is_told(operator, path):
    """With status 404."""
    assert operator.get(path).status_code == 404


def test_a_medium_is_ordered_on_the_page_and_made_by_the_worker(lab_site, operator):
    """The password is hashed before it is queued."""
    from netboot.daemons import job_handlers

    form = {"kind": "iso", "label": "labpe", "expires": "2027-03-31", "home": HOME,
            "password": "open sesame"}  # fmt: skip
    answer = operator.post(f"{PAGE}/media", data=form, headers=htmx())
    (job,) = jobs.list_jobs(lab_site)

    assert answer.headers["HX-Redirect"] == PAGE
    assert job.title == "Make an ISO of Lab PE x64 v1"
    assert "open sesame" not in str(job.arguments)
    assert "Make an ISO of Lab PE x64 v1" in operator.get(PAGE).text
    job_handlers.carry_out(Context(lab_site, job))
    (view,) = media.list_media(lab_site)
    assert (
        view.label, view.expires, view.has_password, view.home,
    ) == ("LABPE", "2027-03-31", True, HOME)  # fmt: skip


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"kind": "tape"}, "Unknown media kind"),
        ({"kind": "disk", "format": "vdi"}, "Unknown disk image format"),
        ({"kind": "iso", "format": "qcow2"}, "never qcow2"),
        ({"kind": "iso", "label": "<script>"}, "is not a valid volume label"),
        ({"kind": "iso", "password": "x"}, "start password is not valid"),
        ({"kind": "iso", "home": "ftp://x"}, "is not a valid report address"),
        ({"kind": "iso", "size": "4096"}, "cannot be chosen"),
        ({"kind": "disk", "size": "much"}, "is not a number"),
        ({"kind": "disk", "size": "99999999"}, "is not possible"),
        ({"kind": "iso", "other": "Lab PE x64"}, "have the same architecture"),
        ({"kind": "iso", "other": "nobody"}, "no boot image"),
    ],
)
def test_wishes_that_cannot_be_are_refused_and_nothing_is_queued(lab_site, operator, form, words):
    """In words, in the dialog."""
    answer = operator.post(f"{PAGE}/media", data=form, headers=htmx())

    assert answer.status_code in {400, 404}
    assert words in answer.text
    assert jobs.list_jobs(lab_site) == []


def test_a_download_gives_the_very_bytes_in_whole_and_in_ranges(lab_site, operator):
    """So that one that broke off goes on where it was."""
    view = made(lab_site)
    whole = operator.get(address(view))
    part = operator.get(address(view), headers={"Range": "bytes=1000-1999"})
    rest = operator.get(
        address(view),
        headers={"Range": f"bytes={view.size - 10}-", "If-Range": whole.headers["ETag"]},
    )

    assert view.digest == f"sha256:{hashlib.sha256(whole.data).hexdigest()}"
    assert f"filename={view.file_name}" in whole.headers["Content-Disposition"]
    assert (206, whole.data[1000:2000]) == (part.status_code, part.data)
    assert f"bytes 1000-1999/{view.size}" == part.headers["Content-Range"]
    assert (206, whole.data[-10:]) == (rest.status_code, rest.data)
    assert (
        operator.get(address(view), headers={"If-None-Match": whole.headers["ETag"]}).status_code
        == 304
    )
    assert operator.get(address(view), headers={"Range": f"bytes={view.size}-"}).status_code == 416


def test_viewers_see_media_and_take_none(lab_site, make_client):
    """A medium may hold a token."""
    view = made(lab_site)
    viewer = make_client(lab_site, "viewer")

    assert view.file_name in viewer.get(PAGE).text
    assert address(view) not in viewer.get(PAGE).text
    assert viewer.get(address(view)).status_code == 403


def test_a_medium_is_deleted(lab_site, operator):
    """And the page says so."""
    view = made(lab_site)
    answer = operator.post(f"/images/media/{view.id}/delete", headers=htmx())

    assert answer.headers["HX-Redirect"] == PAGE
    assert media.list_media(lab_site) == []
    assert operator.get(address(view)).status_code == 404


@pytest.mark.parametrize("headers", [{}, htmx()])
def test_a_link_for_a_machines_disk_is_shown_once(operator, headers):
    """With what to type; without script on a page of its own."""
    form = {"system": "linux", "home": HOME}
    text = operator.post(f"{PAGE}/package", data=form, headers=headers).text

    assert re.search(rf"curl -fsS -o netboot-disk.sh {HOME}/package/[\w-]{{32}}", text)
    assert "sudo sh netboot-disk.sh install" in text
    assert "/package/" not in operator.get(PAGE).text.replace(f"{PAGE}/package", "")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"system": "windows", "home": HOME}, "cannot start from the disk of a Windows"),
        ({"system": "amiga", "home": HOME}, "linux, windows"),
        ({"system": "linux", "home": ""}, "no fixed address"),
        ({"system": "linux", "home": HOME, "hours": "soon"}, "is not a number"),
        ({"system": "linux", "home": HOME, "hours": "25"}, "1 to 24 hours"),
    ],
)
def test_a_link_that_would_lead_nowhere_is_refused(operator, form, words):
    """In words, in the dialog."""
    assert words in operator.post(f"{PAGE}/package", data=form, headers=htmx()).text


def test_a_disk_is_as_large_as_was_asked_for_on_the_page(lab_site, operator):
    """In MiB; the job carries bytes."""
    form = {"kind": "disk", "format": "qcow2", "size": "4096"}
    operator.post(f"{PAGE}/media", data=form, headers=htmx())
    (job,) = jobs.list_jobs(lab_site)

    assert job.arguments["order"]["size"] == 4096 << 20


def test_a_link_lives_as_long_as_was_asked_for(operator):
    """And the page says how long."""
    form = {"system": "linux", "home": HOME, "hours": "8"}
    text = operator.post(f"{PAGE}/package", data=form, headers=htmx()).text

    assert "valid for 8 hours" in text
    assert "install --keep" in text


@pytest.mark.wimlib
def test_a_windows_pe_says_what_was_not_tried(lab_site, operator, tmp_path):
    """And asks for no password, which Microsoft's boot manager could not ask for."""
    add_windows_pe(lab_site, tmp_path)
    lab_site.point.update(
        images.get_image(lab_site, "Windows PE x64").current, lab_site.blobs, now=time.time()
    )
    page = "/images/windows-pe-x64/versions/1"
    text = operator.get(page).text
    link = operator.post(f"{page}/package", data={"system": "windows", "home": HOME}).text

    assert "Not tested with Microsoft files yet. Test one medium" in text
    assert 'name="password"' not in text
    assert "Expand-Archive" in link
    assert "Not tested on Windows yet. Try one machine first" in link
