"""A real browser: Debian's Chromium, driven by Playwright."""

import contextlib
import re
from pathlib import Path

import pytest

from tests.web.support.seeding import PASSWORD

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parents[1] / "vendor" / "axe.js"

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}

# Pages that no link leads to: what is searched for and not there, what was never there.
UNLINKED = (
    "/drivers/?search=nothing-like-it",
    "/boots/?search=nothing-like-it",
    "/boots/codes?code=PXE-E55",
    "/boots/codes?code=nonsense",
    "/images/windows-pe-11",
    "/images/lab-pe-x64/coverage?machines=all",
    "/machines/?add=list",
    "/nowhere",
)


@contextlib.contextmanager
def chromium():
    """A browser for the length of a block; skips where there is none."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.skip("needs /usr/bin/chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page whose complaints are kept: script errors, refused policies, failed loads."""

    def __init__(self, context):
        self.page = context.new_page()
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)
        self.page.on("dialog", self._refuse)

    def _listen(self, message):
        # A 404 page that a test asks for is no complaint; what a page loads itself is.
        if message.type == "error" and not re.search("status of 4[01]", message.text):
            self.complaints.append(message.text)

    def _refuse(self, dialog):
        self.complaints.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()


def sign_in(page, url, name="ada"):
    """Through the form, as a person does."""
    page.goto(f"{url}/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"{url}/")


def axe_violations(page):
    """What axe finds, one line for each node."""
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:160]} {' '.join(node['failureSummary'].split())[:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def wait_until_live(page):
    """Until the page's stream is open."""
    page.wait_for_function("() => document.documentElement.dataset.live === 'yes'", timeout=90_000)
