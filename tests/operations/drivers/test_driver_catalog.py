"""The catalog as an operator uses it: enable, sort, add several at once, delete."""

import pytest

from netboot.errors import InUse, InvalidInput, NotFound
from netboot.images.drivers.catalog import DriverFilter
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.drivers.search import search_drivers
from netboot.operations.images import images
from tests.web.support import seeding


@pytest.fixture
def nic(site, tmp_path):
    return seeding.add_driver(site, tmp_path, "nic")


def test_a_package_that_lacks_its_program_is_not_enabled(site, tmp_path):
    """The refusal names the file."""
    folder = seeding.write_driver(tmp_path / "nic", "nic")
    (folder / "nic.sys").unlink()
    (broken,) = driver_import.import_drivers(site, folder).new

    with pytest.raises(InvalidInput, match=r"nic\.sys is missing"):
        drivers.enable_driver(site, broken.digest)
    assert not drivers.get_driver(site, broken.digest).enabled


def test_categories_are_set_found_and_cleared(site, nic):
    """The operator's own words; the same word in another case is the same category."""
    said = drivers.set_categories(site, nic.digest, [" Room  5 ", "Dell", "dell", ""])

    assert said.categories == ("Dell", "Room 5")
    assert said == drivers.get_driver(site, nic.digest)
    for wanted in (DriverFilter(category="Room 5"), DriverFilter("room")):
        assert [nic.digest] == [d.digest for d in search_drivers(site, wanted).drivers]
    assert drivers.set_categories(site, nic.digest, []).categories == ()
    assert search_drivers(site, DriverFilter(category="Dell")).drivers == ()


@pytest.mark.parametrize("word", ["x" * 41, "a,b", "bell\x07"])
def test_a_category_is_a_short_word(site, nic, word):
    """What could not be shown or typed is refused."""
    with pytest.raises(InvalidInput):
        drivers.set_categories(site, nic.digest, [word])


def test_a_driver_in_an_image_is_not_deleted(site, nic):
    """The images are named; taken out of them it goes."""
    seeding.add_image(site)
    images.add_drivers(site, "Lab PE x64", (nic.digest,), enable=True)
    with pytest.raises(InUse, match="Lab PE x64"):
        drivers.delete_driver(site, nic.digest)

    images.remove_driver(site, "Lab PE x64", "nic")
    drivers.delete_driver(site, nic.digest)
    with pytest.raises(NotFound):
        drivers.get_driver(site, nic.digest)


def test_several_drivers_are_added_together_or_not_at_all(site, nic, tmp_path):
    """One that does not fit keeps the others out; enabled is then none of them either."""
    seeding.add_image(site)
    other = seeding.add_driver(site, tmp_path, "other", ids=("PCI\\VEN_8086&DEV_0001",))
    with pytest.raises(NotFound):
        images.add_drivers(site, "Lab PE x64", (nic.digest, "nobody"), enable=True)
    assert images.get_image(site, "Lab PE x64").drivers == ()
    assert not drivers.get_driver(site, nic.digest).enabled

    both = images.add_drivers(site, "Lab PE x64", (nic.digest, other.digest), enable=True)
    assert [driver.name for driver in both.drivers] == ["nic", "other"]
    with pytest.raises(NotFound):
        images.remove_drivers(site, "Lab PE x64", ("nic", "nobody"))
    assert len(images.get_image(site, "Lab PE x64").drivers) == 2
    assert images.remove_drivers(site, "Lab PE x64", ("nic", "other")).drivers == ()
