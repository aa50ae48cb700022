"""Test machines on pages."""

import re
import socket
import threading
import time

import pytest

from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations.drivers import drivers
from netboot.operations.lab import SOCKET
from tests.web.conftest import htmx
from tests.web.support import seeding

MAC = "52:54:00:77:00:01"
GOOD = {"firmware": "uefi-x64", "nic": "e1000", "memory": "1024"}


@pytest.fixture
def lab(furnished):
    """A lab that accepts connections and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(furnished.data / SOCKET))
    listener.listen()
    ended = threading.Event()

    def accept():
        while not ended.is_set():
            try:
                listener.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield furnished
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_without_a_lab_the_page_says_how_to_get_one(furnished, make_client):
    """And offers no button."""
    client = make_client(furnished, "operator")
    text = client.get("/test-machines/").text

    assert "Test machines are not available" in text
    assert 'name="firmware"' not in text
    assert client.post("/test-machines/", data=GOOD, headers=htmx()).status_code == 409


def test_a_test_machine_is_a_job(lab, make_client):
    """With the firmware, network card and memory that were chosen."""
    client = make_client(lab, "operator")
    response = client.post("/test-machines/", data=GOOD)
    job = jobs.list_jobs(lab)[0]

    assert response.status_code == 303
    assert (
        job.kind,
        job.arguments,
    ) == ("boot_test_machine", {"firmware": "uefi-x64", "nic": "e1000", "memory": 1024})
    assert job.title in client.get("/test-machines/").text
    assert 'value="e1000" selected' in client.get(response.headers["Location"]).text


@pytest.mark.parametrize(
    "change", [{"firmware": "coreboot"}, {"nic": "$(reboot)"}, {"memory": "999999"}, {"memory": ""}]
)
def test_only_what_is_on_offer_can_be_chosen(lab, make_client, change):
    """Values go to QEMU's command line, so they come from lists."""
    response = make_client(lab, "operator").post(
        "/test-machines/", data=GOOD | change, headers=htmx()
    )

    assert response.status_code == 400
    assert not jobs.list_jobs(lab)


def test_the_serial_console_is_shown_while_it_boots(lab, make_client):
    """The newest machine with its last lines."""
    job = jobs.submit(lab, "boot_test_machine", GOOD, title="Test machine")
    lab.jobs.claim("worker", ("boot_test_machine",))
    lab.jobs.report(job.id, progress=0.5, stage="loading drivers", line="LABPE DRVLOAD <e1000>")
    text = make_client(lab, "viewer").get("/test-machines/").text

    assert "LABPE DRVLOAD &lt;e1000&gt;" in text
    assert "loading drivers" in text


def test_a_test_machine_from_an_images_page_boots_that_image(lab, make_client):
    """The page chooses it beforehand, with a firmware that can start it."""
    client = make_client(lab, "operator")
    seeding.add_image(lab, "Rescue 32", Architecture.X86)
    lab.point.update(seeding.add_version(lab, "Rescue 32"), lab.blobs, now=1.0)
    assert 'href="/test-machines/?image=rescue-32"' in client.get("/images/rescue-32").text
    page = client.get("/test-machines/?image=rescue-32").text
    assert '<option value="rescue-32" selected>Rescue 32 v1 (x86)</option>' in page
    assert '<option value="bios-x64" selected>' in page

    wanted = GOOD | {"firmware": "bios-x64", "image": "rescue-32"}
    answer = client.post("/test-machines/", data=wanted)
    job = jobs.list_jobs(lab)[0]
    assert job.arguments["image"] == "Rescue 32"
    assert job.title.endswith(", Rescue 32 v1")
    assert 'value="rescue-32" selected' in client.get(answer.headers["Location"]).text
    assert job.title.removeprefix("Test machine: ") in client.get("/images/rescue-32").text


