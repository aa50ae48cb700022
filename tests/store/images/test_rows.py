from dataclasses import replace

import pytest
from sqlalchemy.orm.exc import StaleDataError

from netboot.errors import NotFound
from netboot.images.boot_image.boot_image import recipe_digest, with_driver, without_driver
from netboot.store.images.rows import (
    drivers_of,
    find_image,
    image_value,
    keep_drivers,
    read_image,
    read_images,
    versions_of,
)
from tests.web.support.seeding import add_driver, add_image, add_version

NAME = "Lab PE x64"


@pytest.fixture
def drivers(site, tmp_path):
    """Three enabled drivers, and an image without any."""
    add_image(site)
    return [add_driver(site, tmp_path, name, enabled=True) for name in ("one", "two", "three")]


def change(site, how):
    with site.database.writing() as session:
        row = find_image(session, NAME)
        keep_drivers(row, how(image_value(session, row)))
    return names(site)


def names(site):
    with site.database.transaction() as session:
        return [driver.name for driver in drivers_of(session, find_image(session, NAME))]


def test_an_image_is_found_by_name_and_by_address(site):
    """`Lab PE x64` and `lab-pe-x64` are one; what is not there is refused with those that are."""
    add_image(site)
    with site.database.transaction() as session:
        assert find_image(session, NAME) is find_image(session, "lab-pe-x64")
        with pytest.raises(NotFound) as refusal:
            find_image(session, "Windows 3.11")

    assert refusal.value.hint == 'Boot images: "Lab PE x64".'


def test_a_recipe_keeps_its_order(site, drivers):
    """Drivers come back as they were put in, also after one was taken out of the middle."""
    one, two, three = drivers

    def all_three(image):
        return with_driver(with_driver(with_driver(image, three), one), two)

    assert change(site, all_three) == ["three", "one", "two"]
    assert change(site, lambda image: without_driver(image, one.digest)) == ["three", "two"]
    assert change(site, lambda image: with_driver(image, one)) == ["three", "two", "one"]


def test_every_change_of_a_recipe_raises_its_number(site, drivers):
    """A page that was opened before the change can be told."""
    with site.database.transaction() as session:
        before = find_image(session, NAME).row_version
    change(site, lambda image: with_driver(image, drivers[0]))

    with site.database.transaction() as session:
        assert before < find_image(session, NAME).row_version


def test_of_two_who_change_one_row_the_second_is_told(site, drivers):
    """Even where both have read it before either wrote: the row's number is compared."""
    with site.database.transaction() as session:
        stale = find_image(session, NAME)
    with site.database.writing() as session:
        find_image(session, NAME).comment = "first"

    with pytest.raises(StaleDataError), site.database.writing() as session:
        stale.comment = "second"
        session.add(stale)
        session.flush()
    with site.database.transaction() as session:
        assert find_image(session, NAME).comment == "first"


def test_versions_come_newest_first_and_as_they_were_built(site):
    """What a build wrote is read back equal."""
    add_image(site)
    built = [add_version(site), add_version(site)]

    with site.database.transaction() as session:
        assert (built[1], built[0]) == versions_of(find_image(session, NAME))


def test_all_images_are_read_at_once_as_each_by_itself(site, drivers):
    """Names in order, drivers in the recipe's order; of those all but their models."""
    change(site, lambda image: with_driver(with_driver(image, drivers[2]), drivers[0]))
    add_image(site, "Another", is_lab=False)

    with site.database.transaction() as session:
        found = read_images(session)
        assert [one.row.name for one in found] == ["Another", NAME]
        for one in found:
            single = image_value(session, find_image(session, one.row.name))
            whole = read_image(session, one.row.slug)
            assert [replace(of, models=()) for of in single.drivers] == list(one.image.drivers)
            assert recipe_digest(single) == recipe_digest(one.image)
            assert (single, one.versions) == (whole.image, whole.versions)
