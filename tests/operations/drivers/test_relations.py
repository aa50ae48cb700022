"""netboot.operations.drivers.relations: versions, rivals and conflicts."""

from dataclasses import replace

import pytest

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import parse_devices
from netboot.images.drivers.driver import DriverKind
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers.relations import CONFLICTS_SHOWN, ShownConflicts
from netboot.operations.drivers.search import search_drivers
from netboot.operations.images import images
from netboot.operations.machines import coverage
from netboot.store.drivers.entry import entry
from netboot.store.drivers.rows import add_entries
from tests.images.drivers.packages import package_files
from tests.samples.drivers import make_driver
from tests.web.support import seeding

A, B, C = (f"PCI\\VEN_8086&DEV_000{n}" for n in "123")


@pytest.fixture
def add(site, tmp_path):
    """`add(name, ids, version)`: the digest of a driver that was imported now."""

    def make(name, *ids, driver_ver="01/02/2020,1.0.0.0", vendor="Acme", **more):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        files = package_files(name, ids=ids, driver_ver=driver_ver, vendor=vendor, **more)
        for path, data in files.items():
            program = vendor.encode() if path.endswith(".sys") else b""
            (folder / path).write_bytes(data + program)
        return driver_import.import_drivers(site, folder).new[0].digest

    return make


def test_a_newer_version_that_claims_all_supersedes(site, add):
    """One that dropped a device does not, though it is newer."""
    old = add("nic", A, B)
    add("nic", A, driver_ver="01/02/2021,2.0.0.0")
    assert driver_relations.relations(site, old).superseded_by is None

    newest = add("nic", A, B, C, driver_ver="01/02/2022,3.0.0.0")
    found = driver_relations.relations(site, old)
    assert newest == found.superseded_by.digest
    assert [version.version for version in found.versions] == ["3.0.0.0", "2.0.0.0"]
    assert driver_relations.relations(site, newest).superseded_by is None


def test_lists_tell_which_drivers_have_a_newer_version(site, add):
    """By date and version alone: a list reads no models."""
    old = add("nic", A)
    newest = add("nic", B, driver_ver="01/02/2022,3.0.0.0")
    add("other", C)

    shown = search_drivers(site).drivers
    assert {old: newest} == {
        digest: newer.digest
        for digest, newer in driver_relations.newer_versions(site, shown).items()
    }


def test_the_newest_version_is_known_of_each_older_one(any_site):
    """By date, then version, as Windows does; two that are alike are both the newest."""
    versions = [
        replace(make_driver("a"), digest=f"sha256:{number:064x}", date=date, version=version)
        for number, (date, version) in enumerate([
            ("2020-01-02", "9.0.0.0"),
            ("2021-01-02", "1.0.0.0"),
            ("2021-01-02", "1.10.0.0"),
            ("2021-01-02", "1.10.0.0"),
        ])
    ]  # fmt: skip
    with any_site.database.writing() as session:
        add_entries(session.connection(), [entry(one) for one in versions])
    newer = driver_relations.newer_versions(any_site, search_drivers(any_site).drivers)

    assert {one.digest for one in versions[:2]} == set(newer)
    assert {"1.10.0.0"} == {newest.version for newest in newer.values()}


def test_rivals_are_other_packages_for_the_same_devices(site, add):
    """With the ids that both claim; versions of one package are no rivals."""
    here = add("nic", A, B)
    add("nic", A, B, driver_ver="01/02/2022,3.0.0.0")
    rival = add("other", B, C, vendor="Beta")
    add("elsewhere", A, targets=("NTx86",), machine="x86", vendor="Beta")

    (found,) = driver_relations.relations(site, here).rivals
    assert (rival, (B,)) == (found.driver.digest, found.hardware_ids)


def test_only_enabled_drivers_conflict(site, add):
    """What may not be added cannot get in anybody's way."""
    one, two = add("nic", A, B), add("other", B, C, vendor="Beta")
    drivers.enable_driver(site, one)
    assert driver_relations.conflicts(site).ids == ()

    drivers.enable_driver(site, two)
    (conflict,) = driver_relations.conflicts(site).ids
    assert (B, {one, two}) == (conflict.hardware_id, {d.digest for d in conflict.drivers})


