"""Values from forms and addresses, converted and checked."""

from flask import request

from netboot.errors import InvalidInput

LONGEST = 9


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
