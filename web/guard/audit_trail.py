"""Every change made on pages or over the API is written to the audit log before the answer.

It is noted before the view runs, so a change that cannot be recorded is not made; and a change that
was made is reported as made, even if the disk is full by then.

This happens without help from the view: the action is the endpoint, the object is the address, the
details are the submitted values. A view with better words passes them to `about`.
"""

from contextlib import suppress
from typing import Any

from flask import Flask, Response, g, request
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.errors import NetbootError
from netboot.operations.accounts import audit
from web.guard.access import has_bearer, site

AS_READ = "was."
"""Prefix of fields with the value that the form showed at first."""

HARMLESS = {"GET", "HEAD", "OPTIONS"}
NOT_RECORDED = {"uploads", "api_uploads"}
"""Uploads; the operation that uses an upload is recorded."""

ROOMS = {
    "users": "accounts",
    "own_account": "me",
    "driver_sets": "drivers",
    "images_custom": "images",
    "images_source": "images",
    "images_versions": "images",
    "customisation": "images",
    "coverage": "images",
    "lab": "test_machines",
    "wimboot": "boot_chains",
}
"""Different names in pages and API have one name in the log."""

OWN_RECORD = {"accounts.sign_in", "accounts.sign_out", "accounts.setup"}
CHANGES_NOTHING = {"api_declaration.plan"}
"""Verbs that read and are POSTs because of their size."""


def about(subject: str = "", **details: Any) -> None:
    """Describe the change in better words than its address."""
    g.audit_subject = subject or g.get("audit_subject", "")
    g.audit_details = {**g.get("audit_details", {}), **details}


def begin(action: str) -> None:
    """Note a change that this request is about to make. Raises DatabaseFault."""
    g.audit_pending = audit.begin(site(), **_of_request(), action=action, subject="")


def record(action: str, *, outcome: str = audit.DONE, actor: str = "", subject: str = "") -> None:
    """Write an entry for this request, in place of the note if there is one."""
    entry: dict[str, Any] = {**_of_request(), "action": action, "subject": subject}
    entry |= {"outcome": outcome, "details": _details()}
    if actor:
        entry["actor"] = actor
    pending = g.pop("audit_pending", "")
    if pending:
        audit.finish(site(), pending, **entry)
    else:
        audit.record(site(), **entry)


def _of_request() -> dict[str, Any]:
    return {
        "actor": current_user.name if current_user.is_authenticated else "nobody",
        "via": audit.VIA_API if has_bearer(request) else audit.VIA_PAGE,
        "address": request.remote_addr or "",
    }


def _is_recorded() -> bool:
    """Whether this request may change something that has no record of its own."""
    if request.method in HARMLESS or request.blueprint in NOT_RECORDED:
        return False
    if (request.endpoint or "") in OWN_RECORD | CHANGES_NOTHING or request.endpoint is None:
        return False
    return bool(current_user.is_authenticated)


def _before() -> None:
    if _is_recorded():
        own = audit.begin(
            site(),
            **_of_request(),
            action=_action(request.endpoint or ""),
            subject=_subject(),
            details=_details(),
        )
        g.audit_pending = own


def _after(response: Response) -> Response:
    """Replace the note by an entry, or drop it if nothing was changed."""
    action = _action(request.endpoint or "")
    if "audit_pending" not in g:
        if response.status_code == 403 and _is_recorded():  # refused before it was noted
            with suppress(NetbootError):
                record(action, outcome=audit.REFUSED, subject=_subject())
        return response
    if g.get("audit_done") or response.status_code >= 400:
        if response.status_code == 403 and not g.get("audit_done"):
            record(action, outcome=audit.REFUSED, subject=_subject())
        elif response.status_code >= 500:
            record(action, outcome=audit.FAILED, subject=_subject())
        else:
            audit.drop(site(), g.pop("audit_pending"))
    else:
        record(action, subject=_subject())
    return response


def _action(endpoint: str) -> str:
    blueprint, _, view = endpoint.rpartition(".")
    return f"{_room(blueprint)}.{view}".lstrip(".")


def _room(blueprint: str) -> str:
    room = blueprint.removeprefix("api_")
    return ROOMS.get(room, room)


def _subject() -> str:
    known: str = g.get("audit_subject", "")
    if known:
        return known
    room = _room(request.blueprint or "")
    values = [str(value) for value in (request.view_args or {}).values()]
    named = str(request.form.get("name", "")) if not values else ""
    return "/".join([room, *(values[:1] or ([named] if named else []))])


def _details() -> dict[str, Any]:
    if request.endpoint in OWN_RECORD:
        return {}
    sent: dict[str, Any] = {
        name: values[0] if len(values) == 1 else values
        for name, values in request.form.to_dict(flat=False).items()
        if not name.startswith(AS_READ)
    }
    body = request.get_json(silent=True) if request.is_json else None
    if isinstance(body, dict):
        sent |= body
    more = list((request.view_args or {}).items())[1:]
    return {**sent, **{name: str(value) for name, value in more}, **g.get("audit_details", {})}


def init_audit_trail(app: Flask) -> None:
    app.before_request(_before)
    app.after_request(_after)
