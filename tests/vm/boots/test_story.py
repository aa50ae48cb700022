"""The whole story, as a new administrator lives it: one site, one browser, real machines.

first sign-in → import an ISO of Windows' own layout → build → Update Distribution Points → make it
the default → a machine boots it, and stays offline → upload driver folder → enable → add → build →
Update Distribution Points → a machine comes up, seen live → back to the version before

Only what the pages themselves suggest is clicked, and what they say of a machine is what counts.
"""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netboot.images.architecture import Architecture
from netboot.site import Site
from tests.samples.discs import make_windows_iso
from tests.web.support.browsing import DESK, Watched, wait_until_live
from tests.web.support.seeding import PASSWORD
from vm.summary import record

pytestmark = [
    pytest.mark.vm,
    pytest.mark.browser,
    pytest.mark.netns,
    pytest.mark.wimlib,
    pytest.mark.timeout(1200),
]

NOTES = Path(__file__).parents[2] / "output" / "boots.json"
MACHINE = 240_000  # ms: a whole boot on a busy machine
WORK = 120_000  # ms: an import or a build on one
SECOND = 1000  # ms
NO_DRIVER = "My PE v1 started, but there is no driver"


@pytest.fixture
def run(tmp_path):
    """A new site as `make run` starts it: its page's address and the one-time token."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = tmp_path / "data"
    Site.open(data)
    (data / "netboot.toml").write_text(f"web_port = {port}\n")
    command = [sys.executable, "-m", "netboot", "--data", str(data), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = {}
        for line in process.stdout:
            name, _, value = line.strip().partition("  ")
            said[name] = value.strip()
            if name == "Stop":
                break
        assert "Stop" in said, f"the site did not start: {said}"
        yield said["Page"].rstrip("/"), line_token(said)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0


def line_token(said):
    """The token from `Set-up token X   (asked for once …)`."""
    return next(name.split()[2] for name in said if name.startswith("Set-up token"))


@pytest.fixture
def newer_driver(lab_pe, tmp_path):
    """The driver of the test machine's card in a version that no catalog has yet."""
    folder = tmp_path / "e1000 new"
    shutil.copytree(lab_pe.driver_folder("e1000", Architecture.X64), folder)
    (inf,) = folder.glob("*.inf")
    text = inf.read_bytes().decode("latin-1")
    dated, count = re.subn(r"(?im)^(DriverVer\s*=).*$", r"\1 01/02/2025, 99.1.0.0", text)
    assert count == 1
    inf.write_bytes(dated.encode("latin-1"))
    return folder


def test_from_the_first_sign_in_to_a_machine_that_comes_up_and_back(
    browser, run, lab_pe, newer_driver, tmp_path
):
    """The site's own image was the default before; each machine boots the one that was imported.

    The first because it was started from the image's page, the others because it is the default.
    Offline without the driver, online with it, offline again after the way back.
    """
    url, token = run
    at_the_desk = browser.new_context(viewport=DESK)
    at_the_desk.set_default_timeout(WORK)
    desk = Watched(at_the_desk)
    page = desk.page
    machines = []
    become_administrator(page, url, token)
    # A window of its own: Chromium takes no folder into one that stands behind another.
    at_the_wall = browser.new_context(viewport=DESK, storage_state=at_the_desk.storage_state())
    wall = Watched(at_the_wall)
    wall.page.goto(f"{url}/boots/")
    wait_until_live(wall.page)
    wall.page.evaluate("window.stayed = true")

    import_image(page, make_windows_iso(tmp_path, lab_pe.wim[Architecture.X64]))
    build(page, 1)
    update(page, "Version 1 is served, but no machine gets it")
    make_default(page)
    page.get_by_text("Version 1 is served and up to date").wait_for()
    assert_boots(page, "offline", NO_DRIVER, known=machines, chosen=True)
    assert_seen(wall.page, "Offline", boots=1)

    next_step(page, "Bring it online").get_by_role("link", name="ended offline").click()
    page.get_by_text("My PE v1 has no driver for").wait_for()
    import_drivers(page, newer_driver)
    enable_and_add(page)
    build(page, 2)
    page.get_by_text("machines still get version 1").wait_for()
    update(page, "Version 2 is served and up to date")
    assert_boots(page, "online", "with driver e1000 on My PE v2", known=machines)
    assert_seen(wall.page, "Online", boots=2)
    # Its firmware said x86, as every BIOS does; its script looked at the processor.
    assert "x64 · BIOS" in wall.page.locator(".boot-row").first.inner_text()
    assert wall.page.locator(".boot-row").first.locator(".rung-done").count() == 5
    assert_no_step_is_left(page)

    roll_back(page)
    assert_boots(page, "rolled back", NO_DRIVER, known=machines)
    assert_seen(wall.page, "Offline", boots=3)

    assert wall.page.evaluate("window.stayed") is True, "the list of boots was loaded anew"
    at_the_desk.close()
    at_the_wall.close()
    assert [*desk.complaints, *wall.complaints] == []


