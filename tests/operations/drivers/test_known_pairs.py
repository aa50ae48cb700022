"""netboot.operations.drivers.known_pairs: pairs of the site's own, and where pairs are met."""

import pytest

from netboot.errors import AlreadyExists, InvalidInput, NotFound
from netboot.images.drivers.known_pairs import Side, Trouble
from netboot.operations.drivers import drivers, known_pairs
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.images import images
from netboot.store.drivers.known_pairs import shipped_pairs
from tests.web.support import seeding

IMAGE = "Lab PE x64"
E1D, E1DN = Side("e1d.inf"), Side("e1dn.inf")


@pytest.fixture
def add(site, tmp_path):
    """`add(name)`: the digest of an enabled driver, of Intel where nothing else is said."""

    def make(name, **more):
        said = {
            "maker": "Intel",
            "ids": (f"PCI\\VEN_8086&DEV_{len(drivers.list_drivers(site)):04X}",),
            **more,
        }
        return seeding.add_driver(
            site, tmp_path / str(len(drivers.list_drivers(site))), name, enabled=True, **said
        ).digest

    return make


def note(site, trouble=Trouble.APART, first=E1D, second=E1DN, **more):
    return known_pairs.add_pair(site, trouble, first, second, **{"reason": "It hangs.", **more})


def test_pairs_of_the_site_stand_beside_those_of_netboot(site):
    """With a name of their own, by which they are removed."""
    noted = note(site, source="ticket 17")

    assert (*shipped_pairs(), noted) == known_pairs.list_pairs(site)
    assert (noted.id, noted.own, noted.source) == ("own-1", True, "ticket 17")
    assert noted == known_pairs.remove_pair(site, "own-1")
    assert shipped_pairs() == known_pairs.list_pairs(site)


def test_what_cannot_be_is_refused(site):
    """A pair twice, one that is none, and the removal of what is not the site's own."""
    note(site)
    with pytest.raises(AlreadyExists, match="own-1"):
        note(site, reason="Again.")
    with pytest.raises(InvalidInput):
        note(site, first=Side("*"))
    with pytest.raises(InvalidInput, match="comes with netboot"):
        known_pairs.remove_pair(site, shipped_pairs()[0].id)
    for name in ("own-9", "1", "own-", "own-x", "own-" + "9" * 30):
        with pytest.raises(NotFound):
            known_pairs.remove_pair(site, name)


def test_enabled_drivers_are_held_against_the_pairs(site, add):
    """As soon as both are enabled; an order is no concern before they are in an image."""
    e1d, e1dn = add("e1d"), add("e1dn")
    add("iaStorVD")
    add("iaStorAC")
    (clash,) = driver_relations.conflicts(site).pairs

    assert clash.pair.id == "intel-e1d-e1dn"
    assert ({e1dn}, {e1d}) == ({d.digest for d in clash.first}, {d.digest for d in clash.second})
    drivers.disable_driver(site, e1d)
    assert driver_relations.conflicts(site).pairs == ()


def test_a_pair_by_service_is_found_in_the_whole_catalog(site, add):
    """The service stands in the models, not in what lists show."""
    note(site, first=Side(service="alpha"), second=Side(service="beta"))
    add("alpha")
    add("beta")

    assert [clash.pair.id for clash in driver_relations.conflicts(site).pairs] == ["own-1"]


def test_a_driver_tells_its_partners(site, add):
    """Enabled or not, from either side."""
    e1d = add("e1d")
    (lonely,) = known_pairs.partners_of(site, e1d)
    assert (lonely.pair.id, lonely.drivers) == ("intel-e1d-e1dn", ())

    e1dn = add("e1dn")
    drivers.disable_driver(site, e1dn)
    (partner,) = known_pairs.partners_of(site, e1d)
    assert [e1dn] == [one.digest for one in partner.drivers]
    assert [e1d] == [one.digest for one in known_pairs.partners_of(site, e1dn)[0].drivers]


def test_an_image_gets_its_drivers_in_the_order_that_they_want(site, add):
    """The driver for machines without VMD before the one for VMD, however they were added."""
    seeding.add_image(site)
    vmd, plain = add("iaStorVD", kind=seeding.STORAGE), add("iaStorAC", kind=seeding.STORAGE)
    images.add_drivers(site, IMAGE, (vmd, plain))

    assert [plain, vmd] == [one.digest for one in images.get_image(site, IMAGE).drivers]
    assert driver_relations.conflicts(site, IMAGE).pairs == ()


def test_an_order_that_was_noted_later_is_told_and_made(site, add):
    """Nothing is changed behind anybody's back: the recipe changes when somebody says so."""
    seeding.add_image(site)
    late, early = add("late"), add("early")
    images.add_drivers(site, IMAGE, (late, early))
    note(site, Trouble.ORDER, Side("early.inf"), Side("late.inf"))
    before = images.get_image(site, IMAGE)

    assert [clash.pair.id for clash in driver_relations.conflicts(site, IMAGE).pairs] == ["own-1"]
    arranged = images.arrange_drivers(site, IMAGE)
    assert [early, late] == [one.digest for one in arranged.drivers]
    assert before.row_version < arranged.row_version
    assert driver_relations.conflicts(site, IMAGE).pairs == ()
    assert arranged == images.arrange_drivers(site, IMAGE)


def test_versions_of_one_package_in_an_image_are_told(site, add):
    """Windows PE keeps the one that it loads first."""
    seeding.add_image(site)
    old, new = add("nic", version="1.0.0.0"), add("nic", version="2.0.0.0")
    images.add_drivers(site, IMAGE, (new, old))
    (versions,) = driver_relations.conflicts(site, IMAGE).versions

    assert [old, new] == [one.digest for one in versions]
    assert driver_relations.conflicts(site).versions == ()
