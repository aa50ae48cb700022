import pytest

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from netboot.operations import remembered as facts
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.versions import versions
from vm import defaults

pytestmark = pytest.mark.wimlib

NAMES = ["Lab PE x64", "Lab PE x86"]


def test_a_new_site_gets_two_images_that_are_served_and_drivers_that_are_not_enabled(site, lab):
    """A newcomer sees a machine come up offline, and mends it."""
    defaults.provide_defaults(site)
    made = images.list_images(site)

    assert [image.name for image in made] == NAMES
    assert {(1, "CURRENT", True, True, ())} == {
        (i.served_version, i.distribution, i.is_default, i.is_lab, i.drivers) for i in made
    }
    assert {Architecture.X64: NAMES[0], Architecture.X86: NAMES[1]} == policy.defaults(site)
    catalog = drivers.list_drivers(site)
    assert {(name, a) for name in lab.drivers for a in ("x64", "x86")} == {
        (driver.name, min(driver.architectures)) for driver in catalog
    }
    assert {False} == {driver.enabled for driver in catalog}
    assert facts.recall(site, facts.DEFAULTS_PROVIDED)


def test_a_second_time_changes_nothing(site, lab):
    """Images, versions and drivers are what they were."""
    defaults.provide_defaults(site)
    before = images.list_images(site), drivers.list_drivers(site), site.point.load().generation
    defaults.provide_defaults(site)

    assert before == (
        images.list_images(site),
        drivers.list_drivers(site),
        site.point.load().generation,
    )


def test_a_first_time_that_was_cut_off_is_finished(site, lab, monkeypatch):
    """Killed between the import and the build of the second image: the next start goes on."""
    build = versions.build_version

    def cut_off(site, image):
        if image == NAMES[1]:
            raise OperatorFault("the disk is full")
        return build(site, image)

    with monkeypatch.context() as patched:
        patched.setattr(versions, "build_version", cut_off)
        with pytest.raises(OperatorFault):
            defaults.provide_defaults(site)
    assert facts.recall(site, facts.DEFAULTS_PROVIDED) is None
    assert [image.served_version for image in images.list_images(site)] == [1, None]
    defaults.provide_defaults(site)
    assert [image.served_version for image in images.list_images(site)] == [1, 1]
    assert facts.recall(site, facts.DEFAULTS_PROVIDED)


def test_what_cannot_be_is_told_in_two_lines(tmp_path, capsys):
    """Exit code 2, as from every command."""
    (tmp_path / "data").write_text("a file where a folder should be")

    assert defaults.main(["--data", str(tmp_path / "data")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "cannot be used" in first
    assert second.startswith("  -> ")
