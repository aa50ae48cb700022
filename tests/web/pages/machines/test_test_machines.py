"""Test machines on pages."""

import socket
import threading

import pytest

from netboot.operations import jobs
from netboot.operations.lab import SOCKET
from tests.web.conftest import htmx

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
