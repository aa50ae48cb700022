import pytest

from netboot.boot.told.events import Discovered
from netboot.daemons.projector import catch_up
from netboot.operations.deployments import deployments as policy
from netboot.operations.images.images import get_image
from netboot.operations.machines import machines
from netboot.operations.machines.recipients import recipients, who_gets
from tests.web.support import seeding

ONE, TWO = "Lab PE x64", "Rescue"


@pytest.fixture
def two(site):
    """Two x64 images; the first is the default."""
    seeding.add_image(site, ONE)
    seeding.add_image(site, TWO)
    return site


def seen(site, *macs, firmware="uefi", architecture="x64"):
    for mac in macs:
        site.journal.emit(
            Discovered(at=1.0, mac=mac, architecture=architecture, firmware=firmware,
                       stage="firmware")
        )  # fmt: skip
    assert site.journal.flush()
    catch_up(site)


def addresses(count):
    return [f"52:54:00:77:00:{number:02x}" for number in range(count)]


def test_an_image_that_no_machine_gets_says_which_image_they_get_instead(two):
    found = who_gets(two, get_image(two, TWO))

    assert (found.anyone, found.is_default, found.machines) == (False, False, 0)
    assert found.words == (
        "No machine gets it: Lab PE x64 is the default for x64, and it is assigned to no machine."
    )


def test_without_any_default_nobody_gets_it(two):
    policy.drop(two, ONE)

    assert who_gets(two, get_image(two, TWO)).words == (
        "No machine gets it: there is no default for x64, and it is assigned to no machine."
    )


def test_known_machines_are_counted_for_the_image_that_they_get(two):
    """Assigned machines count for their own image, whether they were ever seen or not."""
    seen(two, *addresses(5))
    seen(two, "52:54:00:88:00:01", firmware="uefi", architecture="arm64")
    policy.deploy(two, addresses(5)[0], TWO)
    policy.deploy(two, "52:54:00:99:00:01", TWO)
    found = recipients(two, [get_image(two, name) for name in (ONE, TWO)])

    assert (found[ONE].machines, found[ONE].assigned) == (4, 0)
    assert (found[TWO].machines, found[TWO].assigned) == (2, 2)
    assert found[ONE].words == "It is the default for x64 machines; 4 machines get it."
    assert found[TWO].words == "It is assigned to 2 machines; 2 machines get it."


def test_lists_of_devices_never_boot_and_are_not_counted(two):
    machines.import_devices(two, "New laptops", "8086:100e")
    machines.import_devices(two, "52:54:00:77:00:09", "8086:100e")

    assert who_gets(two, get_image(two, ONE)).machines == 1


def test_a_bios_is_counted_once(two):
    """It might get either default; the 64-bit one comes first."""
    from netboot.images.architecture import Architecture

    seeding.add_image(two, "PE 32", Architecture.X86)
    seen(two, *addresses(3), firmware="bios", architecture="x86")
    found = recipients(two, [get_image(two, name) for name in (ONE, "PE 32")])

    assert (found[ONE].machines, found["PE 32"].machines) == (3, 0)
    assert found["PE 32"].words == (
        "It is the default for x86 machines; no machine that gets it is known yet."
    )