def become_administrator(page, url, token):
    page.goto(url)
    page.fill("#token", token)
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.get_by_role("button", name="Create administrator").click()
    page.get_by_role("heading", name="Overview").wait_for()


def import_image(page, iso):
    """By the first of the first steps."""
    next_step(page, "Import a Windows PE").get_by_role("link", name="Import boot image").click()
    page.set_input_files("#wim", str(iso))
    page.get_by_text(f"{iso.name} uploaded").wait_for(timeout=WORK)
    page.fill("#image-name", "My PE")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("image 2 of 2, Microsoft Windows Setup").wait_for(timeout=WORK)
    page.get_by_role("link", name="Go to the boot image").click()
    page.get_by_role("heading", name="My PE").wait_for()


def state(page):
    """The card of an image's page that says what is next."""
    return page.get_by_role("region", name="Boot image state")


def build(page, number):
    state(page).get_by_role("button", name=f"Build version {number}").click()
    page.get_by_text(f"Version {number} is built but not distributed").wait_for(timeout=WORK)


def update(page, words):
    state(page).get_by_role("button", name="Update Distribution Points").click()
    page.get_by_text(words).first.wait_for(timeout=WORK)


def make_default(page):
    state(page).get_by_role("button", name="Make default for x64").click()


def next_step(page, title):
    """The step of the overview that is to be done next, which must be this one."""
    page.get_by_role("link", name="Overview").click()
    step = page.locator(".steps-list .is-next")
    step.get_by_text(title, exact=True).wait_for()
    return step


def assert_no_step_is_left(page):
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("heading", name="Needs a decision").wait_for()
    assert page.get_by_role("heading", name="Getting started").count() == 0


def import_drivers(page, folder):
    page.get_by_role("link", name="Driver catalog").click()
    page.get_by_role("main").get_by_role("link", name="Import drivers").first.click()
    page.set_input_files("#folder", str(folder), timeout=WORK)
    page.get_by_text("files uploaded").wait_for(timeout=WORK)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text(", new").wait_for(timeout=WORK)


def enable_and_add(page):
    page.get_by_role("link", name="Drivers to enable").click()
    row = page.locator("tr", has=page.get_by_role("link", name="e1000", exact=True))
    row.filter(has_text="99.1.0.0").get_by_role("button", name="Enable").click()
    page.get_by_text("e1000 is enabled").wait_for()
    go_to_image(page)
    page.get_by_role("button", name="Add driver", exact=True).first.click()
    page.fill("#driver-search", "e1000")
    page.locator("#driver-choices").get_by_role("button", name="Add").first.click()
    page.get_by_text("e1000 added").wait_for()


def go_to_image(page):
    page.get_by_role("link", name="Boot images").click()
    page.get_by_role("link", name="My PE", exact=True).click()


def roll_back(page):
    go_to_image(page)
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("My PE v1 is served from now on").wait_for()


NEWEST = ".test-machine h2 a"
NEWEST_IS_NEW = f"""known => {{
    const newest = document.querySelector({NEWEST!r});
    return newest && !known.includes(newest.getAttribute("href"));
}}"""


def assert_boots(page, phase, words, *, known, chosen=False):
    """Boot a test machine from the image's page, and wait for what the page says of it.

    It boots this image if it was `chosen`, else what any machine gets. `words` name the image and
    the version that the machine itself reported. `known` are the addresses of the machines that
    were booted before; this one is added.
    """
    began = time.monotonic()
    main = page.get_by_role("main")
    main.get_by_role("link", name="Boot a test machine").first.click()
    assert (
        page.get_by_label("Boot image").locator("option:checked").inner_text().startswith("My PE")
    )
    if not chosen:
        page.get_by_label("Boot image").select_option("")
    page.get_by_role("button", name="Boot a test machine").click()
    page.wait_for_function(NEWEST_IS_NEW, arg=known)
    known.append(page.locator(NEWEST).first.get_attribute("href"))
    machine = page.locator(".test-machine").filter(has=page.locator(f'a[href="{known[-1]}"]'))
    verdict = machine.locator(".verdict")
    verdict.wait_for(timeout=MACHINE)
    seen = " ".join(verdict.inner_text().split())
    seconds = time.monotonic() - began
    record(NOTES, name=f"whole story, {phase}", passed=words in seen, seconds=seconds)
    assert words in seen


def assert_seen(wall, state, *, boots):
    """The list of boots that nobody touched has it, too, as its newest."""
    wall.locator(".boot-row").nth(boots - 1).wait_for(timeout=20 * SECOND)
    newest = wall.locator(".boot-row").first
    newest.get_by_text(state, exact=True).wait_for(timeout=20 * SECOND)
