"""The whole story in a browser, with the real worker: from a WIM to what machines get, and back.

sign in → upload a WIM → upload a driver folder → enable → add → build
→ Update Distribution Points → roll back
"""

import shutil

import pytest

from netboot.operations import drivers, images
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web import seeding
from tests.web.browsing import Watched, chromium, sign_in
from tests.web.conftest import close
from tests.web.consoles import running_console, running_worker

pytestmark = [
    pytest.mark.browser,
    pytest.mark.loopback,
    pytest.mark.wimlib,
    pytest.mark.timeout(900),
]

PATIENCE = 120_000  # ms: a build on a busy machine


@pytest.fixture
def wim(tmp_path):
    if shutil.which("wimlib-imagex") is None:
        pytest.skip("needs wimlib-imagex: apt-get install wimtools")
    return SyntheticWinPe(name="Windows PE (stand-in)").capture(tmp_path / "media")


@pytest.fixture
def site(site):
    """An empty site with somebody who may sign in."""
    seeding.add_accounts(site)
    yield site
    close(site)


def test_from_a_wim_to_what_machines_get_and_back(site, wim, tmp_path):
    """Every step on the pages; what they say is what the site holds."""
    folder = seeding.write_driver(tmp_path / "e1000", "e1000", device="Intel PRO/1000")
    with (
        chromium() as browser,
        running_console(site.data) as console,
        running_worker(site.data),
    ):
        watched = Watched(browser.new_context(viewport={"width": 1280, "height": 900}))
        page = watched.page
        sign_in(page, console.url)
        import_image(page, console.url, wim)
        assert images.get_image(site, "My PE").current is None
        build(page, 1)
        update(page, 1)
        import_drivers(page, console.url, folder)
        assert not drivers.get_driver(site, "e1000").enabled
        enable_and_add(page, console.url)
        build(page, 2)
        assert images.get_image(site, "My PE").served_version == 1
        update(page, 2)
        assert images.get_image(site, "My PE").served_version == 2
        held = [driver.name for driver in images.get_image(site, "My PE").current.drivers]
        assert ["e1000"] == held
        roll_back(page)
        assert images.get_image(site, "My PE").served_version == 1
        page.context.close()

    assert [] == watched.complaints


def import_image(page, url, wim):
    page.goto(url)
    page.get_by_role("link", name="Boot images").click()
    page.get_by_role("main").get_by_role("link", name="Import boot image").first.click()
    page.set_input_files("#wim", str(wim))
    page.get_by_text("boot.wim uploaded").wait_for()
    page.fill("#image-name", "My PE")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("link", name="To the boot image").click(timeout=PATIENCE)
    page.get_by_role("heading", name="My PE").wait_for()


def build(page, number):
    page.get_by_role("button", name=f"Build version {number}").click()
    page.get_by_text(f"Version {number} is built, but machines").wait_for(timeout=PATIENCE)


def update(page, number):
    page.get_by_role("main").get_by_role("button", name="Update Distribution Points").last.click()
    page.get_by_text(f"Machines get version {number}").wait_for(timeout=PATIENCE)


def import_drivers(page, url, folder):
    page.goto(f"{url}/drivers/import")
    page.set_input_files("#folder", str(folder))
    page.get_by_text("3 files uploaded").wait_for()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("is new").wait_for(timeout=PATIENCE)


def enable_and_add(page, url):
    page.get_by_role("link", name="Drivers to enable").click()
    page.get_by_title("Enable e1000").click()
    page.get_by_text("e1000 is enabled").wait_for()
    page.goto(f"{url}/images/my-pe")
    page.get_by_role("button", name="Add driver", exact=True).first.click()
    page.fill("#driver-search", "ven_8086&dev_100e")
    page.locator("#driver-choices").get_by_role("button", name="Add").click()
    page.get_by_text("e1000 was added").wait_for()


def roll_back(page):
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("button", name="Yes, go on").click()
    page.get_by_text("Machines get My PE v1 from now on").wait_for()
