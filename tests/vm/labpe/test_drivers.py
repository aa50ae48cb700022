import pytest

from netboot.formats.inf import inf
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Signature
from netboot.store.drivers.folders import ImportedDriver, driver_source, read_driver
from tests.vm.labpe.elf_files import module
from vm.labpe import drivers
from vm.labpe.modules import KernelModules

WORDS = {Architecture.X64: "amd64", Architecture.X86: "x86"}


@pytest.fixture
def modules():
    """A kernel with every module that the packages name, none needing another."""
    names = {name for package in drivers.PACKAGES for name in package.modules}
    return KernelModules.among({f"kernel/{name}.ko": module(depends="") for name in names})


@pytest.mark.parametrize("architecture", WORDS)
@pytest.mark.parametrize("package", drivers.PACKAGES, ids=lambda package: package.name)
def test_the_sites_own_parser_reads_every_package(tmp_path, modules, package, architecture):
    """Class, version, ids and files of each INF are what its table says, for one architecture."""
    folder = tmp_path / package.name
    drivers.write_package(package, architecture, folder, modules=modules, version="6.1.176.1")

    read = inf.parse((folder / f"{package.name}.inf").read_bytes())

    assert read.refusal == ""
    assert package.class_guid == read.version.class_guid.strip("{}").lower()
    assert read.version.version == "6.1.176.1"
    assert {WORDS[architecture]} == {model.architecture for model in read.models}
    ids = [f"PCI\\VEN_{i[:4]}&DEV_{i[5:]}".upper() for i in package.ids]
    assert ids == [model.hardware_id for model in read.models]
    assert package.name == read.models[0].install.function_driver
    payload = read.payloads[WORDS[architecture]]
    assert sorted(path.name for path in folder.glob("*.ko")) == sorted(
        f.name for f in payload.files
    )


def test_one_package_is_in_utf16(tmp_path, modules):
    """The catalog meets the other encoding that vendors use."""
    package = next(package for package in drivers.PACKAGES if package.utf16)
    drivers.write_package(package, Architecture.X64, tmp_path / "p", modules=modules, version="1.0")

    assert (tmp_path / "p" / f"{package.name}.inf").read_bytes()[:3] == b"\xff\xfe;"


def test_names_and_ids_are_unique():
    """No two packages share a name, none claims another's device within its kind."""
    names = [package.name for package in drivers.PACKAGES]
    ids = [i for package in drivers.PACKAGES for i in package.ids]

    assert len(names) == len(set(names))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("package", drivers.PACKAGES, ids=lambda package: package.name)
def test_a_new_site_has_no_doubts_about_the_lab_pes_drivers(tmp_path, modules, package):
    """As an import finds them: no warning, and a catalog file that checks out."""
    folder = tmp_path / package.name
    drivers.write_package(package, Architecture.X64, folder, modules=modules, version="6.1.176.1")

    with driver_source(folder, scratch=tmp_path / "scratch") as source:
        (name,) = source.infs
        imported = read_driver(source, name)

    assert isinstance(imported, ImportedDriver)
    assert imported.driver.findings == ()
    assert imported.driver.signature is Signature.CATALOG
