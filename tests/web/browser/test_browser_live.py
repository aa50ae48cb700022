"""The console in a real browser: live pages and uploads, through loads, restarts and kills."""

import hashlib
import random
import shutil
import time

import pytest

from netboot.operations import jobs
from netboot.site import Site
from tests.web.conftest import close
from tests.web.support import seeding
from tests.web.support.browsing import DESK, sign_in, wait_until_live
from tests.web.support.consoles import Console

pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(900)]

LOADS = 60


def test_sixty_loads_open_sixty_streams(open_page, console):
    """htmx and its extension are one file; in two, one load in twenty stayed dead."""
    page = open_page()
    for _ in range(LOADS):
        page.goto(f"{console.url}/jobs/")
        wait_until_live(page)

    assert page.evaluate("document.documentElement.dataset.live") == "yes"


def test_a_boot_climbs_its_ladder_before_ones_eyes(open_page, console, console_site):
    """Rung after rung, in the order in which it happens, and without a reload."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/boots/")
    wait_until_live(page)
    page.evaluate("window.stayed = true")
    mac = "52:54:00:77:77:77"
    events = seeding.boot_events(mac, at=time.time())
    row = page.locator(".boot-row", has_text=mac)
    for count, rungs in ((1, 1), (2, 2), (4, 3), (7, 4), (8, 5)):
        seeding.tell(console_site, *events[events_told(count) : count])
        row.locator(".rung-done").nth(rungs - 1).wait_for(timeout=20_000)
    row.get_by_text("Online").wait_for(timeout=20_000)

    assert page.evaluate("window.stayed") is True
    assert "driver e1000" in row.inner_text()


def events_told(count):
    """How many events were told before those up to `count`."""
    return {1: 0, 2: 1, 4: 2, 7: 4, 8: 7}[count]


def test_a_page_survives_a_restart_of_the_server(browser, furnished_folder, tmp_path):
    """It says that the line is lost, and is right again by itself."""
    data = shutil.copytree(furnished_folder, tmp_path / "data")
    console = Console(data).start()
    site = Site.open(data)
    context = browser.new_context()
    page = context.new_page()
    try:
        sign_in(page, console.url)
        page.goto(f"{console.url}/jobs/")
        wait_until_live(page)
        page.evaluate("window.stayed = true")
        console.stop(9)
        page.get_by_text("Connection lost").wait_for(timeout=10_000)
        jobs.submit(site, "build_version", {"image": "Lab PE x64"}, title="Made meanwhile")
        console = Console(data, console.port).start()
        page.locator("#live-jobs").get_by_text("Made meanwhile").wait_for(timeout=30_000)

        assert page.get_by_text("Connection lost").is_hidden()
        assert page.evaluate("window.stayed") is True
    finally:
        context.close()
        console.stop()
        close(site)


def test_an_upload_survives_a_restart_of_the_server(browser, furnished_folder, tmp_path):
    """Killed in the middle, started again: the browser goes on, and the bytes are right."""
    data = shutil.copytree(furnished_folder, tmp_path / "data")
    file = tmp_path / "winpe.wim"
    file.write_bytes(random.Random(7).randbytes(1 << 20) * 240)
    console = Console(data).start()
    context = browser.new_context()
    page = context.new_page()
    try:
        sign_in(page, console.url, "otto")
        page.goto(f"{console.url}/images/import")
        page.set_input_files("#wim", str(file))
        page.wait_for_function(
            "() => document.querySelector('[data-upload-state] progress')?.value > 32e6"
        )
        console.stop(9)
        reached = sum(
            p.stat().st_size for p in (data / "uploads").glob("*/parts/*") if not p.suffix
        )
        assert 0 < reached < file.stat().st_size
        console = Console(data, console.port).start()
        page.get_by_text("winpe.wim uploaded").wait_for(timeout=240_000)
        assert page.input_value("#image-name") == "winpe"
        assert page.get_by_role("button", name="Import").is_enabled()
        uploaded = next((data / "uploads").glob("*/files/winpe.wim"))
        digests = [hashlib.sha256(path.read_bytes()).digest() for path in (file, uploaded)]
        assert digests[0] == digests[1]
    finally:
        context.close()
        console.stop()


def test_a_folder_is_dragged_into_the_page(open_page, console, tmp_path):
    """All its files are taken, those of its sub-folders too, as if it had been chosen."""
    for name in ("e1000", "netkvm"):
        seeding.write_driver(tmp_path / "drivers" / name, name)
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/drivers/import")
    drop(page, page.locator("[data-drop]"), tmp_path / "drivers")
    page.get_by_text("6 files uploaded").wait_for()

    assert page.get_by_role("button", name="Import", exact=True).is_enabled()


def drop(page, target, path):
    """Drag a file or folder from the desktop to the middle of something, as a hand does."""
    box = target.bounding_box()
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    desktop = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        desktop.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})
