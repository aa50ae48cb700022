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
    assert done(site) == [False] * 5
    seeding.add_image(site)
    first = seeding.add_version(site)
    site.point.update(first, site.blobs, now=time.time())
    assert done(site) == [False] * 5
    driver = seeding.add_driver(site, tmp_path)
    assert done(site) == [False] * 5
    drivers.enable_driver(site, driver.digest)
    assert done(site) == [True, False, False, False, False]
    images.add_driver(site, "Lab PE x64", driver.digest)
    assert done(site) == [True, True, False, False, False]
    version = seeding.add_version(site)
    assert done(site) == [True, True, True, False, False]
    site.point.update(version, site.blobs, now=time.time())
    assert done(site) == [True, True, True, True, False]
    seeding.tell(site, *seeding.boot_events())
    assert done(site) == [True] * 5
