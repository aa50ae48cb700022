"""JSON that is signed or known by its digest: one form to write, and none but sound ones to read.

Python's reader takes the last of two equal keys, NaN, and any depth. Two readers of one document
may then disagree on what was signed. Size, depth and the number of values are checked before a
value is made, so that a hostile document costs no more than a look at its bytes.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from netboot.errors import FormatError

DEPTH_LIMIT = 16
DIGITS_LIMIT = 19  # of a whole number: 64 bits

# A string without its end reaches to the end of the text: no byte is looked at twice.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]+|[\]}]+|,+', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _NotPlain(ValueError):
    """Valid for Python's reader, not here."""


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one way to write this object: sorted keys, no spaces, UTF-8.

    Raises ValueError for what JSON does not have: NaN, lone surrogates.
    """
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )
    return text.encode()


def parse_object(data: bytes, what: str, *, size: int, values: int) -> dict[str, Any]:
    """Read a JSON object of at most `size` bytes and `values` values. Raises FormatError.

    `what` begins each message: "the manifest".
    """
    if len(data) > size:
        raise FormatError(f"{what} has {len(data)} bytes; at most {size} are read")
    _check_shape(data, what, values)
    try:
        text = data.decode()
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_number,
            parse_constant=_no_number,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as fault:
        raise FormatError(f"{what} is not UTF-8 text") from fault
    except _NotPlain as fault:
        raise FormatError(f"{what} {fault}") from fault
    except ValueError as fault:
        raise FormatError(f"{what} is not JSON: {fault}") from fault
    if not isinstance(value, dict):
        raise FormatError(f"{what} is not a JSON object")
    return value


def _check_shape(data: bytes, what: str, values: int) -> None:
    depth, found = 0, 1
    for token in _TOKENS.finditer(data):
        first, length = data[token.start()], token.end() - token.start()
        if first in b"[{":
            depth += length
            found += length
        elif first in b"]}":
            depth -= length
        elif first == ord(","):
            found += length
        if depth > DEPTH_LIMIT:
            raise FormatError(f"{what} is nested more than {DEPTH_LIMIT} levels deep")
        if found > values:
            raise FormatError(f"{what} has more than {values} values")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _NotPlain(f"has the key {twice[:40]!r} twice")
    return value


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_LIMIT:
        raise _NotPlain(f"has a number of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise _NotPlain("has a number that is too large")
    return value


def _no_number(word: str) -> float:
    raise _NotPlain(f"has {word} for a number")
