"""The reference pages of Help as Markdown, from the code that they describe."""

import inspect
import logging
import re
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from manual import leaves
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from netboot.boot.told.error_codes import PXE_CODES, WINDOWS_CODES, ErrorCode
from netboot.cli import SUBJECTS, netboot
from netboot.config import Settings
from netboot.diagnose.__main__ import check
from netboot.operations.setting_words import form_of, in_groups
from netboot.secret import Secret
from netboot.site import Site
from web.app import create_app

Lines = Iterator[str]


def plain(text: str) -> str:
    """A text of the program as Markdown that shows it unchanged."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]<>#|$" else char for char in text)


def code(text: str) -> str:
    return f"`{text}`"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Lines:
    """A table; nothing if it has no rows."""
    found = list(rows)
    if found:
        yield from ("", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}")
        # A bar divides cells even in code (GitHub Flavored Markdown, 4.10).
        cells = ([re.sub(r"(?<!\\)\|", r"\|", cell) for cell in row] for row in found)
        yield from (f"| {' | '.join(row)} |" for row in cells)
        yield ""


# --- settings -----------------------------------------------------------------------------


def settings() -> Lines:
    """Every setting, in the groups of the console's page."""
    group = ""
    for name in in_groups():
        field = Settings.model_fields[name]
        found = form_of(name, field)
        if found.group != group:
            group = found.group
            yield from (f"## {group}", "")
        yield from _setting(name, field)


def _setting(name: str, field: FieldInfo) -> Lines:
    yield from (f"### {code(name)}", "", plain(field.description or ""), "")
    yield f"- Value: {kind_of(field)}"
    yield f"- Default: {default_of(field)}"
    yield f"- Variable: {code('NETBOOT_' + name.upper())}"
    yield ""
    for model in models_in(field.annotation):
        rows = (
            (code(one), kind_of(part), default_of(part), plain(part.description or ""))
            for one, part in model.model_fields.items()
        )
        yield from table(("Key", "Value", "Default", "Meaning"), rows)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a setting's value consists of, like those of a list of tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def kind_of(field: FieldInfo) -> str:
    """What a setting's value is, in words."""
    words = _kind(field.annotation)
    low = next((one.ge for one in field.metadata if hasattr(one, "ge")), None)
    high = next((one.le for one in field.metadata if hasattr(one, "le")), None)
    match low, high:
        case None, None:
            return words
        case _, None:
            return f"{words} from {low}"
        case None, _:
            return f"{words} up to {high}"
    return f"{words} from {low} to {high}"


NAMES = {bool: "true or false", int: "number", float: "number", str: "text", Path: "path",
         Secret: "text, kept secret"}  # fmt: skip


def _kind(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(code(one) if one else "empty" for one in arguments)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_kind(one) for one in arguments if one is not type(None))
    if origin is dict:
        return f"table: {_kind(arguments[0])} = {_kind(arguments[1])}"
    if origin in {list, tuple}:
        return "tables" if any(models_in(annotation)) else f"list ({_kind(arguments[0])})"
    if any(models_in(annotation)):
        return "table"
    return NAMES.get(annotation, "text")


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "none: it must be set"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Secret):
        value = value.get_secret_value()
    if isinstance(value, list | tuple):
        return ", ".join(code(str(one)) for one in value) or "empty"
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(str(value)) if value not in (None, "", {}) else "empty"


# --- commands -----------------------------------------------------------------------------


def commands() -> Lines:
    """Every command with its options, by subject."""
    for subject, (_, summary) in SUBJECTS.items():
        yield from (f"## {code(f'netboot {subject}')}", "", plain(summary), "")
        for words, command in of_subject(subject):
            if words != f"netboot {subject}":
                yield from (f"### {code(words)}", "")
            yield from _command(words, command)


def of_subject(subject: str) -> Iterator[tuple[str, click.Command]]:
    """The commands of a subject; a subject without verbs is a command itself."""
    found = netboot.get_command(click.Context(netboot, info_name="netboot"), subject)
    assert found is not None
    if subject == "check":  # a process of its own, to which `netboot check` hands its words
        found = check
    if not isinstance(found, click.Group):
        yield f"netboot {subject}", found
        return
    if found.invoke_without_command:
        yield f"netboot {subject}", found
    yield from leaves(found, ("netboot", subject))


def _command(words: str, command: click.Command) -> Lines:
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    yield from ("```text", usage, "```", "")
    yield from _help(command.help or "")
    records = (one.get_help_record(context) for one in command.params)
    # An argument that the help text explains has no words of its own.
    rows = ((code(one[0]), plain(one[1])) for one in records if one and (one[1] or "-" in one[0]))
    yield from table(("Option", "Meaning"), rows)
    yield from _help(command.epilog or "")


