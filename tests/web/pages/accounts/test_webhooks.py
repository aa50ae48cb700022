"""Webhooks as pages."""

import re

from netboot.operations.accounts import webhooks
from tests.web.conftest import htmx


def test_a_webhook_is_added_tested_switched_and_removed(furnished, make_client):
    """Its secret is shown once."""
    admin = make_client(furnished, "admin")
    form = {"url": "https://chat.example/hooks/1", "events": "boot.offline, job.failed"}
    made = admin.post("/webhooks/", data=form, headers=htmx())
    secret = re.search(r'id="secret" value="([^"]+)"', made.text)[1]
    (hook,) = webhooks.list_webhooks(furnished)

    assert hook.events == ("boot.offline", "job.failed")
    assert secret not in admin.get("/webhooks/").text
    admin.post(f"/webhooks/{hook.id}/test")
    assert "webhook.test" in admin.get("/webhooks/").text
    admin.post(f"/webhooks/{hook.id}/switch", data={"enabled": "no"})
    assert webhooks.get_webhook(furnished, hook.id).enabled is False
    admin.post(f"/webhooks/{hook.id}/delete")
    assert "No webhooks yet" in admin.get("/webhooks/").text


def test_an_address_that_cannot_be_told_is_refused(furnished, make_client):
    """With what it should look like."""
    answer = make_client(furnished, "admin").post(
        "/webhooks/", data={"url": "javascript:alert(1)", "events": "*"}, headers=htmx()
    )

    assert answer.status_code == 400
    assert "https://" in answer.text
