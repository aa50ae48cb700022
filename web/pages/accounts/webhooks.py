"""Webhooks: external services notified of events; for administrators."""

import re

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from netboot.operations.accounts import webhooks as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done, wants_fragment

webhooks = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@webhooks.get("/")
@requires(Role.ADMIN)
def index() -> str:
    hooks = operations.list_webhooks(site())
    return page(
        "webhooks/index.html",
        hooks=[(hook, operations.deliveries(site(), hook.id, 10)) for hook in hooks],
        events=operations.EVENTS,
    )


@webhooks.post("/")
@requires(Role.ADMIN)
def create() -> ResponseReturnValue:
    """Add a webhook; its signing secret is shown only in this answer."""
    events = re.findall(r"[^\s,]+", request.form.get("events", ""))
    hook, secret = operations.add_webhook(site(), request.form.get("url", ""), events)
    if wants_fragment():
        return render_template("webhooks/_made.html", hook=hook, secret=secret), 201
    return page("webhooks/made.html", hook=hook, secret=secret), 201


@webhooks.post("/<int:number>/test")
@requires(Role.ADMIN)
def test(number: int) -> ResponseReturnValue:
    operations.send_test(site(), number)
    return done("Test message sent.", url_for("webhooks.index"))


@webhooks.post("/<int:number>/switch")
@requires(Role.ADMIN)
def switch(number: int) -> ResponseReturnValue:
    hook = operations.change_webhook(site(), number, enabled=request.form.get("enabled") == "yes")
    state = "on" if hook.enabled else "off"
    undo = (url_for("webhooks.switch", number=number), {"enabled": "no" if hook.enabled else "yes"})
    return done(f"{hook.url} is now {state}.", url_for("webhooks.index"), undo=undo)


@webhooks.post("/<int:number>/delete")
@requires(Role.ADMIN)
def delete(number: int) -> ResponseReturnValue:
    operations.remove_webhook(site(), number)
    return done("Webhook removed.", url_for("webhooks.index"))