def _help(text: str) -> Lines:
    r"""The paragraphs of a help text; click keeps the lines of one that begins with \b."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b"):
            yield from ("```text", part.removeprefix("\b").strip("\n"), "```", "")
        elif part:
            yield from (plain(" ".join(part.split())), "")


# --- API ----------------------------------------------------------------------------------


def api_description() -> dict[str, Any]:
    """The OpenAPI description, as a new site serves it."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="netboot-help-") as folder:
        site = Site.open(Path(folder) / "data")
        try:
            described: dict[str, Any] = create_app(site).api_doc  # type: ignore[attr-defined]
        finally:
            site.database.close()
        return described


def api() -> Lines:
    """Every request of the API, by subject."""
    described = api_description()
    schemas = described["components"]["schemas"]
    for tag in described["tags"]:
        yield from (f"## {tag['name']}", "", plain(tag.get("description", "")), "")
        for path, methods in sorted(described["paths"].items()):
            for method, operation in methods.items():
                if operation["tags"][0] == tag["name"]:
                    yield from _request(method.upper(), path, operation, schemas)


def _request(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Lines:
    yield from (f"### {code(f'{method} {path}')}", "")
    yield from (plain(_sentence(operation.get("description") or operation["summary"])), "")
    yield from (f"Role: {operation['x-role']}. Operation: {code(operation['operationId'])}.", "")
    rows = [
        (code(one["name"]), _place(one["in"]), _value(one["schema"]), _note(one))
        for one in operation.get("parameters", ())
    ]
    content = operation.get("requestBody", {}).get("content", {})
    for media, body in content.items():
        schema = _resolved(body.get("schema", {}), schemas)
        required = set(schema.get("required", ()))
        rows += [
            (code(name), _body(media), _value(part), _note({**part, "required": name in required}))
            for name, part in schema.get("properties", {}).items()
        ]
    yield from table(("Name", "In", "Value", "Meaning"), rows)
    answers = [
        f"{status} {_value(of_answer(answer))}".strip()
        for status, answer in sorted(operation["responses"].items())
        if status < "300"
    ]
    if answers:
        yield from (f"Answer: {', '.join(answers)}.", "")


def of_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """The schema of an answer's content; empty if it has none."""
    content = answer.get("content", {}).get("application/json", {})
    schema: dict[str, Any] = content.get("schema", {})
    return schema


def _sentence(text: str) -> str:
    words = " ".join(text.split())
    return words if words.endswith((".", "?")) else f"{words}."


def _place(where: str) -> str:
    return {"path": "address", "query": "query", "header": "header"}[where]


def _body(media: str) -> str:
    return "body" if media == "application/json" else f"body ({media})"


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name] if name else schema


def _value(schema: dict[str, Any]) -> str:
    """The kind of a value in a word or two."""
    if "$ref" in schema:
        return code(schema["$ref"].rpartition("/")[2])
    choices = next((schema[key] for key in ("anyOf", "allOf", "oneOf") if key in schema), None)
    if choices is not None:
        parts = (_value(one) for one in choices if one.get("type") != "null")
        return " or ".join(dict.fromkeys(parts))
    if "enum" in schema:
        return "one of " + ", ".join(code(str(one)) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_value(schema.get('items', {}))}"
    return str(schema.get("type", ""))


def _note(part: dict[str, Any]) -> str:
    """What a value means, whether it is required, and its default."""
    schema = part.get("schema", part)
    notes = [plain(part.get("description") or schema.get("description") or "")]
    if part.get("required"):
        notes.append("Required.")
    elif schema.get("default") not in (None, "", [], {}):
        notes.append(f"Default: {code(str(schema['default']))}.")
    return " ".join(filter(None, notes))


# --- error codes --------------------------------------------------------------------------


def error_codes() -> Lines:
    """Every code that a machine's screen may show, with causes and fixes."""
    for title, codes in (("PXE firmware", PXE_CODES), ("Windows boot manager", WINDOWS_CODES)):
        yield from (f"### {title}", "")
        for found in codes:
            yield from _error_code(found)


def _error_code(found: ErrorCode) -> Lines:
    yield from (f"#### {found.code}", "", f"{plain(found.meaning)}.", "")
    for title, parts in (("Causes", found.causes), ("Fixes", found.cures)):
        yield from (f"{title}:", "", *(f"- {plain(one)}" for one in parts), "")


TEXTS: dict[str, Callable[[], Lines]] = {
    "settings": settings,
    "commands": commands,
    "api": api,
    "error-codes": error_codes,
}
"""By the argument of the directive `generated`."""
