"""Addresses of lists of boots."""

import pytest

from netboot.boot.told.attempt import Outcome
from netboot.operations.boots.boots import BootFilter
from web.show.wanted_boots import from_query, query_of, wanted_boots


@pytest.mark.parametrize(
    "wanted",
    [
        BootFilter(),
        BootFilter(search="52:54 & more", outcome=Outcome.STALLED, image="Lab PE x64"),
        BootFilter(before=1234.5),
    ],
)
def test_an_address_gives_the_filter_back(wanted):
    """What was asked for survives a click, and a stream that begins again."""
    assert wanted == from_query(query_of(wanted))


def test_the_page_after_asks_for_what_began_before():
    """All else stays as it was asked for."""
    assert query_of(BootFilter(image="PE", before=9.0), before=7.5) == "image=PE&before=7.5"


@pytest.mark.parametrize("before", ["nan", "inf", "-1", "1e99", "x", ""])
def test_nonsense_is_not_asked_for(before):
    """Whatever stands in the address."""
    assert BootFilter() == wanted_boots({"before": before, "outcome": "sideways"})
