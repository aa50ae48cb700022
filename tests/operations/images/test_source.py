import pytest

from netboot.errors import EditConflict, InvalidInput, NotFound, OperatorFault, WrongArchitecture
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.images import source as image_source
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.store.content.blobs import hash_file
from netboot.store.wim.iso import BOOT_WIM
from tests.samples.discs import make_iso, make_udf
from tests.samples.synthetic_winpe import SyntheticWinPe, pe_file
from tests.web.support.seeding import write_driver

NAME = "Windows PE"

pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("wims")


def made(folder, name, **description):
    (folder / name).mkdir(exist_ok=True)
    return SyntheticWinPe(**description).capture(folder / name)


@pytest.fixture(scope="module")
def old(folder):
    return made(folder, "old")


@pytest.fixture(scope="module")
def new(folder):
    """A newer Windows PE, which brings a driver along that the old one lacks."""
    inf = b"; stand-in\r\n[Version]\r\n"
    files = {
        "/Windows/INF/nb1000.inf": inf,
        "/Windows/System32/new.dll": b"new",
        "/Windows/INF/usbstor.inf": None,
        "/Windows/System32/startnet.cmd": b"wpeinit\r\necho hello\r\n",
    }
    return made(folder, "new", build="26100", files=files)


@pytest.fixture
def imported(site, old):
    images.import_image(site, old, name=NAME)
    return site


def test_the_boot_image_of_an_iso_is_imported(site, tmp_path, old):
    """Its facts are those of the WIM inside; the source says where it came from."""
    iso = make_iso(tmp_path, {BOOT_WIM: old.read_bytes(), "bootmgr": b"x"})
    view = images.import_image(site, iso, name=NAME)

    assert hash_file(old).digest == view.source_digest
    assert (view.source_name, view.facts.version) == ("media.iso: boot.wim", "10.0.22621.1")
    assert list(site.blobs.staging.iterdir()) == []


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("make", [make_iso, make_udf])
def test_an_iso_of_any_kind_and_mode_is_imported(make, mode, site, tmp_path, old):
    """The administrator's own file stays as it is."""
    iso = make(tmp_path, {BOOT_WIM: old.read_bytes(), "boot/bcd": b"regf"})
    iso.chmod(mode)
    view = images.import_image(site, iso, name=NAME)

    assert hash_file(old).digest == view.source_digest
    assert iso.stat().st_mode & 0o777 == mode
    assert list(site.blobs.staging.iterdir()) == []


def test_an_iso_without_a_boot_image_is_refused(site, tmp_path):
    """With what to choose instead."""
    with pytest.raises(InvalidInput, match=r"does not contain sources/boot\.wim"):
        images.import_image(site, make_iso(tmp_path, {"readme.txt": b"x"}), name=NAME)
    assert list(site.blobs.digests()) == []


def test_an_upload_never_lies_on_the_disk_twice(site, tmp_path, old):
    """The blob and the upload are one file until the upload goes; then the blob is alone."""
    upload = site.data / "upload.wim"
    upload.write_bytes(old.read_bytes())
    view = images.import_image(site, upload, name=NAME, ours=True)
    blob = site.blobs.require(view.source_digest)

    assert upload.samefile(blob)
    upload.unlink()
    assert (blob.stat().st_mode & 0o777, blob.stat().st_nlink) == (0o444, 1)
    assert view.source_size == site.blobs.verify(view.source_digest)


def test_a_newer_source_is_reported_before_anything_changes(imported, new):
    """Files, boot files, drivers that Windows now brings, scripts; the image stays as it was."""
    folder = write_driver(imported.data / "nb1000")
    driver_import.import_drivers(imported, folder)
    drivers.enable_driver(imported, "nb1000")
    before = images.add_driver(imported, NAME, "nb1000")

    view = image_source.examine_source(imported, NAME, new)
    report = view.candidate.report
    assert (report.old_version, report.new_version) == ("10.0.22621.1", "10.0.26100.1")
    assert report.files.added == ("/Windows/INF/nb1000.inf", "/Windows/System32/new.dll")
    assert report.files.removed == ("/Windows/INF/usbstor.inf",)
    assert "/Windows/System32/startnet.cmd" in report.files.changed
    assert report.now_inbox == ("nb1000 1.2.3.4",)
    assert report.conflicts == ()
    assert (before.source_digest, before.facts) == (view.source_digest, view.facts)


