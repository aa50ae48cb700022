import shutil

import pytest

from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import DriverKind
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.store.drivers.entry import summary


def test_an_imported_driver_is_not_enabled(site, lab):
    """It is in the catalog with its facts, and may not be used yet."""
    report = driver_import.import_drivers(site, lab.driver_folder("e1000e", Architecture.X64))

    (driver,) = report.new
    assert (driver.enabled, driver.kind) == (False, DriverKind.NETWORK)
    assert "PCI\\VEN_8086&DEV_10D3" in report.new_hardware_ids
    assert driver == summary(drivers.get_driver(site, "e1000e"))


def test_the_same_package_twice_is_one_driver(site, lab, tmp_path):
    """It is known by its content, wherever it lies."""
    folder = lab.driver_folder("e1000", Architecture.X64)
    shutil.copytree(folder, tmp_path / "again")
    driver_import.import_drivers(site, folder)
    report = driver_import.import_drivers(site, tmp_path / "again")

    assert (report.new, len(report.duplicates)) == ((), 1)
    assert len(drivers.list_drivers(site)) == 1


def test_a_folder_without_an_inf_is_refused_and_leaves_nothing(site, tmp_path):
    """One message; nothing enters the catalog or the store."""
    (tmp_path / "e1000.sys").write_bytes(b"MZ")

    with pytest.raises(InvalidInput, match="no INF"):
        driver_import.import_drivers(site, tmp_path)
    assert list(site.blobs.digests()) == []


def test_one_bad_inf_does_not_keep_the_others_out(site, lab, tmp_path):
    """It is reported with its reason, the rest is imported."""
    shutil.copytree(lab.driver_folder("e1000", Architecture.X64), tmp_path / "good")
    (tmp_path / "bad.inf").write_text("no section at all\n")
    report = driver_import.import_drivers(site, tmp_path)

    assert [driver.name for driver in report.new] == ["e1000"]
    assert [path for path, _ in report.refused] == ["bad.inf"]


def test_drivers_are_found_by_name_maker_and_hardware_id(site, lab):
    """Filters and search may be combined."""
    for architecture in (Architecture.X64, Architecture.X86):
        for name in ("e1000", "netkvm", "nvme"):
            driver_import.import_drivers(site, lab.driver_folder(name, architecture))

    found = drivers.list_drivers(site, search="ven_8086&dev_100e", architecture=Architecture.X86)
    assert [("e1000", frozenset({Architecture.X86}))] == [(d.name, d.architectures) for d in found]
    assert {"nvme"} == {d.name for d in drivers.list_drivers(site, kind=DriverKind.STORAGE)}
    assert drivers.list_drivers(site, search="100%") == []


def test_a_name_that_fits_two_packages_is_asked_back(site, lab):
    """The refusal lists the digests to choose from, and a digest's beginning is enough."""
    for architecture in (Architecture.X64, Architecture.X86):
        driver_import.import_drivers(site, lab.driver_folder("e1000", architecture))

    with pytest.raises(InvalidInput, match="2 drivers") as refusal:
        drivers.enable_driver(site, "e1000")
    some = drivers.list_drivers(site)[0]
    assert some.digest[7:19] in refusal.value.hint
    assert some.digest == drivers.enable_driver(site, some.digest[7:19]).digest
