"""The reference pages name all that there is: settings, commands, options, requests, codes."""

from functools import lru_cache

import click
import pytest
from bs4 import BeautifulSoup
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings

from netboot.boot.told.error_codes import CODES
from netboot.cli import SUBJECTS, netboot
from netboot.config import Settings
from netboot.diagnose.__main__ import check
from tests.help.built_pages import ROOT, headings, page
from web.app import create_app


@lru_cache
def sections(folder, name):
    """The texts of a page's sections, by the texts of their headings."""
    found = {}
    for one in page(folder, name).select("section"):
        title = one.find(["h2", "h3", "h4"], recursive=False)
        if title is not None:
            found[title.get_text().removesuffix("¶")] = one
    return {title: one.get_text() for title, one in found.items()}


def section(folder, name, heading):
    return sections(folder, name)[heading]


def test_every_setting_has_its_section(help_folder):
    """With its description, its default and its variable."""
    named = headings(help_folder, "reference/settings", "h3")
    assert sorted(named) == sorted(set(Settings.model_fields) - {"data"})
    for name, field in Settings.model_fields.items():
        if name != "data":
            text = section(help_folder, "reference/settings", name)
            assert field.description in text, name
            assert f"NETBOOT_{name.upper()}" in text, name
            default = field.get_default(call_default_factory=True)
            if isinstance(default, int | str) and default:
                assert f"Default: {default}" in text, name


def commands(group, words):
    """Every command below a group, with the words that call it: an own walk."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            if found.invoke_without_command:
                yield f"{words} {name}", found
            yield from commands(found, f"{words} {name}")
        else:
            yield f"{words} {name}", check if found.name == "check" else found


def test_every_command_has_its_section_with_every_option(help_folder):
    """As it is called, with what `--help` says of each."""
    told = dict(commands(netboot, "netboot"))
    assert len(told) > 90
    subjects = [f"netboot {name}" for name in SUBJECTS]
    assert headings(help_folder, "reference/commands", "h2") == subjects
    assert sorted(headings(help_folder, "reference/commands", "h3")) == sorted(
        {*told} - {*subjects}
    )
    for words, command in told.items():
        text = section(help_folder, "reference/commands", words)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                names = [*parameter.opts, *parameter.secondary_opts]
                assert any(name in text for name in names), (words, names)
                assert (parameter.help or "") in text, (words, names)


def test_every_request_of_the_api_has_its_section(help_folder, shared_description):
    """With its role, its parameters and the fields of its body."""
    verbs = {
        f"{method.upper()} {path}": operation
        for path, methods in shared_description["paths"].items()
        for method, operation in methods.items()
    }
    schemas = shared_description["components"]["schemas"]
    assert sorted(headings(help_folder, "reference/api", "h3")) == sorted(verbs)
    for verb, operation in verbs.items():
        text = section(help_folder, "reference/api", verb)
        assert f"Role: {operation['x-role']}." in text, verb
        assert operation["operationId"] in text, verb
        for parameter in operation.get("parameters", ()):
            assert parameter["name"] in text, (verb, parameter["name"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content.get("schema", {})
            schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
            for name in schema.get("properties", {}):
                assert name in text, (verb, name)


@pytest.fixture
def shared_description(site):
    """The OpenAPI description, and that every route of the API is in it."""
    app = create_app(site)
    described = app.api_doc
    routed = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api_") and not rule.endpoint.startswith("api_guide")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    verbs = [f"{m} {path}" for path, methods in described["paths"].items() for m in methods]
    assert len(routed) == len(verbs)
    return described


def test_every_error_code_has_its_section(help_folder):
    """With its causes and fixes."""
    assert headings(help_folder, "troubleshoot", "h4") == [found.code for found in CODES.values()]
    for found in CODES.values():
        text = section(help_folder, "troubleshoot", found.code)
        for part in (*found.causes, *found.cures):
            assert part.replace("`", "") in text.replace("`", ""), (found.code, part)


class Wing(BaseModel):
    interface: str = Field(description="Where it is.")
    delay: float = Field(0.0, ge=0, description="Seconds to wait.")


class House(BaseSettings):
    wings: list[Wing] = Field(default_factory=list, description="All wings.")
    window: str | None = Field(None, description="A *view* of `this` <b>.")


@pytest.fixture
def references(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "package"))
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "help"))
    import references

    return references


def test_a_setting_that_is_a_list_of_tables_names_each_key(references):
    """So that a setting of several parts is documented without a change here."""
    text = "\n".join(references._setting("wings", House.model_fields["wings"]))
    assert "- Value: tables" in text
    assert "| `interface` | text | none: it must be set | Where it is. |" in text
    assert "| `delay` | number from 0 | `0.0` | Seconds to wait. |" in text


def test_texts_of_the_program_are_shown_as_they_are(references):
    """No star or bracket of a description becomes markup."""
    from markdown_it import MarkdownIt

    text = "\n".join(references._setting("window", House.model_fields["window"]))
    shown = BeautifulSoup(MarkdownIt().render(text), "html.parser").get_text()
    assert "A *view* of `this` <b>." in shown
