"""First steps."""

import time

from netboot.operations.drivers import drivers
from netboot.operations.images import images
from tests.web.support import seeding
from web.app import create_app
from web.live.parts import TOPICS


def done(site):
    with create_app(site).app_context():
        return [step.done for step in TOPICS["overview"].read(site, "")["steps"]]


def test_each_step_is_ticked_off_when_it_is_done(site, tmp_path):
    """From an image without a driver to a machine that is online."""
    assert [False] * 5 == done(site)
    seeding.add_image(site)
    first = seeding.add_version(site)
    site.point.update(first, site.blobs, now=time.time())
    assert [False] * 5 == done(site)
    driver = seeding.add_driver(site, tmp_path)
    assert [False] * 5 == done(site)
    drivers.enable_driver(site, driver.digest)
    assert [True, False, False, False, False] == done(site)
    images.add_driver(site, "Lab PE x64", driver.digest)
    assert [True, True, False, False, False] == done(site)
    version = seeding.add_version(site)
    assert [True, True, True, False, False] == done(site)
    site.point.update(version, site.blobs, now=time.time())
    assert [True, True, True, True, False] == done(site)
    seeding.tell(site, *seeding.boot_events())
    assert [True] * 5 == done(site)
