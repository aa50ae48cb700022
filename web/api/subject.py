"""The building blocks of the API: a blueprint per subject, whose verbs declare role and answer.

A new operation is one function in the subject's module:

    @images.verb("POST", "/<slug>/default", needs=Role.OPERATOR)
    def set_default_image(path: ImagePath) -> Image:

Its docstring becomes the description, the pydantic models of its parameters and its answer become
the schema; validation, permission, problem details, idempotency keys and the audit log come with
`verb`.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Self, TypeVar, get_args, get_type_hints

from flask import Response, make_response, request, url_for
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from netboot.errors import EditConflict, InvalidInput
from web.api.idempotency import once
from web.guard.access import Role
from web.problems import CONTENT_TYPE

PREFIX = "/api/v1"
LARGEST_PAGE = 500
LARGEST_NUMBER = 2**53 - 1

PROBLEM = {"content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
BINARY = {"schema": {"type": "string", "format": "binary"}}
ALWAYS = (400, 401, 403, 404, 409, 415, 422, 503, 507)
CONFLICTS = (412,)
"""Error codes of verbs that may find a conflicting change."""

TRIES = (429,)
"""Error codes of verbs that ask for a password, with limited attempts."""

SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]


class Value(BaseModel):
    """A value that the API returns."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, found: Any) -> Self:
        """The value with the attributes of an operation's result."""
        return cls.model_validate(found)


class Order(BaseModel):
    """A request body; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


class Page(BaseModel):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE, description="Maximum number of items.")
    offset: int = Field(0, ge=0, le=LARGEST_NUMBER, description="Number of items to skip.")


T = TypeVar("T")
V = TypeVar("V", bound=Value)
Tagged = tuple[V, dict[str, str]]
"""An answer with its headers."""


class Items(Value, Generic[V]):
    """A whole list."""

    items: list[V]

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The name in the OpenAPI description."""
        return f"{params[0].__name__}List"


class Listed(Items[V], Generic[V]):
    """A page of a list; `next` is the address of the next page, if any."""

    total: int = Field(description="Total number of items.")
    limit: int
    offset: int
    next: str | None = None


class NumberPath(BaseModel):
    """An object by its number."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)


class Subject(APIBlueprint):
    """The verbs of one subject, below `/api/v1/<name>`."""

    def __init__(self, name: str, charter: str, *, below: str = "") -> None:
        super().__init__(
            f"api_{name.replace('-', '_')}",
            __name__,
            url_prefix=f"{PREFIX}/{below or name}",
            abp_tags=[Tag(name=name, description=charter)],
        )

    def verb(
        self,
        method: str,
        rule: str,
        *,
        needs: Role,
        status: int = 0,
        action: str = "",
        refuses: Sequence[int] = (),
        current: Callable[..., Any] | None = None,
        gives_secret: bool = False,
        gives_file: str = "",
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a verb: who may call it. A view that returns None answers 204.

        `action` is its name in the audit log, the same as that of the page's verb; `refuses` are
        error codes in addition to ALWAYS. `current` is the verb that reads the object, for the
        answer to a conflicting change. Answers with `gives_secret` are not kept for repetitions;
        `gives_file` is the content type of a file.
        """
        repeatable = method == "POST" and not gives_secret

        def declare(view: Callable[..., Any]) -> Callable[..., Any]:
            gives = _answer_model(view)
            succeeds = status or (200 if gives or gives_file else 204)

            @functools.wraps(view)
            def answered(**values: Any) -> Response:
                def answer() -> Response:
                    return _response(_told(view, current, values), succeeds)

                return once(answer, repeatable=repeatable)

            answered.permission = needs  # type: ignore[attr-defined]
            getattr(self, method.lower())(
                rule,
                endpoint=action or view.__name__,
                responses=_responses(succeeds, gives, gives_file=gives_file, refuses=refuses),
                security=SECURITY,
                operation_id=view.__name__,
                summary=(view.__doc__ or "").strip().partition("\n")[0].rstrip("."),
                openapi_extensions={"x-role": needs.name.lower()},
            )(answered)
            return answered

        return declare