@pytest.mark.parametrize(
    ("image", "firmware", "words"),
    [
        ("rescue-32", "uefi-x64", "Choose bios-x64 or bios-x86 or uefi-ia32."),
        ("not-served", "bios-x64", "update the distribution points"),
        ("unknown", "bios-x64", "no boot image"),
    ],
)
def test_an_image_that_the_machine_could_not_boot_is_refused_at_once(
    lab, make_client, image, firmware, words
):
    """With what to do instead; no machine starts in vain."""
    client = make_client(lab, "operator")
    seeding.add_image(lab, "Rescue 32", Architecture.X86)
    lab.point.update(seeding.add_version(lab, "Rescue 32"), lab.blobs, now=1.0)
    seeding.add_image(lab, "Not served")
    answer = client.post(
        "/test-machines/", data=GOOD | {"firmware": firmware, "image": image}, headers=htmx()
    )

    assert answer.status_code in {404, 409}
    assert words in answer.text
    assert not jobs.list_jobs(lab)


def test_a_boot_test_shows_its_ladder_and_its_screen_live(lab, make_client):
    """While it runs: the rungs, and a picture whose address changes with each frame."""
    job = jobs.submit(lab, "boot_test_machine", GOOD, title="Test machine")
    lab.jobs.claim("worker", ("boot_test_machine",))
    picture = lab.data / "lab" / "machines" / "1" / "screen.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"\x89PNG frame 3")
    result = {"mac": MAC, "screen": str(picture), "frame": 3}
    lab.jobs.report(job.id, progress=0.3, stage="booting", result=result)
    seeding.tell(lab, *seeding.boot_events(MAC, at=time.time())[:3])
    client = make_client(lab, "operator")

    for page in ("/test-machines/", f"/jobs/{job.id}"):
        text = client.get(page).text
        assert f'src="/jobs/{job.id}/screenshot?frame=3"' in text, page
        assert 'class="rung rung-next"' in text, page
        assert re.search(r'href="/boots/525400770001-\d+"[^>]*>.*?Story of this boot', text), page
        assert "Boot again" not in text, page
    live = client.get(f"/jobs/{job.id}/screenshot?frame=3")
    assert (live.data, live.headers["Cache-Control"]) == (b"\x89PNG frame 3", "no-store")


def test_a_picture_is_only_taken_from_the_labs_folder(lab, make_client):
    """A job's result names no other file."""
    job = jobs.submit(lab, "boot_test_machine", GOOD, title="Test machine")
    for path in (lab.data / "secret", lab.data / "lab" / ".." / "secret"):
        lab.jobs.report(job.id, progress=0.3, stage="booting", result={"screen": str(path)})
        assert make_client(lab).get(f"/jobs/{job.id}/screenshot").status_code == 404


def test_a_finished_test_boots_again_as_it_was(lab, make_client):
    """With its image, too; an offline one links to the driver that the catalog holds."""
    seeding.add_driver(lab, lab.data / "src", "pcnet", ids=("PCI\\VEN_1022&DEV_2000",))
    wanted = GOOD | {"memory": 1024, "nic": "pcnet", "image": "Lab PE x64"}
    job = jobs.submit(lab, "boot_test_machine", wanted, title="Test machine")
    result = {"result": "offline", "missing": "net:1022:2000", "image": "Lab PE x64", "version": 1}
    lab.jobs.finish(job.id, "succeeded", result=result)
    client = make_client(lab, "operator")
    for page in ("/test-machines/", f"/jobs/{job.id}"):
        text = client.get(page).text
        digest = drivers.get_driver(lab, "pcnet").digest[7:]
        assert f'href="/drivers/{digest}"' in text, page
        assert 'action="/images/lab-pe-x64/coverage/fix"' in text, page
    form = text.split('action="/test-machines/"')[1].split("</form>")[0]
    again = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
    client.post("/test-machines/", data=again)

    assert jobs.list_jobs(lab)[0].arguments == wanted
