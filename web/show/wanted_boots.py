"""The boot filter in a URL, and the URL of a boot filter."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from netboot.boot.told.attempt import Outcome
from netboot.operations.boots.boots import BootFilter

LONGEST = 100


def wanted_boots(fields: Mapping[str, str]) -> BootFilter:
    """The filter of a query; values that cannot be read are ignored."""
    outcome = fields.get("outcome", "")
    before = fields.get("before", "")
    return BootFilter(
        search=fields.get("search", "")[:LONGEST],
        outcome=Outcome(outcome) if outcome in set(Outcome) else None,
        image=fields.get("image", "")[:LONGEST],
        before=_number(before),
    )


def query_of(wanted: BootFilter, *, before: float | None = None) -> str:
    """The filter as a query; with `before`, the query of the next page."""
    fields = {
        "search": wanted.search,
        "outcome": wanted.outcome.value if wanted.outcome else "",
        "image": wanted.image,
        "before": before or wanted.before or "",
    }
    return urlencode({name: value for name, value in fields.items() if value})


def from_query(query: str) -> BootFilter:
    """The filter that `query_of` wrote."""
    return wanted_boots(dict(parse_qsl(query)))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e12 else None
