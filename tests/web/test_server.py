"""The console under gunicorn, as its own process."""

import json
import re
import shutil
import ssl
import threading

import httpx
import pytest

from netboot import tls
from netboot.site import Site
from tests.web.support.consoles import Console, running_console
from tests.web.support.seeding import PASSWORD
from web.server import SECONDS_TO_STOP

pytestmark = pytest.mark.loopback

STREAMS = 20


@pytest.fixture
def data(furnished_folder, tmp_path):
    return shutil.copytree(furnished_folder, tmp_path / "data")


def signed_in(console, name="otto"):
    """A client with a session, and the token that its forms need."""
    client = httpx.Client(base_url=console.url, timeout=20)
    token = re.search(r'csrf-token" content="([^"]+)', client.get("/sign-in").text)[1]
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD, "csrf_token": token})
    assert answer.status_code == 303
    token = re.search(r'csrf-token" content="([^"]+)', client.get("/images/").text)[1]
    client.headers["X-CSRFToken"] = token
    return client


def test_a_header_about_tls_is_not_believed_even_from_this_machine(data):
    """A proxy on the same machine passes on what its clients write; the setting decides."""
    with running_console(data) as console:
        forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}
        page = signed_in(console).get("/account/api/", headers=forged)

    assert f"{console.url}/api/v1" in page.text
    assert "https://" not in page.text


def test_it_stops_soon_although_pages_are_open(data):
    """Their streams end with a word instead of a broken line, and nothing is left to kill."""
    with running_console(data) as console:
        client = signed_in(console)
        ended = []

        def listen():
            with (
                httpx.Client(base_url=console.url, cookies=client.cookies, timeout=30) as own,
                own.stream("GET", "/live?topic=jobs") as response,
            ):
                opened.release()
                ended.append("bye" in "".join(response.iter_text()))

        opened = threading.Semaphore(0)
        threads = [threading.Thread(target=listen) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert opened.acquire(timeout=20)
        assert client.get("/images/").status_code == 200
        seconds = console.stop()
        for thread in threads:
            thread.join(20)

        assert [True] * STREAMS == ended
        assert seconds < SECONDS_TO_STOP, console.log()


def test_an_upload_goes_on_after_the_server_was_killed(data):
    """What had come is on disk; the rest follows, and the bytes are right."""
    blob = bytes(range(256)) * 40_000
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    console = Console(data).start()
    client = signed_in(console)
    created = client.post(
        "/uploads/", headers={**tus, "Upload-Length": str(len(blob)),
                              "Upload-Metadata": "filename Ym9vdC53aW0="}, content=blob[:3_000_000],
    )  # fmt: skip
    assert created.status_code == 201, created.text
    console.stop(9)
    again = Console(data, console.port).start()
    try:
        address = created.headers["Location"]
        reached = int(client.head(address, headers=tus).headers["Upload-Offset"])
        assert 3_000_000 == reached
        done = client.patch(
            address, headers={**tus, "Upload-Offset": str(reached)}, content=blob[reached:]
        )
        assert str(len(blob)) == done.headers["Upload-Offset"]
    finally:
        again.stop()
    files = list((data / "uploads").glob("*/files/boot.wim"))

    assert [blob] == [path.read_bytes() for path in files]


def test_it_answers_over_tls_with_a_secure_cookie(data):
    """The certificate that was made here; plain HTTP gets nowhere."""
    (data / "netboot.toml").write_text('tls = "self-signed"\n')
    made = tls.certificate_of(Site.open(data))
    context = ssl.create_default_context(cafile=made.certificate)
    console = Console(data).start(context)
    try:
        with httpx.Client(base_url=console.url, verify=context) as client:
            answer = client.get("/sign-in")
        assert answer.status_code == 200
        assert "Secure" in answer.headers["Set-Cookie"]
        with pytest.raises(httpx.TransportError):
            httpx.get(console.url.replace("https", "http"))
    finally:
        console.stop()


def test_its_log_is_json_where_that_is_set(data):
    """One object a line, with what was recorded, and which process says so."""
    (data / "netboot.toml").write_text('log_format = "json"\n')
    with running_console(data) as console:
        signed_in(console)
    lines = [json.loads(line) for line in console.log().splitlines() if line.startswith("{")]

    (entry,) = [line for line in lines if line["event"] == "audit"]
    assert (entry["process"], entry["action"]) == ("web", "accounts.sign_in")
    assert entry["level"] == "info"


def test_nothing_is_written_beside_the_data_folder(data, tmp_path, monkeypatch):
    """No control socket in the home folder."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with running_console(data):
        pass

    assert [] == list(home.rglob("*"))
