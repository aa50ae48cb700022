"""Problem details for programs (RFC 9457): what went wrong, why, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, json, request
from pydantic import BaseModel, Field, ValidationError

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "The request cannot be used",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    405: "Not possible here",
    409: "In the way",
    412: "Changed by somebody else",
    413: "Too large",
    415: "Wrong type of content",
    422: "The values cannot be used",
    428: "A condition is wanted",
    429: "Too many tries",
    500: "A fault of netboot",
    503: "Not available now",
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class FieldDifference(BaseModel):
    """What was sent for a field, what stands there now, and what stood there, where known."""

    field: str
    yours: str
    theirs: str
    base: str | None = None


class Problem(BaseModel):
    """Why a request was not carried out (RFC 9457)."""

    type: str = Field("about:blank", description="Kind of problem, as a URN.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status, repeated.")
    detail: str = Field(description="What went wrong this time.")
    hint: str | None = Field(None, description="What to do next.")
    instance: str | None = Field(None, description="The path that was asked for.")
    errors: list[FieldProblem] | None = Field(None, description="Fields that cannot be used.")
    difference: list[FieldDifference] | None = Field(
        None, description="Where what was sent differs from what stands there now."
    )
    reference: str | None = Field(None, description="Under which the log has the details.")


def problem_json(
    detail: str,
    *,
    status: int,
    kind: str = "",
    hint: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The answer to a program."""
    problem = Problem(
        type=f"urn:netboot:problem:{kind}" if kind else "about:blank",
        title=TITLES.get(status, "It could not be done"),
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
    """What pydantic found, field by field; without the values, which may be secrets."""
    errors = [
        FieldProblem(field=_where(error["loc"]), message=error["msg"])
        for error in fault.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = errors[0] if errors else FieldProblem(field="", message="not valid")
    detail = f"{first.field}: {first.message}" if first.field else first.message
    return problem_json(detail, status=422, kind="validation", errors=errors)


def _where(parts: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in parts)
