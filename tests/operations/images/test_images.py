import pytest

from netboot.errors import (
    AlreadyExists,
    DriverNotEnabled,
    EditConflict,
    InUse,
    InvalidInput,
    NotFound,
    WrongArchitecture,
)
from netboot.images.architecture import Architecture
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.store.content.blobs import hash_file

NAME = "Lab PE x64"

pytestmark = pytest.mark.wimlib


@pytest.fixture
def imported(site, lab):
    images.import_image(site, lab.wim[Architecture.X64], name=NAME)
    return site


@pytest.fixture
def with_e1000(imported, lab):
    driver_import.import_drivers(imported, lab.driver_folder("e1000", Architecture.X64))
    return imported


def test_a_driver_enters_an_image_only_when_it_is_enabled(with_e1000):
    """The refusal says what to do; after enabling, the same call works."""
    with pytest.raises(DriverNotEnabled) as refusal:
        images.add_driver(with_e1000, NAME, "e1000")
    assert "Enable the driver" in refusal.value.hint

    drivers.enable_driver(with_e1000, "e1000")
    assert [d.name for d in images.add_driver(with_e1000, NAME, "e1000").drivers] == ["e1000"]


def test_a_driver_of_another_architecture_is_refused(imported, lab):
    """An x86 driver does not enter an x64 image, enabled or not."""
    driver_import.import_drivers(imported, lab.driver_folder("e1000", Architecture.X86))
    drivers.enable_driver(imported, "e1000")

    with pytest.raises(WrongArchitecture, match="x86"):
        images.add_driver(imported, NAME, "e1000")


def test_building_makes_a_new_version_and_changes_nothing_that_is_served(with_e1000):
    """Only Update Distribution Points gives machines the new version."""
    first = versions.build_version(with_e1000, NAME)
    points.update_distribution_points(with_e1000, NAME)
    drivers.enable_driver(with_e1000, "e1000")
    images.add_driver(with_e1000, NAME, "e1000")
    assert (
        images.get_image(with_e1000, NAME).needs_build,
        images.get_image(with_e1000, NAME).distribution,
    ) == (True, "CURRENT")

    second = versions.build_version(with_e1000, NAME)
    view = images.get_image(with_e1000, NAME)
    assert (first.version.number, second.version.number) == (1, 2)
    assert (view.served_version, view.distribution) == (1, "OUT_OF_DATE")
    points.update_distribution_points(with_e1000, NAME)
    view = images.get_image(with_e1000, NAME)
    assert (view.served_version, view.distribution, view.needs_build) == (2, "CURRENT", False)


def test_an_unchanged_recipe_builds_nothing(imported):
    """The second build says so and gives the version that there is."""
    first = versions.build_version(imported, NAME)
    second = versions.build_version(imported, NAME)

    assert (first.built, second.built) == (True, False)
    assert first.version == second.version


def test_the_source_is_never_written(with_e1000, lab):
    """After builds with drivers the stored source and the imported file are what they were."""
    before = hash_file(lab.wim[Architecture.X64])
    drivers.enable_driver(with_e1000, "e1000")
    images.add_driver(with_e1000, NAME, "e1000")
    versions.build_version(with_e1000, NAME)

    assert before == hash_file(lab.wim[Architecture.X64])
    assert before.size == with_e1000.blobs.verify(before.digest)


def test_updating_an_image_touches_no_deployment(with_e1000):
    """Deployments name the image; the rows before and after an update are the same."""
    policy.deploy(with_e1000, "52-54-00-AB-CD-EF", NAME, comment="lecture hall")
    versions.build_version(with_e1000, NAME)
    before = policy.deployments(with_e1000)
    points.update_distribution_points(with_e1000, NAME)

    assert before == policy.deployments(with_e1000)
    published = with_e1000.point.load()
    assert dict(published.assignments) == {"52:54:00:ab:cd:ef": NAME}


def test_rolling_back_serves_the_version_before(with_e1000):
    """Nothing is built for it, and the image is shown as out of date."""
    versions.build_version(with_e1000, NAME)
    points.update_distribution_points(with_e1000, NAME)
    drivers.enable_driver(with_e1000, "e1000")
    images.add_driver(with_e1000, NAME, "e1000")
    versions.build_version(with_e1000, NAME)
    points.update_distribution_points(with_e1000, NAME)

    points.rollback(with_e1000, NAME, 1)
    view = images.get_image(with_e1000, NAME)
    assert (view.served_version, view.distribution, len(view.versions)) == (1, "OUT_OF_DATE", 2)


def test_a_file_that_is_no_wim_is_refused_and_leaves_nothing(site, tmp_path):
    """One clear message; neither an image nor a blob nor a file in staging remains."""
    text = tmp_path / "notes.wim"
    text.write_text("these are notes, no image\n" * 100)

    with pytest.raises(InvalidInput, match=r"(?i)not a wim"):
        images.import_image(site, text, name="Notes")
    assert images.list_images(site) == []
    assert list(site.blobs.digests()) == []
    assert list(site.blobs.staging.iterdir()) == []