def test_taking_it_replays_the_recipe(imported, new):
    """Drivers and properties stay; the next version is built from the new source."""
    policy.deploy(imported, "525400abcdef", NAME)
    image_properties.set_properties(imported, NAME, {"scratch_space_mb": 128})
    versions.build_version(imported, NAME)
    points.update_distribution_points(imported, NAME)
    deployments = policy.deployments(imported)
    image_source.examine_source(imported, NAME, new)
    view = image_source.take_source(imported, NAME)

    assert hash_file(new).digest == view.source_digest
    assert (
        view.candidate,
        view.properties.scratch_space_mb,
        view.needs_build,
        view.served_version,
    ) == (None, 128, True, 1)
    assert versions.build_version(imported, NAME).version.number == 2
    points.update_distribution_points(imported, NAME)
    assert deployments == policy.deployments(imported)
    change = versions.compare(imported, NAME, 1, 2)
    assert "/Windows/System32/new.dll" in change.inside.added
    assert change.source.after.startswith(hash_file(new).digest[7:19])
    assert points.rollback(imported, NAME, 1).number == 1


def test_a_source_that_the_recipe_does_not_fit_is_not_taken(imported, folder):
    """The report has the conflict; taking it is refused with the same reason."""
    image_properties.set_properties(imported, NAME, {"scratch_space_mb": 512})
    bare = made(folder, "bare", files={"/Windows/System32/config/SYSTEM": None})
    view = image_source.examine_source(imported, NAME, bare)

    assert "no SYSTEM hive" in view.candidate.report.conflicts[0]
    with pytest.raises(OperatorFault, match="no SYSTEM hive"):
        image_source.take_source(imported, NAME)
    assert None is image_source.give_up_source(imported, NAME).candidate
    with pytest.raises(NotFound, match="no newer source"):
        image_source.take_source(imported, NAME)


def test_a_recipe_that_changed_since_the_report_is_told_line_by_line(imported, new):
    """What it was when the source was examined, and what it is; nothing is taken."""
    seen = image_source.examine_source(imported, NAME, new)
    image_properties.set_properties(imported, NAME, {"scratch_space_mb": 256})
    with pytest.raises(EditConflict) as conflict:
        image_source.take_source(imported, NAME, row_version=seen.row_version)

    (told,) = conflict.value.difference
    assert (
        *(told.field, told.base, told.yours),
        told.theirs,
    ) == ("property scratch_space_mb", "", "", "256")
    assert images.get_image(imported, NAME).candidate is not None
    now = images.get_image(imported, NAME)
    image_source.take_source(imported, NAME, row_version=now.row_version)
    with pytest.raises(EditConflict, match="taken or discarded") as conflict:
        image_source.take_source(imported, NAME, row_version=seen.row_version)
    assert conflict.value.difference[0].field == "source"


def test_the_same_source_and_another_architecture_are_refused(imported, old, folder):
    """Neither is a newer source of this image."""
    with pytest.raises(InvalidInput, match="is the source that"):
        image_source.examine_source(imported, NAME, old)
    with pytest.raises(WrongArchitecture, match="x86, not x64"):
        image_source.examine_source(imported, NAME, made(folder, "x86", architecture="x86"))
    assert None is images.get_image(imported, NAME).candidate


def test_programs_of_another_signer_are_told_by_their_hash(imported, folder):
    """A boot file that changed stands in the report."""
    efi = pe_file("x64", b"a newer boot manager" * 50)
    other = made(folder, "other", files={"/Windows/Boot/EFI/bootmgfw.efi": efi})
    view = image_source.examine_source(imported, NAME, other)

    assert view.candidate.report.boot_files.changed == ("bootmgfw.efi",)
