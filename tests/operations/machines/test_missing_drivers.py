import pytest

from netboot.operations.images import images
from netboot.operations.machines.missing_drivers import find_fitting
from tests.web.support import seeding


@pytest.fixture
def stocked(site, tmp_path):
    seeding.add_image(site)
    seeding.add_driver(site, tmp_path, "e1000", enabled=True)
    seeding.add_driver(site, tmp_path, "other", ids=("PCI\\VEN_10EC&DEV_8139",))
    return site


@pytest.mark.parametrize("missing", ["net:8086:100e", "PCI\\VEN_8086&DEV_100E"])
def test_the_catalogs_driver_for_a_missing_device_is_found(stocked, missing):
    """As the Lab PE and as Windows PE report it."""
    found = find_fitting(stocked, missing, "Lab PE x64")

    assert [driver.name for driver in found.drivers] == ["e1000"]
    assert (found.image.name, found.held) == ("Lab PE x64", frozenset())


def test_a_driver_that_the_recipe_holds_only_has_to_be_built(stocked):
    images.add_driver(stocked, "Lab PE x64", "e1000")
    found = find_fitting(stocked, "net:8086:100e", "Lab PE x64")

    assert {driver.digest for driver in found.drivers} == found.held


@pytest.mark.parametrize(
    ("missing", "image", "is_none"),
    [("net:ffff:0001", "Lab PE x64", False), ("net:8086:100e", "Gone", True)],
)
def test_without_a_driver_or_an_image_there_is_nothing_to_add(stocked, missing, image, is_none):
    found = find_fitting(stocked, missing, image)

    assert (found is None) is is_none
    assert not (found and found.drivers)
