"""Problem details for programs (RFC 9457): what went wrong, why, and what to do next."""

from collections.abc import Mapping
from typing import Any

from flask import Response, json, request
from pydantic import BaseModel, Field, ValidationError

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "The request is not valid",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    405: "Not available here",
    409: "Conflict",
    412: "Changed by another user",
    413: "Too large",
    415: "Unsupported content type",
    422: "Invalid values",
    428: "If-Match is required",
    429: "Too many attempts",
    500: "Internal error",
    503: "Temporarily unavailable",
    507: "The disk is full",
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class FieldDifference(BaseModel):
    """Your value of a field, its current value, and its earlier value if known."""

    field: str
    yours: str
    theirs: str
    base: str | None = None


class Problem(BaseModel):
    """Why a request failed (RFC 9457)."""

    type: str = Field("about:blank", description="Type of problem, as a URN.")
    title: str = Field(description="The type of problem in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What went wrong.")
    hint: str | None = Field(None, description="What to do next.")
    instance: str | None = Field(None, description="The requested path.")
    errors: list[FieldProblem] | None = Field(None, description="Invalid fields.")
    difference: list[FieldDifference] | None = Field(
        None, description="Differences between your values and the current values."
    )
    current: dict[str, Any] | None = Field(
        None, description="The current state, if another user changed it; ETag is its version."
    )
    reference: str | None = Field(None, description="Reference of this error in the server log.")


def problem_json(
    detail: str,
    *,
    status: int,
    kind: str = "",
    hint: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    problem = Problem(
        type=f"urn:netboot:problem:{kind}" if kind else "about:blank",
        title=TITLES.get(status, "The request failed"),
        status=status,
        detail=detail,
        hint=hint or None,
        instance=request.path,
        **more,
    )
    response = Response(
        json.dumps(problem.model_dump(exclude_none=True)), status, content_type=CONTENT_TYPE
    )
    for name, value in (headers or {}).items():
        response.headers[name] = value
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="netboot"'
    return response


def validation_problem(fault: ValidationError) -> Response:
    """Pydantic's findings, field by field; without the values, which may be secrets."""
    errors = [
        FieldProblem(field=".".join(map(str, error["loc"])), message=error["msg"])
        for error in fault.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = errors[0] if errors else FieldProblem(field="", message="not valid")
    detail = f"{first.field}: {first.message}" if first.field else first.message
    return problem_json(detail, status=422, kind="validation", errors=errors)