def _told(
    view: Callable[..., Any], current: Callable[..., Any] | None, values: dict[str, Any]
) -> Any:
    """What the view returns; a conflict carries the current state, as `current` reads it."""
    try:
        return view(**values)
    except EditConflict as fault:
        if current is not None:
            read = inspect.unwrap(current)  # the function itself, not the view that answers
            found, headers = read(**{key: values[key] for key in ("path",) if key in values})
            fault.current = found.model_dump(mode="json"), headers["ETag"]
        raise


def _answer_model(view: Callable[..., Any]) -> type[BaseModel] | None:
    """The model that a view returns, alone or as a pair with headers."""
    returned = get_type_hints(view)["return"]
    model = next(iter(get_args(returned)), returned)
    return model if issubclass(model, BaseModel) else None


def _responses(
    succeeds: int, gives: type[BaseModel] | None, *, gives_file: str, refuses: Sequence[int]
) -> dict[str, Any]:
    """The responses for the OpenAPI description."""
    codes = (*ALWAYS, *refuses)
    found: dict[str, Any] = {str(code): {"description": "", **PROBLEM} for code in codes}
    found[str(succeeds)] = gives
    if gives_file:
        found[str(succeeds)] = found["206"] = {"description": "", "content": {gives_file: BINARY}}
        found["416"] = {"description": ""}
    return found


def _response(answer: Any, succeeds: int) -> Response:
    """A model as JSON; a model with headers; a response as it is; nothing as 204."""
    headers: dict[str, str] = {}
    if isinstance(answer, tuple):
        answer, headers = answer
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return make_response("", succeeds)
    response = make_response(answer.model_dump_json(), succeeds)
    response.content_type = "application/json"
    response.headers.update(headers)
    if isinstance(answer, Listed) and answer.next:
        response.headers["Link"] = f'<{answer.next}>; rel="next"'
    return response


def next_page(page: Page, total: int) -> str | None:
    following = page.offset + page.limit
    if following >= total or request.endpoint is None:
        return None
    asked = request.args.to_dict(flat=False) | {
        "offset": [str(following)],
        "limit": [str(page.limit)],
    }
    values: dict[str, Any] = {**(request.view_args or {}), **asked}
    return url_for(request.endpoint, **values)


def part_of(found: Sequence[T], page: Page) -> Sequence[T]:
    return found[page.offset : page.offset + page.limit]


def items_of(kind: type[V], found: Iterable[Any]) -> Items[V]:
    """A whole list, each item converted."""
    return Items[kind](items=[kind.of(one) for one in found])  # type: ignore[valid-type]


def listed(kind: type[V], found: Iterable[Any], query: Page, *, total: int) -> Listed[V]:
    """The page `found` of a list of `total` items, each item converted."""
    return Listed[kind](  # type: ignore[valid-type]
        items=[kind.of(one) for one in found],
        total=total,
        limit=query.limit,
        offset=query.offset,
        next=next_page(query, total),
    )


def page_of(kind: type[V], found: Sequence[Any], query: Page) -> Listed[V]:
    """The requested page of a whole list."""
    return listed(kind, part_of(found, query), query, total=len(found))


def tagged(kind: type[V], found: Any) -> Tagged[V]:
    """One value, with the version of its row as ETag."""
    return kind.of(found), {"ETag": f'"{found.row_version}"'}


def expected_version() -> int | None:
    """The version that the client saw, from If-Match (RFC 9110 §13.1.1); None without one.

    Raises InvalidInput for a tag that this API never returned.
    """
    tags = request.if_match
    if not request.headers.get("If-Match") or tags.star_tag:
        return None
    values = list(tags)
    if len(values) != 1 or not values[0].isdecimal() or len(values[0]) > 15:
        raise InvalidInput(
            "If-Match does not contain a valid tag",
            hint='Send the ETag of your last read, for example "3".',
        )
    return int(values[0])
