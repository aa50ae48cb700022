"""How views answer: go to a page, or show an error without losing the input.

htmx sends the forms. If the operation succeeds, the browser goes to the next page; if it fails,
only a message is returned and the form stays as it was. Without JavaScript, the same views return
whole pages.
"""

import re
import secrets
import time
from dataclasses import asdict

import structlog
from flask import Flask, Response, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, InternalServerError

from netboot.errors import (
    AlreadyExists,
    ContentFault,
    DatabaseFault,
    Difference,
    DiskFault,
    EditConflict,
    InUse,
    InvalidInput,
    NetbootError,
    NotFound,
    NotPermitted,
    OperatorFault,
    TooManyAttempts,
    sentence,
)
from netboot.operations import processes
from netboot.operations.accounts.lockouts import in_minutes
from netboot.operations.jobs import JobView
from netboot.store.content.disk_faults import disk_fault
from netboot.store.database.shared_counts import FAULTS as COUNTING_FAULTS
from web.guard.access import answer_anyone, asks_as_script
from web.guard.edits import Clash
from web.guard.request_safety import limiter
from web.problems import FieldDifference, problem_json

log = structlog.get_logger(__name__)

STATUS_OF: tuple[tuple[type[NetbootError], int], ...] = (
    (NotFound, 404),
    (InvalidInput, 400),
    (NotPermitted, 403),
    (TooManyAttempts, 429),
    (EditConflict, 412),
    (AlreadyExists, 409),
    (InUse, 409),
    (DatabaseFault, 503),
    (DiskFault, 507),
    (OperatorFault, 409),
    (ContentFault, 503),
)
SENTENCES = {
    400: "The request is not valid.",
    401: "You are not signed in, or your session has ended.",
    403: "Your account does not have permission for this action.",
    404: "Page not found.",
    405: "This action is not available here.",
    413: "The request is too large. Use the upload pages for large files.",
    429: "Too many attempts. Wait a moment and try again.",
}
HINTS = {
    401: "Sign in and try again.",
    403: "Ask an administrator for a higher role.",
    404: "It may have been deleted or renamed.",
}


def wants_fragment() -> bool:
    """Whether htmx asks, so only part of a page is needed."""
    return request.headers.get("HX-Request") == "true"


def done(
    message: str,
    url: str,
    *,
    undo: tuple[str, dict[str, str]] | None = None,
    job: JobView | None = None,
) -> Response:
    """The operation succeeded: show a message on the next page, with an undo button.

    `undo` is the address and the fields of the form that reverses the operation. With `job` the
    message follows the job that the operation started to its end.
    """
    said: dict[str, object] = {"text": message}
    if undo is not None:
        said |= {"undo_url": undo[0], "undo_fields": undo[1]}
    if job is not None:
        said |= {"job": job.id}
    flash(said if undo or job else message, "success")  # type: ignore[arg-type]  # kept as JSON
    return go_to(url)


def go_to(url: str) -> Response:
    if wants_fragment():
        response = make_response("", 200)
        response.headers["HX-Redirect"] = url
        return response
    return make_response(redirect(url, 303))


def status_of(fault: NetbootError) -> int:
    return next((status for kind, status in STATUS_OF if isinstance(fault, kind)), 400)


def problem(
    message: str,
    hint: str = "",
    *,
    status: int,
    template: str = "problem.html",
    difference: tuple[Difference, ...] = (),
    clash: Clash | None = None,
) -> Response:
    """An error message with its hint: a fragment for the message area, or a page."""
    if wants_fragment():
        template = "parts/problem.html"
    body = render_template(
        template,
        message=message,
        hint=hint,
        status=status,
        difference=difference,
        clash=clash,
        processes=processes.problems(processes.list_states()),
    )
    response = make_response(body, status)
    if wants_fragment() and request.method == "GET":
        response.headers["HX-Retarget"] = "#messages"
        response.headers["HX-Reswap"] = "innerHTML"
    return response


