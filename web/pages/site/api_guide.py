"""The API reference as a page, built from the API's own OpenAPI description."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app
from flask_openapi.openapi import OpenAPI

from web.guard.access import Role, requires
from web.guard.public_address import origin
from web.live.parts import page

api_guide = Blueprint("api_guide", __name__, url_prefix="/account/api")


@dataclass(frozen=True, slots=True)
class Verb:
    """One API request, as the page shows it."""

    method: str
    path: str
    summary: str
    role: str
    fields: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """A subject with its requests."""

    name: str
    charter: str
    verbs: tuple[Verb, ...]


@api_guide.get("/")
@requires(Role.VIEWER)
def show() -> str:
    assert isinstance(current_app, OpenAPI)
    return page("account/api.html", rooms=rooms(current_app.api_doc), root=f"{origin()}/")


def rooms(described: dict[str, Any]) -> list[Room]:
    """The OpenAPI description, arranged for the page."""
    schemas = described["components"]["schemas"]
    found: dict[str, list[Verb]] = {tag["name"]: [] for tag in described["tags"]}
    for path, methods in sorted(described["paths"].items()):
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_verb(method, path, operation, schemas))
    charters = {tag["name"]: tag.get("description", "") for tag in described["tags"]}
    return [Room(name, charters[name], tuple(verbs)) for name, verbs in found.items() if verbs]


def _verb(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Verb:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = schemas.get(body.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
    wanted = set(schema.get("required", ()))
    return Verb(
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        role=operation["x-role"],
        fields=tuple(
            name if name in wanted else f"{name}?" for name in schema.get("properties", {})
        ),
        parameters=tuple(
            one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"
        ),
    )
