"""Webhooks on their way, to a receiver that really listens."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import update

from netboot.daemons.projector import catch_up
from netboot.daemons.webhook_sender import RETRY_SECONDS, WebhookSender
from netboot.daemons.worker import Worker
from netboot.errors import InvalidInput
from netboot.operations import jobs
from netboot.operations.accounts import audit, webhooks
from netboot.store.database.account_records import DeliveryRow
from tests.web.support.seeding import boot_events, tell

pytestmark = pytest.mark.loopback


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is told; answers as its server says."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.server.told.release()

    def log_message(self, *words):
        """Nothing to say."""


@pytest.fixture(autouse=True)
def here_is_allowed(site):
    """The receiver is on this machine, which has to be allowed."""
    (site.data / "netboot.toml").write_text('webhook_networks = ["127.0.0.0/8"]\n')
    vars(site).pop("settings", None)


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.heard, server.answer, server.told = [], 204, threading.Semaphore(0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sender(site):
    catch_up(site)  # from here on
    return WebhookSender(site)


def test_boots_jobs_and_changes_are_told_with_a_signature(site, sender, receiver):
    """Each once, signed with the secret that was shown."""
    _, secret = webhooks.add_webhook(site, receiver.url, ["*"])
    tell(site, *boot_events(online=False))
    job = jobs.submit(site, "clean_up", {}, title="Clean up")
    jobs.cancel(site, job.id)
    audit.record(site, actor="ada", via="cli", action="images.build", subject="images/a")

    catch_up(site)
    assert sender.send_due(time.time()) == 3
    catch_up(site)
    assert sender.send_due(time.time()) == 0
    told = {json.loads(body)["event"]: json.loads(body)["data"] for _, body in receiver.heard}
    assert set(told) == {"boot.offline", "job.cancelled", "audit.images.build"}
    assert told["boot.offline"]["missing"] == "PCI\\VEN_8086&DEV_10D3"
    assert told["job.cancelled"]["title"] == "Clean up"
    for headers, body in receiver.heard:
        seconds, _, sent = headers["Netboot-Signature"].removeprefix("t=").partition(",v1=")
        wanted = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
        assert sent == wanted.hexdigest()
        assert abs(int(seconds) - time.time()) < 60


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_a_receiver_that_fails_is_tried_again_ever_later_and_then_given_up(
    site, sender, receiver, answer
):
    """Redirects are not followed: they could lead anywhere."""
    receiver.answer = answer
    hook, _ = webhooks.add_webhook(site, receiver.url, ["*"])
    webhooks.send_test(site, hook.id)
    waits = []
    for _ in range(len(RETRY_SECONDS) + 1):
        before = time.time()
        assert sender.send_due(before) == 0
        (shown,) = webhooks.deliveries(site, hook.id)
        waits.append(shown.due_at - before)
        assert sender.send_due(before) == 0  # not due yet
        with site.database.writing() as session:
            session.execute(update(DeliveryRow).values(due_at=0.0))

    assert ("failed", len(RETRY_SECONDS) + 1) == (shown.state, shown.attempts)
    assert f"HTTP {answer}" == shown.answer
    assert waits[:-1] == sorted(waits[:-1])
    assert len(receiver.heard) == len(RETRY_SECONDS) + 1


def test_a_receiver_that_is_not_there_is_told_later(site, sender, receiver):
    """It may come back; its answer says what was wrong."""
    port = receiver.server_port
    hook, _ = webhooks.add_webhook(site, "http://127.0.0.1:1/", ["*"])
    webhooks.send_test(site, hook.id)
    sender.send_due(time.time())
    (shown,) = webhooks.deliveries(site, hook.id)
    assert (shown.state, "Connect" in shown.answer) == ("pending", True)
    webhooks.change_webhook(site, hook.id, url=f"http://127.0.0.1:{port}/")
    with site.database.writing() as session:
        session.execute(update(DeliveryRow).values(due_at=0.0))

    assert sender.send_due(time.time()) == 1
    assert webhooks.deliveries(site, hook.id)[0].state == "delivered"


def test_a_receiver_on_this_machine_is_told_nothing_unless_it_is_allowed(site, receiver):
    """Also where the webhook stands there from before; the delivery says why."""
    hook, _ = webhooks.add_webhook(site, receiver.url, ["*"])
    webhooks.send_test(site, hook.id)
    (site.data / "netboot.toml").write_text("")
    vars(site).pop("settings", None)

    assert WebhookSender(site).send_due(time.time()) == 0
    (shown,) = webhooks.deliveries(site, hook.id)
    assert "nothing is sent there" in shown.answer
    assert receiver.heard == []
    with pytest.raises(InvalidInput, match="this machine itself"):
        webhooks.add_webhook(site, receiver.url, ["*"])


def test_it_runs_beside_the_jobs_until_it_is_told_to_stop(site, receiver):
    """As the worker runs it: what happens is told within seconds."""
    worker = Worker(site)
    thread = threading.Thread(target=worker.run)
    webhooks.add_webhook(site, receiver.url, ["*"])
    hook = webhooks.list_webhooks(site)[0]
    thread.start()
    try:
        webhooks.send_test(site, hook.id)
        assert receiver.told.acquire(timeout=30)
    finally:
        worker.stop()
        thread.join(30)
    assert not thread.is_alive()
