import pytest

from netboot.operations import drivers, images
from vm.defaults import main, provide_defaults

pytestmark = pytest.mark.wimlib


def test_a_new_site_gets_two_images_that_boot_and_drivers_that_are_not_enabled(site, capsys):
    """A newcomer sees a machine come up offline, and mends it; a second start changes nothing."""
    provide_defaults(site)
    first = images.list_images(site)
    provide_defaults(site)

    assert [("Lab PE x64", True, True, 1), ("Lab PE x86", True, True, 1)] == [
        (view.name, view.is_lab, view.is_default, view.served_version) for view in first
    ]
    assert first == images.list_images(site)
    catalog = drivers.list_drivers(site)
    assert {"e1000", "nvme"} <= {driver.name for driver in catalog}
    assert not any(driver.enabled for driver in catalog)


def test_a_folder_that_cannot_be_used_is_told(tmp_path, capsys):
    """Exit code 2, the reason and a hint."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")

    assert 2 == main(["--data", str(blocked)])
    assert "->" in capsys.readouterr().err
