"""Values from forms and addresses, converted and checked."""

from enum import StrEnum
from typing import TypeVar

from flask import request

from netboot.errors import InvalidInput

LONGEST = 9
E = TypeVar("E", bound=StrEnum)


def to_number(text: str) -> int:
    """Digits as a number. Raises InvalidInput."""
    if not text.isdecimal() or len(text) > LONGEST:
        raise InvalidInput(f"{text[:20]!r} is not a number")
    return int(text)


def number(field: str) -> int:
    """A required number of a form. Raises InvalidInput."""
    return to_number(request.form.get(field, "").strip())


def optional_number(field: str) -> int | None:
    """An optional number of a form. Raises InvalidInput."""
    text = request.form.get(field, "").strip()
    return to_number(text) if text else None


def asked_number(name: str) -> int | None:
    """An optional number in the address. Raises InvalidInput."""
    text = request.args.get(name, "").strip()
    return to_number(text) if text else None


def asked_page() -> int:
    """The page of a list that the address asks for; the first for anything else."""
    text = request.args.get("page", "")
    return max(1, int(text)) if text.isdecimal() and len(text) < LONGEST else 1


def choice(kind: type[E], field: str, what: str, *, default: str = "") -> E:
    """A choice of a form. Raises InvalidInput."""
    text = request.form.get(field) or default
    try:
        return kind(text)
    except ValueError:
        message = f"unknown {what} {text[:40]!r}" if text else f"select the {what}"
        raise InvalidInput(message, hint=f"Choose one of: {', '.join(kind)}.") from None