def kind_of(fault: NetbootError) -> str:
    """The class of a fault as a word for programs: `edit-conflict`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(fault).__name__).lower()


def _netboot_fault(fault: NetbootError) -> Response:
    hint = fault.hint if isinstance(fault, OperatorFault) else ""
    difference = fault.difference if isinstance(fault, EditConflict) else ()
    status, text = status_of(fault), sentence(str(fault))
    if asks_as_script():
        changes = [FieldDifference(**asdict(one)) for one in difference] or None
        current, tag = fault.current if isinstance(fault, EditConflict) else (None, "")
        return problem_json(
            text,
            status=status,
            kind=kind_of(fault),
            hint=hint,
            headers={"ETag": tag} if tag else None,
            difference=changes,
            current=current,
        )
    template = "problem.html"
    if isinstance(fault, DatabaseFault):
        # The frame of a page names who is signed in, which is in the database.
        template = "bare_problem.html"
        answer_anyone()
    clash = fault if isinstance(fault, Clash) else None
    answer = problem(
        text, hint, status=status, template=template, difference=difference, clash=clash
    )
    if isinstance(fault, TooManyAttempts):
        answer.headers["Retry-After"] = str(int(fault.seconds) + 1)
    return answer


def _system_fault(fault: OSError) -> Response:
    """A full or failing disk is the operator's; any other error of the system is a bug."""
    explained = disk_fault(fault)
    if explained is None:
        raise fault
    log.warning("disk", fault=str(explained), path=request.path)
    return _netboot_fault(explained)


def _counts_fault(fault: Exception) -> Response:
    """The file of sign-in attempts cannot be used, and no sign-in is uncounted."""
    return _netboot_fault(
        DatabaseFault(
            f"sign-in attempts cannot be counted: {fault}",
            hint="Check that the data folder is writable and has free space.",
        )
    )


def _http_fault(fault: HTTPException) -> ResponseReturnValue:
    status = fault.code or 500
    if fault.description == "untrusted-host":
        return _untrusted_host()
    if fault.response is not None or status < 400:
        return fault  # complete already: a redirect, or problem details
    message, hint = SENTENCES.get(status, fault.name + "."), HINTS.get(status, "")
    if status == 429 and limiter.current_limit:
        wait = in_minutes(limiter.current_limit.reset_at - time.time())
        message = f"Too many attempts. Wait {wait} and try again."
    if isinstance(fault, CSRFError):
        message = "The form has expired."
        hint = "Reload the page and try again. Your input is still in the form."
    if asks_as_script():
        answer = problem_json(message, status=status, hint=hint)
        answer.headers.extend(
            {name: value for name, value in fault.get_headers() if name in {"Allow", "Retry-After"}}
        )
        return answer
    return problem(message, hint, status=status)


def _untrusted_host() -> Response:
    host = request.environ.get("HTTP_HOST", "")
    message = f"This site does not accept the host name {host!r}."
    hint = "Add the name to trusted_hosts in netboot.toml, or use the server's IP address."
    if asks_as_script():
        return problem_json(message, status=400, kind="untrusted-host", hint=hint)
    return problem(message, hint, status=400, template="bare_problem.html")


def _bug(_fault: InternalServerError) -> Response:
    reference = secrets.token_hex(4)
    # Flask has logged the traceback; local values are not logged, as they may contain secrets.
    log.error("page failed", reference=reference, path=request.path)
    message, hint = "An internal error occurred.", f"See reference {reference} in the server log."
    if asks_as_script():
        return problem_json(message, status=500, hint=hint, reference=reference)
    return problem(message, hint, status=500)


def init_answers(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(NetbootError, _netboot_fault)
    app.register_error_handler(OSError, _system_fault)
    app.register_error_handler(COUNTING_FAULTS, _counts_fault)
    app.register_error_handler(HTTPException, _http_fault)
    app.register_error_handler(InternalServerError, _bug)