def test_a_truncated_wim_is_refused_and_leaves_nothing(site, lab, tmp_path):
    """A download that broke off is told from a whole file."""
    whole = lab.wim[Architecture.X64].read_bytes()
    cut = tmp_path / "boot.wim"
    cut.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(InvalidInput, match=r"(?i)truncated|beyond|end of the file|cut"):
        images.import_image(site, cut, name="Cut")
    assert list(site.blobs.digests()) == []


def test_a_name_is_given_once(imported, lab):
    """Names that differ only in case or signs would share an address."""
    with pytest.raises(AlreadyExists):
        images.import_image(imported, lab.wim[Architecture.X86], name="lab-pe X64")


def test_an_image_of_the_wrong_architecture_is_refused(site, lab):
    """Whoever asks for x86 does not get x64."""
    with pytest.raises(WrongArchitecture, match="is x64, not x86"):
        images.import_image(
            site, lab.wim[Architecture.X64], name=NAME, architecture=Architecture.X86
        )


def test_the_first_image_of_an_architecture_becomes_its_default(site, lab):
    """Machines get something without further ado; a second image changes nothing."""
    images.import_image(site, lab.wim[Architecture.X64], name=NAME)
    images.import_image(site, lab.wim[Architecture.X64], name="Second")

    assert policy.defaults(site) == {Architecture.X64: NAME}
    assert images.set_default(site, "Second").is_default is True


def test_a_driver_in_use_is_not_deleted(with_e1000):
    """The refusal names the images that hold it."""
    drivers.enable_driver(with_e1000, "e1000")
    images.add_driver(with_e1000, NAME, "e1000")

    with pytest.raises(InUse, match=NAME):
        drivers.delete_driver(with_e1000, "e1000")
    images.remove_driver(with_e1000, NAME, "e1000")
    drivers.delete_driver(with_e1000, "e1000")
    assert drivers.list_drivers(with_e1000) == []


def test_a_driver_disabled_later_stays_and_is_named(with_e1000):
    """The image keeps what it holds, and says that it was disabled since."""
    drivers.enable_driver(with_e1000, "e1000")
    images.add_driver(with_e1000, NAME, "e1000")
    drivers.disable_driver(with_e1000, "e1000")

    assert images.get_image(with_e1000, NAME).disabled_drivers == ("e1000",)


def test_two_administrators_do_not_overwrite_each_other(with_e1000):
    """A change based on an older view is refused."""
    seen = images.get_image(with_e1000, NAME).row_version
    drivers.enable_driver(with_e1000, "e1000")
    images.add_driver(with_e1000, NAME, "e1000")

    with pytest.raises(EditConflict):
        images.set_comment(with_e1000, NAME, "mine", row_version=seen)


def test_a_deleted_image_is_served_no_more(imported):
    """Neither the catalog nor the point knows it."""
    versions.build_version(imported, NAME)
    points.update_distribution_points(imported, NAME)
    images.delete_image(imported, NAME)

    assert images.list_images(imported) == []
    assert dict(imported.point.load().current) == {}
    with pytest.raises(NotFound):
        images.get_image(imported, NAME)


def test_an_image_assigned_to_machines_is_not_deleted(imported):
    """The machines are named."""
    policy.deploy(imported, "525400abcdef", NAME)

    with pytest.raises(InUse, match="52:54:00:ab:cd:ef"):
        images.delete_image(imported, NAME)


def test_a_file_that_changes_while_it_is_imported_is_refused(site, lab, tmp_path):
    """What was looked into must be what is stored: a download that still goes on is told."""
    wim = tmp_path / "boot.wim"
    wim.write_bytes(lab.wim[Architecture.X64].read_bytes())

    def go_on_loading(part, stage):
        if stage == "storing the source":
            with wim.open("ab") as growing:
                growing.write(b"more")

    with pytest.raises(InvalidInput, match="changed while it was imported"):
        images.import_image(site, wim, name=NAME, progress=go_on_loading)
    assert images.list_images(site) == []
    assert list(site.blobs.staging.iterdir()) == []


@pytest.mark.parametrize("what", ["nowhere.wim", "folder"])
def test_what_is_no_file_is_told(site, tmp_path, what):
    """A folder, or nothing at all."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(InvalidInput, match=f"{what}") as refusal:
        images.import_image(site, tmp_path / what, name=NAME)
    assert "Name a .wim or .iso file" in refusal.value.hint


def test_a_comment_that_is_too_long_is_refused_before_the_wim_is_read(site, lab):
    """Reading gigabytes first would waste the operator's time."""
    told = []
    with pytest.raises(InvalidInput, match="comment"):
        images.import_image(
            site,
            lab.wim[Architecture.X64],
            name=NAME,
            comment="x" * 5000,
            progress=lambda part, stage: told.append(stage),
        )
    assert told == []


def test_a_deletion_that_is_cut_off_leaves_an_image_that_can_be_deleted(imported, monkeypatch):
    """Machines get it no more, and the catalog still knows it: the same command mends it."""
    versions.build_version(imported, NAME)
    points.update_distribution_points(imported, NAME)
    forget = type(imported.point).forget

    def cut_off(point, image):
        forget(point, image)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(imported.point), "forget", cut_off)
        with pytest.raises(KeyboardInterrupt):
            images.delete_image(imported, NAME)
    assert images.get_image(imported, NAME).distribution == "MISSING"
    images.delete_image(imported, NAME)
    assert images.list_images(imported) == []
