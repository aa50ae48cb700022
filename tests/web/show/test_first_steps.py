"""First steps."""

import time

from netboot.operations.boots import boots
from netboot.operations.images import images
from tests.web.support import seeding
from web.app import create_app
from web.live.parts import TOPICS

PE = "Windows PE 11"


def steps(site):
    with create_app(site).app_context():
        return TOPICS["overview"].read(site, "")["steps"]


def done(site):
    return [step.done for step in steps(site)]


def distribute(site, name):
    site.point.update(seeding.add_version(site, name), site.blobs, now=time.time())


def boot(site, name, online):
    seeding.tell(site, *seeding.boot_events(image=name, online=online))


def test_each_step_is_ticked_off_when_it_is_done(site):
    """From a site with a Lab PE to a machine that is online with Windows PE."""
    seeding.add_image(site)
    distribute(site, "Lab PE x64")
    images.set_default(site, "Lab PE x64")
    assert done(site) == [False] * 6
    seeding.add_image(site, PE, is_lab=False)
    assert done(site) == [True, False, False, False, False, False]
    version = seeding.add_version(site, PE)
    assert done(site) == [True, True, False, False, False, False]
    site.point.update(version, site.blobs, now=time.time())
    assert done(site) == [True, True, True, False, False, False]
    images.set_default(site, PE)
    assert done(site) == [True, True, True, True, False, False]
    boot(site, PE, online=False)
    assert done(site) == [True, True, True, True, True, False]
    boot(site, PE, online=True)
    assert done(site) == [True] * 6


def test_a_second_windows_pe_does_not_restart_the_steps(site):
    """The card goes away for good once one image came up online."""
    seeding.add_image(site, PE, is_lab=False)
    distribute(site, PE)
    images.set_default(site, PE)
    boot(site, PE, online=True)
    seeding.add_image(site, "A second one", is_lab=False)

    assert done(site) == [True] * 6


def test_what_the_boot_lacked_is_one_click_away(site):
    """The last step leads to the boot that ended offline."""
    seeding.add_image(site, PE, is_lab=False)
    distribute(site, PE)
    images.set_default(site, PE)
    boot(site, PE, online=False)

    (key,) = [one.key for one in boots.list_boots(site)]
    link = steps(site)[-1].links[0]
    assert ("boots.show", (("boot_id", key),)) == (link.endpoint, link.arguments)


def test_without_a_lab_pe_the_first_step_leads_to_making_it(site):
    """With one, to a test machine that boots it."""
    assert "lab_pe.show" in [link.endpoint for link in steps(site)[0].links]
    seeding.add_image(site)
    distribute(site, "Lab PE x64")

    assert "lab_pe.show" not in [link.endpoint for link in steps(site)[0].links]


def test_another_machines_success_is_not_that_of_this_image(site):
    """The Lab PE came up online; Windows PE was not booted yet."""
    seeding.add_image(site)
    seeding.add_image(site, PE, is_lab=False)
    boot(site, "Lab PE x64", online=True)

    assert done(site)[-2:] == [False, False]
