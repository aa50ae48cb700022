"""Idempotency keys: a POST that is repeated with the same key runs once.

The IETF draft draft-ietf-httpapi-idempotency-key-header defines the header and its errors: 422 if
the key belongs to another request, 409 while the first request is running.
"""

import hashlib
from collections.abc import Callable

from flask import Response, g, make_response, request
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.store.database import idempotency_keys as repeats
from netboot.store.database.idempotency_keys import Standing
from web.guard.access import site
from web.problems import problem_json

HEADER = "Idempotency-Key"
LONGEST = 255
KEPT_HEADERS = ("Content-Type", "Location", "ETag")


def once(carry_out: Callable[[], Response], *, repeatable: bool) -> Response:
    """Run the request, or return its earlier answer.

    Only answers of requests that changed something are kept; a failed request may be repeated.
    """
    key = request.headers.get(HEADER, "")
    if not repeatable or not key or not current_user.is_authenticated:
        return carry_out()
    if len(key) > LONGEST or not key.isprintable():
        return problem_json(
            f"{HEADER} must be 1 to {LONGEST} printable characters", status=400, kind="key"
        )
    database, owner = site().database, current_user.id
    known = repeats.begin(database, owner, key, _fingerprint())
    match known.standing:
        case Standing.ANSWERED:
            response = make_response(known.body, known.status)
            response.headers.update(known.headers)
            response.headers["Idempotent-Replayed"] = "true"
            g.audit_done = True  # it was recorded when it was done
            return response
        case Standing.ANOTHER:
            return problem_json(
                f"this {HEADER} was already used for another request",
                status=422,
                kind="key-reused",
                hint="Use a new key for a new request.",
            )
        case Standing.UNDER_WAY:
            return problem_json(
                "the same request is still running",
                status=409,
                kind="under-way",
                hint="Try again in a moment with the same key.",
            )
    return _first(carry_out, owner, key)


def _first(carry_out: Callable[[], Response], owner: int, key: str) -> Response:
    database = site().database
    try:
        response = carry_out()
    except BaseException:
        repeats.give_up(database, owner, key)
        raise
    if response.status_code >= 400:
        repeats.give_up(database, owner, key)
        return response
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    repeats.finish(
        database,
        owner,
        key,
        status=response.status_code,
        headers=headers,
        body=response.get_data(as_text=True),
    )
    return response


def _fingerprint() -> str:
    """What must be the same in a repetition."""
    asked = f"{request.method} {request.full_path}\n".encode("utf-8", "replace")
    return hashlib.sha256(asked + request.get_data(cache=True)).hexdigest()