def test_an_images_conflicts_are_its_own(site, add):
    """By device and by service: two packages that install one service take it from each other.

    Two that install it with the same program do not.
    """
    seeding.add_image(site)
    one, two, same = add("nic", A), add("nic", B, vendor="Beta"), add("nic", C)
    images.add_drivers(site, "Lab PE x64", (one, same), enable=True)
    assert driver_relations.conflicts(site, "Lab PE x64").services == ()
    images.add_drivers(site, "Lab PE x64", (two,), enable=True)

    found = driver_relations.conflicts(site, "Lab PE x64")
    assert (found.ids, [conflict.hardware_id for conflict in found.services]) == ((), ["nic"])


def test_pages_show_the_first_conflicts_and_how_many_there_are(site, add):
    """A large catalog has thousands; nobody reads them all."""
    ids = [f"PCI\\VEN_8086&DEV_{number:04X}" for number in range(CONFLICTS_SHOWN + 7)]
    for name, vendor in (("nic", "Acme"), ("other", "Beta")):
        drivers.enable_driver(site, add(name, *ids, vendor=vendor))
    shown = ShownConflicts.of(driver_relations.conflicts(site))

    assert (CONFLICTS_SHOWN, len(ids)) == (len(shown.ids), shown.ids_total)
    assert {"nic", "other"} == {one.name for one in shown.ids[0].drivers}


EXTENSION = """[Version]
Signature   = "$WINDOWS NT$"
Class       = Extension
ClassGuid   = {{e2f84ce7-8efa-411c-aa69-97454ca4cb57}}
Provider    = %Prov%
ExtensionId = {{7dd5a3f3-6f4f-4c3b-8a0e-000000000001}}
DriverVer   = 05/01/2026,9.9.9.9
CatalogFile = ext.cat
[Manufacturer]
%Prov% = Ext,NTamd64
[Ext.NTamd64]
%Dev% = Ext_Install, {id}
[Ext_Install.NT]
AddReg = Ext_AddReg
[Ext_AddReg]
HKR,,OemTuning,0x00010001,1
[Strings]
Prov = "Contoso"
Dev  = "Contoso tuning"
"""


def test_an_extension_is_no_rival_and_covers_nothing(site, add, tmp_path):
    """Wherever the catalog looks for drivers of one device."""
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "ext.inf").write_text(EXTENSION.format(id=A))
    report = driver_import.import_drivers(site, folder)
    extension = report.new[0]
    assert (extension.kind, report.new_hardware_ids) == (DriverKind.EXTENSION, ())

    base = add("nic", A)
    for digest in (base, extension.digest):
        drivers.enable_driver(site, digest)

    assert driver_relations.relations(site, base).rivals == ()
    assert driver_relations.relations(site, extension.digest).rivals == ()
    assert driver_relations.conflicts(site).ids == ()
    found = coverage.candidates(site, parse_devices(A).devices[0], Architecture.X64)
    assert [one.driver.digest for one in found] == [base]


def test_an_id_that_only_an_extension_names_is_newly_covered_by_its_driver(site, add, tmp_path):
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "ext.inf").write_text(EXTENSION.format(id=A))
    driver_import.import_drivers(site, folder)
    base = tmp_path / "base"
    base.mkdir()
    for path, data in package_files("nic", ids=(A, B)).items():
        (base / path).write_bytes(data)

    assert {A, B} == set(driver_import.import_drivers(site, base).new_hardware_ids)


@pytest.mark.parametrize("order", [("nic", "ext"), ("ext", "nic")])
def test_a_driver_and_its_extension_are_added_together(order, site, add, tmp_path):
    """In any order of the request."""
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "ext.inf").write_text(EXTENSION.format(id=A))
    driver_import.import_drivers(site, folder)
    add("nic", A)
    image = seeding.add_image(site, "PE")

    view = images.add_drivers(site, image.name, order, enable=True)

    assert [driver.name for driver in view.drivers] == ["nic", "ext"]
