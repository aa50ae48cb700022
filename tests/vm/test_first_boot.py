"""The README's first boot, as a newcomer does it: `netboot run` in lab mode, and the page.

No step is taken behind the page's back, and what the page says of a machine is what counts.
"""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netboot.site import Site
from tests.web.browsing import Watched, chromium
from tests.web.seeding import PASSWORD
from vm.summary import record

pytestmark = [
    pytest.mark.vm,
    pytest.mark.browser,
    pytest.mark.netns,
    pytest.mark.wimlib,
    pytest.mark.timeout(1200),
]

NOTES = Path(__file__).parents[1] / "output" / "boots.json"
MACHINE = 240_000  # ms: a whole boot on a busy machine
BUILD = 120_000


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
    assert 0 == process.returncode


def line_token(said):
    """The token from `Set-up token X   (asked for once …)`."""
    return next(name.split()[2] for name in said if name.startswith("Set-up token"))


def test_a_newcomer_sees_a_machine_go_from_offline_to_online(run):
    """Offline without the driver; still offline and old before the update; then online with it."""
    url, token = run
    with chromium() as browser:
        watched = Watched(browser.new_context(viewport={"width": 1280, "height": 900}))
        page = watched.page
        become_administrator(page, url, token)
        assert_boots(page, url, "offline", "Lab PE x64 v1 came up, but no driver fits")
        enable_and_add(page, url)
        page.get_by_role("link", name="import a real Windows PE").wait_for()
        page.get_by_role("button", name="Build version 2").click()
        page.get_by_text("Version 2 is built, but machines").wait_for(timeout=BUILD)
        assert_boots(page, url, "pending", "Lab PE x64 v1 came up, but no driver fits")
        page.goto(f"{url}/images/lab-pe-x64")
        page.get_by_role("button", name="Actions").click()
        page.get_by_role("button", name="Update Distribution Points").first.click()
        page.get_by_text("Machines get version 2").wait_for(timeout=BUILD)
        assert_boots(page, url, "online", "with driver e1000 on Lab PE x64 v2")

        page.goto(f"{url}/boots/")
        newest = page.locator(".boot-row").first
        newest.get_by_text("Online").wait_for()
        assert 5 == newest.locator(".rung-done").count()
        page.context.close()
    assert [] == watched.complaints


def become_administrator(page, url, token):
    page.goto(url)
    page.fill("#token", token)
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.get_by_role("button", name="Create the administrator").click()
    page.get_by_role("heading", name="Overview").wait_for()


def enable_and_add(page, url):
    page.goto(f"{url}/drivers/?search=e1000")
    row = page.locator("tr", has=page.get_by_role("link", name="e1000", exact=True))
    row.filter(has_text="x64").get_by_role("button", name="Enable").click()
    page.get_by_text("e1000 is enabled").wait_for()
    page.goto(f"{url}/images/lab-pe-x64")
    page.get_by_role("button", name="Add driver", exact=True).first.click()
    page.fill("#driver-search", "e1000")
    page.locator("#driver-choices").get_by_role("button", name="Add").first.click()
    page.get_by_text("e1000 was added").wait_for()


def assert_boots(page, url, phase, words):
    """Boot a test machine by the button, and wait for what the page says of it."""
    began = time.monotonic()
    page.goto(f"{url}/test-machines/")
    tested = page.locator(".test-machine").count()
    page.get_by_role("button", name="Boot a test machine").click()
    page.locator(".test-machine").nth(tested).wait_for()
    verdict = page.locator(".test-machine").first.locator(".verdict")
    verdict.wait_for(timeout=MACHINE)
    seen = " ".join(verdict.inner_text().split())
    seconds = time.monotonic() - began
    record(NOTES, name=f"first boot, {phase}", passed=words in seen, seconds=seconds)
    assert words in seen
