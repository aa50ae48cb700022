"""The product speaks plain English: templates, messages, help texts and docstrings."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from netboot import errors

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "web" / "templates"

# Words that make a reader read twice, and what to write in their place.
UNCLEAR = {
    r"(?:re)?told": "shown, reported, notified",
    r"anew": "again",
    r"whoever": "anyone who; or name the subject",
    r"somebody|nobody": "another user, an administrator, no machine: name the subject",
    r"beside": "next to, in addition to, in the background",
    r"stands? (?:in|for|there|here)|stood there": "is in, means",
    r"lies (?:in|at|on|below|beyond|outside|beside)": "is in",
    r"(?:hold|held|holding) (?:\w+ )?against": "compare with",
    r"thrown? away": "deleted",
    r"(?:your|a second|for a) word": "your decision, confirmation",
    r"worked out": "computed",
    r"go(?:es)? on (?:where|with|by)|gone on": "continue",
    r"mend(?:s|ed|ing)?": "fix, correct, solve",
    r"vouch(?:e[sd]|ing)?": "signed by",
    r"get along": "conflict",
    r"came of it|comes of it": "the result",
    r"tell(?:s|ing)? (?:its|the) story": "analyse",
    r"(?:is|are) no longer (?:known|there)": "expired, deleted",
    r"in force": "active",
    r"at (?:its|their) word": "the setting",
    r"asked for what": "the request",
}
SHORT = (r"(?:is|are|was|were) told", r"anew", r"whoever", r"beside")

SHOWN_ATTRIBUTES = {"alt", "aria-label", "data-label", "hx-confirm", "placeholder", "title"}
FAULTS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.NetbootError)
}
SHOWN_CALLS = FAULTS | {"Subject", "done", "problem"}
SHOWN_KEYWORDS = {"description", "help", "hint"}
COMMANDS = {"command", "group", "verb"}

_JINJA = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)
_QUOTED = re.compile(r'"([^"]*)"|\'([^\']*)\'')
_TWO_STOPS = re.compile(r"(?<!\.)\.\.(?!\.)(?=\s|$)")


def unclear(text: str, patterns: Iterator[str] | tuple[str, ...] | None = None) -> str:
    """The first unclear words in a text; empty for plain English."""
    for pattern in UNCLEAR if patterns is None else patterns:
        found = re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
        if found:
            return found.group()
    if patterns is None and _TWO_STOPS.search(text):
        return ".."
    return ""


class _Shown(HTMLParser):
    """What a browser shows of a template, and what it says to a screen reader."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"code", "pre", "script", "style"}
        self.texts += [value for name, value in attrs if name in SHOWN_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"code", "pre", "script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def shown_in_template(source: str) -> list[str]:
    """Texts and attributes of a template, and the strings in its Jinja expressions."""
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL)
    inside = [one or two for one, two in _JINJA.findall(source)]
    quoted = [one or two for code in inside for one, two in _QUOTED.findall(code)]
    parser = _Shown()
    parser.feed(_JINJA.sub("x", source))
    parser.close()
    return parser.texts + [text for text in quoted if " " in text]


def _strings(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "x" for p in each.values)
            yield "".join(str(part) for part in parts)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _called(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def shown_in_code(tree: ast.AST) -> Iterator[str]:
    """Messages and hints of faults, help texts and docstrings of commands and API verbs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if _called(node) in SHOWN_CALLS:
                for argument in node.args:
                    yield from _strings(argument)
            for keyword in node.keywords:
                if keyword.arg in SHOWN_KEYWORDS:
                    yield from _strings(keyword.value)
        elif isinstance(node, ast.FunctionDef) and any(
            _called(one) in COMMANDS for one in node.decorator_list
        ):
            yield ast.get_docstring(node) or ""


def docstrings(tree: ast.AST) -> Iterator[str]:
    """The docstrings of a module, its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """The parsed modules of the product."""
    for top in ("netboot", "web", "vm"):
        for path in sorted((ROOT / top).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_templates_show_plain_english() -> None:
    faults = [
        f"{path.relative_to(ROOT)}: {word!r} in {' '.join(text.split())[:120]!r}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for text in shown_in_template(path.read_text(encoding="utf-8"))
        if (word := unclear(text))
    ]

    assert not faults, "\n".join(faults)


def test_the_console_script_shows_plain_english() -> None:
    source = (ROOT / "web" / "static" / "console.js").read_text(encoding="utf-8")
    texts = re.findall(r'"((?:[^"\\\n]|\\.)*)"|`([^`\n]*)`', source)
    faults = [text for pair in texts for text in pair if unclear(text)]

    assert not faults, "\n".join(faults)


def test_messages_and_help_texts_are_plain_english() -> None:
    faults = [
        f"{name}: {word!r} in {text[:120]!r}"
        for name, tree in modules()
        for text in shown_in_code(tree)
        if (word := unclear(text))
    ]

    assert not faults, "\n".join(faults)


def test_docstrings_are_plain_english() -> None:
    faults = [
        f"{name}: {word!r} in {text[:120]!r}"
        for name, tree in modules()
        for text in docstrings(tree)
        if (word := unclear(text, SHORT))
    ]

    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "template",
    [
        "<p>The worker is told of it</p>",
        '<input placeholder="Whoever asks">',
        '<form hx-confirm="Nobody can look at them">',
        '{{ m.empty("cpu", "This is being worked out", "x") }}',
        "{% set words = 'the old one stands in' %}",
        "<p>startnet.cmd runs wpeinit.exe.. Choose another</p>",
    ],
)
def test_an_unclear_word_in_a_template_is_found(template: str) -> None:
    assert any(unclear(text) for text in shown_in_template(template))


@pytest.mark.parametrize(
    "code",
    [
        'raise NotFound("it is gone", hint="Import it anew.")',
        'raise InvalidInput(f"{name} is told nothing")',
        'click.option("--x", help="Throw away what lies in the folder.")',
        '@cli.command()\ndef go():\n    """Tell whoever asks."""',
        '@images.verb("GET", "/")\ndef go():\n    """Work beside it."""',
        'Field(description="Nobody knows.")',
    ],
)
def test_an_unclear_word_in_code_is_found(code: str) -> None:
    assert any(unclear(text) for text in shown_in_code(ast.parse(code)))


@pytest.mark.parametrize(
    "text",
    [
        "Values that differ from the default are in netboot.toml.",
        "A threshold, an untold story, a recommendation and amendments",
        "Please wait…",
        "Believes what it reads",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert not unclear(text)
