"""The console under gunicorn, as its own process."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import threading
import time

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

        assert ended == [True] * STREAMS
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
        assert reached == 3_000_000
        done = client.patch(
            address, headers={**tus, "Upload-Offset": str(reached)}, content=blob[reached:]
        )
        assert str(len(blob)) == done.headers["Upload-Offset"]
    finally:
        again.stop()
    files = list((data / "uploads").glob("*/files/boot.wim"))

    assert [blob] == [path.read_bytes() for path in files]


@pytest.fixture(scope="module")
def console(furnished_folder, tmp_path_factory):
    """A running console of two processes that have both begun."""
    data = shutil.copytree(furnished_folder, tmp_path_factory.mktemp("console") / "data")
    with running_console(data) as running:
        wait_until(running, lambda: len(begun(running)) == 2)
        yield running


def begun(console):
    """The processes that are ready to answer."""
    folder = console.data / "web" / "measurements"
    return {one for one in console.processes() if (folder / f"gauge_livesum_{one}.db").exists()}


def wait_until(console, ready):
    """Wait for what the console does soon."""
    until = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < until, console.log()
        time.sleep(0.05)


def again(client):
    """The same browser with a new connection: it may reach another process."""
    fresh = httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=20)
    fresh.headers["X-CSRFToken"] = client.headers.get("X-CSRFToken", "")
    return fresh


def test_a_session_of_one_process_is_known_to_the_other(console):
    """Its cookie and the token of its forms count at both; so does its end."""
    first, second = console.processes()
    with console.answered_by(first):
        client = signed_in(console)
    with console.answered_by(second):
        assert again(client).get("/jobs/").status_code == 200
        assert again(client).post("/sign-out").status_code == 303
    with console.answered_by(first):
        assert again(client).get("/jobs/").status_code == 303


def test_tries_are_counted_over_both_processes(console):
    """Five wrong passwords for an account, wherever they came in."""
    first, second = console.processes()
    client = httpx.Client(base_url=console.url, timeout=20)
    token = re.search(r'csrf-token" content="([^"]+)', client.get("/sign-in").text)[1]
    client.headers["X-CSRFToken"] = token
    form = {"name": "mallory", "password": "wrong"}
    found = []
    for process, times in ((first, 3), (second, 3), (first, 1)):
        with console.answered_by(process):
            found += [again(client).post("/sign-in", data=form).status_code for _ in range(times)]

    assert found == [401, 401, 401, 401, 401, 429, 429]


def test_an_upload_goes_on_at_the_other_process(console):
    """Its parts are files; a folder's files may come to both at once."""
    first, second = console.processes()
    blob = bytes(range(256)) * 4_000
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    with console.answered_by(first):
        client = signed_in(console)
        created = client.post(
            "/uploads/", headers={**tus, "Upload-Length": str(len(blob)),
                                  "Upload-Metadata": "filename Ym9vdC53aW0="}, content=blob[:999],
        )  # fmt: skip
    with console.answered_by(second):
        done = again(client).patch(
            created.headers["Location"], headers={**tus, "Upload-Offset": "999"}, content=blob[999:]
        )

    assert str(len(blob)) == done.headers["Upload-Offset"]
    assert [blob] == [
        path.read_bytes() for path in (console.data / "uploads").glob("*/files/boot.wim")
    ]


def counted(client):
    """What the metrics say of the page of jobs and of open pages."""
    text = client.get("/metrics").text
    view = 'netboot_http_request_seconds_count{status="2xx",view="jobs.index"} '
    found = (
        re.search(f"^{re.escape(name)}([0-9.]+)$", text, re.MULTILINE)
        for name in (view, "netboot_live_streams ")
    )
    return tuple(float(one[1]) if one else 0.0 for one in found)


def open_streams(client, count):
    """So many open pages: their answers, not read to the end."""
    clients = [again(client) for _ in range(count)]
    return [one.send(one.build_request("GET", "/live?topic=jobs"), stream=True) for one in clients]


def test_a_process_that_is_killed_is_replaced_and_its_pages_open_again(console):
    """What it counted still counts, its places are free, and the site goes on meanwhile."""
    first, second = console.processes()
    with console.answered_by(first):
        client = signed_in(console)
        before, _ = counted(client)
        kept = [again(client).get("/jobs/").status_code for _ in range(3)]
        (stream,) = open_streams(client, 1)
        text = stream.iter_text()
        assert any("changed" in one for one in text)
    with console.answered_by(second):
        kept += [again(client).get("/jobs/").status_code for _ in range(2)]
        assert (kept, counted(again(client))) == ([200] * 5, (before + 5, 1.0))
    os.kill(first, signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        list(text)
    assert again(client).get("/sign-in").status_code == 303
    wait_until(console, lambda: begun(console) - {first, second})
    (new,) = begun(console) - {first, second}
    with console.answered_by(new):
        (reconnected,) = open_streams(client, 1)
        assert any("changed" in one for one in reconnected.iter_text())
        assert counted(again(client)) == (before + 5, 1.0)
    reconnected.close()


def test_open_pages_are_counted_over_both_processes(console):
    """A hundred together; one more has to come back later, whichever process it reaches."""
    first, second = console.processes()
    opened = []
    with console.answered_by(first):
        client = signed_in(console)
    # What other tests closed holds its place until the server writes to it next.
    wait_until(console, lambda: counted(again(client))[1] == 0)
    with console.answered_by(first):
        opened += open_streams(client, 60)
    with console.answered_by(second):
        opened += open_streams(client, 41)
    with console.answered_by(first):
        opened += open_streams(client, 1)

    assert [one.status_code for one in opened] == [200] * 100 + [503, 503]
    for one in opened:
        one.close()


def test_a_process_with_several_requests_ends_their_connections(console):
    """So the next ones find the other process; one request alone, and streams, keep theirs."""
    process = console.processes()[0]
    address = httpx.URL(console.url)
    with console.answered_by(process):
        client = signed_in(console)
        (stream,) = open_streams(client, 1)
        calm = client.get("/sign-in")
        with socket.create_connection((address.host, address.port), timeout=60) as slow:
            slow.sendall(
                b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname"
            )
            wait_until(console, lambda: client.get("/sign-in").headers["Connection"] == "close")
            slow.sendall(b"=otto")
            assert slow.recv(100).startswith(b"HTTP/1.1 400")
        wait_until(console, lambda: client.get("/sign-in").headers["Connection"] == "keep-alive")

    assert calm.headers["Connection"] == "keep-alive"
    stream.close()


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

    assert list(home.rglob("*")) == []
