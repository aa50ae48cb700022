"""netboot.store.drivers.known_pairs: the table that comes with netboot, and the site's own rows."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from netboot.images.drivers.known_pairs import KnownPair, Side, Trouble, check_pair
from netboot.store.database.records import DriverRow
from netboot.store.drivers.known_pairs import named_by, new_row, own_pairs, shipped_pairs
from tests.web.support import seeding


@pytest.mark.parametrize("pair", shipped_pairs(), ids=lambda pair: pair.id)
def test_every_pair_of_the_table_has_a_reason_and_an_address(pair):
    """And would be taken if an administrator typed it."""
    assert pair.source.startswith("https://")
    assert replace(pair, reason=" ".join(pair.reason.split())) == check_pair(pair)
    assert not pair.own


def test_pairs_have_names_of_their_own():
    """By which they are spoken of."""
    assert len(shipped_pairs()) == len({pair.id for pair in shipped_pairs()}) >= 5


def test_an_own_pair_comes_back_as_it_was_noted(any_site):
    """On either database."""
    noted = KnownPair(
        "", Trouble.ORDER, Side("a.inf", "Acme"), Side(service="bsvc"), "Why.", "Where.", own=True
    )
    with any_site.database.writing() as session:
        session.add(new_row(noted))

    with any_site.database.transaction() as session:
        assert (replace(noted, id="own-1"),) == own_pairs(session)


@pytest.mark.parametrize(
    ("side", "found"),
    [
        (Side("NB1*.inf"), {"nb1000"}),
        (Side("nb?000.inf"), {"nb1000", "nb2000"}),
        (Side("nb_000.inf"), set()),
        (Side("nb%.inf"), set()),
        (Side(service="NB2000"), {"nb2000"}),
        (Side("nb1000.inf", service="nb2000"), set()),
        (Side("nb1000.inf elsewhere.inf", service="nb1*"), {"nb1000"}),
    ],
)
def test_drivers_are_looked_for_by_name_and_service(any_site, tmp_path, side, found):
    """Only * and ? stand for letters."""
    for name in ("nb1000", "nb2000"):
        seeding.add_driver(any_site, tmp_path, name)

    with any_site.database.transaction() as session:
        assert found == set(session.scalars(select(DriverRow.name).where(named_by([side]))))
