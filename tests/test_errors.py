"""Messages and hints: each is written so that both can be put together."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from netboot import errors
from netboot.errors import ContentFault, InvalidInput, NetbootError, explained, sentence

ROOT = Path(__file__).parents[1]
FAULTS = {name for name, kind in inspect.getmembers(errors, inspect.isclass)
          if issubclass(kind, NetbootError)} | {"JobFailed", "JobCancelled"}  # fmt: skip
ENDS = re.compile(r"[.!?…]\)?$|`$|: [^:]*\b(netboot|apt-get|make|python|pip) [^.]*$")
"""A full stop, or a command after a colon, which would not work with one."""


def texts(node):
    """The texts that an expression may be; what is put in, as one sign."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)]
        case ast.IfExp(body=one, orelse=other):
            return [*texts(one), *texts(other)]
        case ast.BinOp(left=left, right=right):
            return [a + b for a in texts(left) or ["…"] for b in texts(right) or ["…"]]
    return []


def raised():
    """Every message and hint that the sources hold, with its place."""
    for room in ("netboot", "web", "vm"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in FAULTS:
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    message = texts(node.args[0]) if node.args else []
                    hints = [one.value for one in node.keywords if one.arg == "hint"]
                    yield where, message, [text for one in hints for text in texts(one) if text]


def test_messages_have_no_full_stop_and_hints_are_sentences():
    """So a message can be quoted in another, and both together are sentences."""
    found = list(raised())
    ended = [
        (at, one) for at, said, _ in found for one in said if re.search(r"[.!?]$|\.\.(?!\.)", one)
    ]
    small = [(at, one) for at, _, hints in found for one in hints if re.match(r"[a-z]", one)]
    open_ended = [(at, one) for at, _, hints in found for one in hints if not ENDS.search(one)]

    assert len(found) > 400
    assert ended == []
    assert small == []
    assert open_ended == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            InvalidInput("x.wim is no WIM", hint="Choose another."),
            "X.wim is no WIM. Choose another.",
        ),
        (
            InvalidInput("it holds no wpeinit.exe.", hint="Choose."),
            "It holds no wpeinit.exe. Choose.",
        ),
        (InvalidInput("which one?", hint="Name it."), "Which one? Name it."),
        (InvalidInput("no"), "No."),
        (ContentFault("a blob is gone"), "A blob is gone."),
    ],
)
def test_message_and_hint_are_joined_as_sentences(fault, told):
    """Never two full stops, never a small letter at the beginning."""
    assert told == explained(fault)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ""),
        (" no such image ", "No such image."),
        ("Really?", "Really?"),
        ("web_port is 0", "web_port is 0."),
    ],
)
def test_a_message_becomes_a_sentence(text, told):
    """An empty one stays empty."""
    assert told == sentence(text)
