"""How views answer: go on to a page, or say what went wrong without losing what was typed.

A form is sent by htmx. When the operation worked, the browser goes on to the next page; when it
did not, only a message comes back and the form stays as it was. Without script the same views
give whole pages.
"""

import secrets

import structlog
from flask import Flask, Response, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, InternalServerError

from netboot.errors import (
    AlreadyExists,
    ContentFault,
    EditConflict,
    InUse,
    InvalidInput,
    NetbootError,
    NotFound,
    NotPermitted,
    OperatorFault,
)

log = structlog.get_logger(__name__)

STATUS_OF: tuple[tuple[type[NetbootError], int], ...] = (
    (NotFound, 404),
    (InvalidInput, 400),
    (NotPermitted, 403),
    (EditConflict, 409),
    (AlreadyExists, 409),
    (InUse, 409),
    (OperatorFault, 409),
    (ContentFault, 503),
)
SENTENCES = {
    400: "The request could not be understood.",
    401: "You are not signed in, or were signed out.",
    403: "Your account may not do this.",
    404: "There is no such page.",
    405: "That cannot be done here.",
    413: "That is too large for a form. Large files go through the upload pages.",
    429: "Too many tries. Wait a little, then try again.",
}
HINTS = {
    401: "Sign in and try again.",
    403: "Ask an administrator of this site for a higher role.",
    404: "It may have been deleted or renamed since the page was made.",
}


def wants_fragment() -> bool:
    """Whether htmx asks, so that only a part of a page is wanted."""
    return request.headers.get("HX-Request") == "true"


def done(message: str, url: str) -> Response:
    """The operation worked: say so on the next page."""
    flash(message, "success")
    return go_to(url)


def go_to(url: str) -> Response:
    """Go on to a page of ours."""
    if wants_fragment():
        response = make_response("", 200)
        response.headers["HX-Redirect"] = url
        return response
    return make_response(redirect(url, 303))


def status_of(fault: NetbootError) -> int:
    """The HTTP status that says whose fault it is."""
    return next((status for kind, status in STATUS_OF if isinstance(fault, kind)), 400)


def problem(
    message: str, hint: str = "", *, status: int, template: str = "problem.html"
) -> Response:
    """A message with its hint: a fragment into the page's place for messages, or a page."""
    if wants_fragment():
        template = "parts/problem.html"
    body = render_template(template, message=message, hint=hint, status=status)
    response = make_response(body, status)
    if wants_fragment() and request.method == "GET":
        response.headers["HX-Retarget"] = "#messages"
        response.headers["HX-Reswap"] = "innerHTML"
    return response


def sentence(text: str) -> str:
    """An error's text as a sentence: capital letter, full stop."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def _netboot_fault(fault: NetbootError) -> Response:
    hint = fault.hint if isinstance(fault, OperatorFault) else ""
    return problem(sentence(str(fault)), hint, status=status_of(fault))


def _http_fault(fault: HTTPException) -> ResponseReturnValue:
    status = fault.code or 500
    if fault.description == "untrusted-host":
        host = request.environ.get("HTTP_HOST", "")
        return problem(
            f"This page does not answer to the name {host!r}.",
            "Add the name to trusted_hosts in netboot.toml, or use the address of the server.",
            status=400,
            template="bare_problem.html",
        )
    if isinstance(fault, CSRFError):
        return problem(
            "The form was too old or came from another page.",
            "Load the page again and repeat the step; what you typed is still in the form.",
            status=400,
        )
    if status < 400:
        return fault
    return problem(SENTENCES.get(status, fault.name + "."), HINTS.get(status, ""), status=status)


def _bug(_fault: InternalServerError) -> Response:
    reference = secrets.token_hex(4)
    # Flask has logged the traceback; local values stay out of it, for they hold secrets.
    log.error("page failed", reference=reference, path=request.path)
    return problem(
        "Something went wrong on our side.",
        f"The log has the details under reference {reference}.",
        status=500,
    )


def init_answers(app: Flask) -> None:
    """Let every fault be answered in our words."""
    app.register_error_handler(NetbootError, _netboot_fault)
    app.register_error_handler(HTTPException, _http_fault)
    app.register_error_handler(InternalServerError, _bug)
