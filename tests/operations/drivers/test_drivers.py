import pytest

from netboot.errors import InUse, InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import DriverFilter
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers.search import search_drivers
from netboot.operations.images import images
from netboot.store.drivers.entry import entry, summary
from vm import labpe

NAME = "Lab PE x64"


@pytest.fixture
def stocked(site):
    """e1000 and nvme, each for both architectures, not enabled."""
    lab = labpe.ensure()
    for name in ("e1000", "nvme"):
        for architecture in (Architecture.X64, Architecture.X86):
            driver_import.import_drivers(site, lab.driver_folder(name, architecture))
    return site


def the_x64(site, name):
    return next(d for d in drivers.list_drivers(site, search=name, architecture=Architecture.X64))


def test_enabling_and_disabling_is_kept(stocked):
    """The catalog says what was said last."""
    e1000 = the_x64(stocked, "e1000")

    assert drivers.enable_driver(stocked, e1000.digest).enabled is True
    assert [e1000.digest] == [d.digest for d in drivers.list_drivers(stocked, enabled=True)]
    assert drivers.disable_driver(stocked, e1000.digest).enabled is False
    assert drivers.list_drivers(stocked, enabled=True) == []


def test_a_driver_comes_out_of_the_catalog_as_it_went_in(stocked):
    """Nothing of a package is lost between the INF and the database."""
    lab = labpe.ensure()
    again = driver_import.import_drivers(stocked, lab.driver_folder("e1000", Architecture.X64))
    (known,) = again.duplicates

    kept = drivers.get_driver(stocked, known.digest)
    assert known.digest == kept.digest
    assert (kept.hardware_ids[0], len(kept.files)) == ("PCI\\VEN_8086&DEV_100E", 3)
    assert summary(kept) == entry(kept).summary


def test_categories_are_the_operators_own_words(stocked):
    """They are set as a whole, and cleared by none."""
    e1000 = the_x64(stocked, "e1000")

    assert drivers.set_categories(stocked, e1000.digest, ["old", "lab"]).categories == (
        "lab",
        "old",
    )
    assert drivers.set_categories(stocked, e1000.digest, []).categories == ()


def test_an_unknown_driver_is_not_found_and_an_unclear_one_asked_back(stocked):
    """Both refusals say what to do."""
    with pytest.raises(NotFound, match="no driver"):
        drivers.get_driver(stocked, "nobody")
    with pytest.raises(InvalidInput, match="2 drivers"):
        drivers.get_driver(stocked, "nvme")


@pytest.mark.wimlib
def test_a_driver_in_use_is_not_deleted(stocked):
    """The images that hold it are named; a driver that nobody uses goes."""
    images.import_image(stocked, labpe.ensure().wim[Architecture.X64], name=NAME)
    e1000, nvme = the_x64(stocked, "e1000"), the_x64(stocked, "nvme")
    drivers.enable_driver(stocked, e1000.digest)
    images.add_driver(stocked, NAME, e1000.digest)

    assert drivers.images_using(stocked, e1000.digest) == (NAME,)
    with pytest.raises(InUse, match=NAME):
        drivers.delete_driver(stocked, e1000.digest)
    drivers.delete_driver(stocked, nvme.digest)
    with pytest.raises(NotFound):
        drivers.get_driver(stocked, nvme.digest)


def test_a_page_of_the_catalog_is_found_by_word_and_by_id(stocked):
    """Words of names and beginnings of hardware ids lead to the same drivers."""
    for text in ("e1000", "PCI\\VEN_8086&DEV_100E", "ven_8086&dev_100e"):
        found = search_drivers(stocked, DriverFilter(text=text))
        assert {"e1000"} == {row.name for row in found.drivers}, text
        assert found.total == 2


def test_packages_for_different_architectures_are_no_rivals(stocked):
    """They claim the same card, but never in the same image."""
    e1000 = the_x64(stocked, "e1000")

    assert driver_relations.relations(stocked, e1000.digest).rivals == ()
