import pytest

from netboot.boot.files.names import ContentRef, resolve_url, version_path
from netboot.errors import AlreadyExists, EditConflict, InUse, InvalidInput
from netboot.images.architecture import Architecture
from netboot.operations import jobs
from netboot.operations.deployments import deployments as policy
from netboot.operations.images import images
from netboot.operations.images.properties import set_details
from netboot.operations.machines import machines
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import points
from netboot.operations.points import scrub as guarding
from netboot.pe_reports import ReportTokens, read_report
from netboot.store.content.point_folder import PointFolder
from tests.web.support.seeding import add_image, add_version

OLD, NEW = "Windows PE", "Windows PE 24H2"
MAC = "52:54:00:00:00:01"


@pytest.fixture
def served(site):
    """An image with a version that machines get: as the default, and one by assignment."""
    add_image(site, OLD, is_lab=False)
    add_version(site, OLD)
    points.update_distribution_points(site, OLD)
    policy.deploy(site, MAC, OLD, comment="the test bench")
    return site


def rename(site, old=OLD, new=NEW, **more):
    return set_details(site, old, name=new, **more)


def test_deployments_and_defaults_follow_the_new_name(served):
    """In the database and on the point, in one step."""
    view = rename(served)

    assert (
        view.name,
        view.slug,
        view.served_version,
        view.is_default,
    ) == (NEW, "windows-pe-24h2", 1, True)
    (made,) = policy.deployments(served)
    assert (made.mac, made.image, made.comment) == (MAC, NEW, "the test bench")
    published = served.point.load()
    assert {NEW} == set(published.current)
    assert dict(published.assignments) == {MAC: NEW}
    assert dict(published.defaults) == {Architecture.X64: NEW}


def test_nothing_is_copied_and_boots_under_way_go_on(served):
    """The address that a script names stays, and means the same bytes."""
    before = served.point.load().current[OLD]
    address = version_path(before, "boot.wim")
    rename(served)
    published = served.point.load()
    found = resolve_url(address, published, {})

    assert isinstance(found, ContentRef)
    assert before.file("boot.wim").digest == found.digest
    assert address == version_path(published.current[NEW], "boot.wim")
    assert f"{NEW} v1" == published.current[NEW].label
    assert f"{NEW} v1" == images.get_image(served, NEW).versions[0].label


def test_what_the_image_says_of_itself_changes_with_the_next_build(served):
    """The name is part of the recipe."""
    current = images.get_image(served, OLD)
    view = rename(served)

    assert view.needs_build
    assert rename(served, NEW, OLD).needs_build == current.needs_build


def test_the_old_name_and_its_address_still_find_the_image(served):
    """Bookmarks and scripts go on, as long as nobody else takes the name."""
    rename(served)

    assert images.get_image(served, OLD).name == NEW
    assert images.get_image(served, "windows-pe").name == NEW


def test_another_image_may_take_the_old_name(served):
    """The usual reason to rename: keep the old one beside the new one."""
    rename(served, OLD, "Windows PE old")
    add_image(served, "Lab", Architecture.X86)
    with served.database.writing() as session:
        from netboot.store.images.rows import free_address, refuse_twin

        refuse_twin(session, OLD)
        assert free_address(session, "windows-pe") == "windows-pe-2"


@pytest.mark.parametrize("name", ["Lab PE", "lab pe", "LAB-PE"])
def test_a_name_that_another_image_has_is_refused(served, name):
    """Or one that would read the same in an address."""
    add_image(served, "Lab PE")
    with pytest.raises(AlreadyExists, match='a boot image "Lab PE" already exists'):
        rename(served, OLD, name)
    assert images.get_image(served, OLD).name == OLD


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "two\nlines", "bell\a"])
def test_what_can_be_no_name_is_refused(served, name):
    """As at import."""
    with pytest.raises(InvalidInput, match="must be printable text of 1 to 64 characters"):
        rename(served, OLD, name)


def test_only_the_case_may_change(served):
    """It is no twin of itself."""
    assert rename(served, OLD, "WINDOWS PE").name == "WINDOWS PE"


def test_two_administrators_at_once_are_told(served):
    """Whoever comes second sees both names."""
    seen = images.get_image(served, OLD).row_version
    rename(served, row_version=seen)
    with pytest.raises(EditConflict) as conflict:
        rename(served, NEW, "Another", row_version=seen)

    assert [(one.field, one.yours, one.theirs) for one in conflict.value.difference] == [
        ("name", "Another", NEW)
    ]


def test_an_image_that_a_job_works_on_keeps_its_name(served):
    """The job knows it by name."""
    job = jobs.submit(served, "build_version", {"image": OLD}, title=f"Build {OLD}")
    with pytest.raises(InUse, match=f"Build {OLD}"):
        rename(served)
    jobs.cancel(served, job.id)
    assert rename(served).name == NEW


def test_reports_of_machines_under_way_speak_of_the_new_name(served):
    """Their token and their WIM say the old one."""
    tokens = ReportTokens(served.secret)
    version = served.point.load().current[OLD]
    brief, written = tokens.issue(version, MAC), tokens.issue_for(version.address, 1)
    medium = tokens.issue_lasting(version, "usb")
    rename(served)
    body = b'{"image": "Windows PE", "version": 1, "driver": "e1000.inf"}'
    for token in (brief, written, medium):
        event = read_report(tokens, token, body, "10.77.0.9", served.point.load())
        assert (event.image, event.version) == (NEW, 1)


def test_a_machine_that_runs_something_else_is_believed(served):
    """The token was for one image, the WIM is another's."""
    tokens = ReportTokens(served.secret)
    token = tokens.issue(served.point.load().current[OLD], MAC)
    event = read_report(tokens, token, b'{"image": "Foreign"}', "10.77.0.9", served.point.load())

    assert event.image == "Foreign"


def test_known_machines_and_guarding_follow(served):
    """What a machine had last is called by its new name; the scrub reads it as before."""
    machines.import_devices(served, MAC, "PCI\\VEN_8086&DEV_100E")
    rename(served)

    assert guarding.scrub(served, bytes_per_second=0).alarms == ()
    assert images.get_image(served, NEW).served_version == 1
    housekeeping.collect_garbage(served, 0.0)
    assert images.get_image(served, NEW).served_version == 1


def test_a_renaming_that_was_cut_off_is_mended_by_repeating_it(served, monkeypatch):
    """The point was told, the database was not: machines boot on, and nothing is lost."""
    rename_there = PointFolder.rename

    def tell_and_die(point, *names):
        rename_there(point, *names)
        raise OSError("power")

    monkeypatch.setattr(PointFolder, "rename", tell_and_die)
    with pytest.raises(OSError, match="power"):
        rename(served)
    monkeypatch.undo()
    assert {NEW} == set(served.point.load().current)
    assert images.get_image(served, OLD).name == OLD

    assert (rename(served).name, images.get_image(served, NEW).served_version) == (NEW, 1)


def test_the_next_update_serves_the_new_name_alone(served):
    """Both versions lie under one address, and the roll-back finds the first."""
    rename(served)
    add_version(served, NEW)
    points.update_distribution_points(served, NEW)
    published = served.point.load()

    assert {(NEW, 1), (NEW, 2)} == set(published.kept)
    assert {"windows-pe"} == {version.address for version in published.kept.values()}
    assert points.rollback(served, NEW, 1).changed
    assert images.get_image(served, NEW).served_version == 1


def test_a_deleted_image_leaves_its_address_free(served):
    """Nothing of it stays on the point."""
    policy.withdraw(served, MAC)
    rename(served)
    images.delete_image(served, NEW)

    assert dict(served.point.load().names) == {}
