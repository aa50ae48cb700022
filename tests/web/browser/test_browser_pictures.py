"""Pictures of the main pages, made in a real browser; the README shows them.

They lie in tests/output/pictures; `make pictures` puts them where the README looks for them.
"""

import os
import struct
import time
from pathlib import Path

import pytest

from netboot.operations import jobs
from tests.web.support import seeding
from tests.web.support.browsing import wait_until_live

pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(900)]

FOLDER = Path(os.environ.get("NETBOOT_PICTURES", "tests/output/pictures"))
WINDOW = {"width": 1280, "height": 860}
PAGES = {
    "overview": "/",
    "boots": "/boots/",
    "boot": "a boot",
    "image": "/images/lab-pe-x64",
    "drivers": "/drivers/",
    "points": "/distribution-points/",
}
SMALLEST = 15_000
"""Bytes that a picture has at least: an empty page compresses to less."""


@pytest.fixture(scope="module")
def site(console_site):
    """A site on a busy morning: boots of the last hours, one that failed, some under way."""
    now = time.time()
    for number in range(60):
        began = now - 300 - number * 1100
        mac = f"52:54:00:10:00:{number:02x}"
        image = "Lab PE x64" if number % 5 else "Lab PE x86"
        events = seeding.boot_events(mac, at=began, image=image, online=number % 9 != 4)
        seeding.tell(console_site, *events)
    for number, count in enumerate((7, 5, 4)):
        events = seeding.boot_events(f"52:54:00:20:00:0{number}", at=now - 8)
        seeding.tell(console_site, *events[:count])
    job = jobs.submit(console_site, "build_version", {"image": "Lab PE x64"}, title="Build Lab PE")
    console_site.jobs.claim("pictures", ("build_version",))
    console_site.jobs.report(job.id, progress=0.62, stage="adding drivers")
    return console_site


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_main_page_has_its_picture(open_page, console, site, name, theme):
    """Of the size of the window, and not empty."""
    page = open_page(viewport=WINDOW, color_scheme=theme, reduced_motion="reduce")
    path = PAGES[name]
    page.goto(console.url + ("/boots/?outcome=offline" if path == "a boot" else path))
    if path == "a boot":
        page.locator(".boot-who a").first.click()
    page.wait_for_load_state("load")
    wait_until_live(page)
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = page.screenshot(path=str(FOLDER / f"{name}-{theme}.png"))

    assert (WINDOW["width"], WINDOW["height"]) == struct.unpack(">II", picture[16:24])
    assert len(picture) > SMALLEST
