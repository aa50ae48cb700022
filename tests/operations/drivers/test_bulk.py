"""Several drivers at once: what can be done is done, the rest is told."""

import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.operations.drivers import bulk as driver_sets
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from tests.web.support.seeding import add_image


@pytest.fixture
def stocked(site, lab):
    """A site with two drivers of the catalog, not enabled."""
    for name in ("e1000", "rtl8139"):
        driver_import.import_drivers(site, lab.driver_folder(name, Architecture.X64))
    return site


def test_all_are_enabled_and_disabled_again(stocked):
    """Each once, however often it was named."""
    came = driver_sets.enable(stocked, ["e1000", "rtl8139", "e1000"])
    assert [one.name for one in came.drivers] == ["e1000", "rtl8139"]
    assert all(one.enabled for one in drivers.list_drivers(stocked))
    assert len(driver_sets.disable(stocked, ["e1000", "rtl8139"]).drivers) == 2
    assert not any(one.enabled for one in drivers.list_drivers(stocked))


def test_a_name_that_fits_nothing_stops_the_whole(stocked):
    """Before anything was changed."""
    with pytest.raises(NotFound, match="e1001"):
        driver_sets.enable(stocked, ["e1000", "e1001"])
    assert not any(one.enabled for one in drivers.list_drivers(stocked))


def test_categories_come_and_go_and_others_stay(stocked):
    """However they are spelt; without any there is nothing to do."""
    drivers.set_categories(stocked, "e1000", ["Old", "kept"])
    driver_sets.sort(stocked, ["e1000", "rtl8139"], add=["lab"], remove=["old"])

    assert drivers.get_driver(stocked, "e1000").categories == ("kept", "lab")
    assert drivers.get_driver(stocked, "rtl8139").categories == ("lab",)
    with pytest.raises(InvalidInput, match="no category"):
        driver_sets.sort(stocked, ["e1000"])


def test_one_that_an_image_holds_stays_and_is_told(stocked):
    """The other goes."""
    add_image(stocked, "Lab PE x64")
    images.add_drivers(stocked, "Lab PE x64", ["e1000"], enable=True)
    came = driver_sets.delete(stocked, ["e1000", "rtl8139"])

    assert [one.name for one in came.drivers] == ["rtl8139"]
    ((name, reason),) = came.refused
    assert (name, "Lab PE x64" in reason) == ("e1000", True)
    assert [one.name for one in drivers.list_drivers(stocked)] == ["e1000"]
