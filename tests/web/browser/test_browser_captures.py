"""A recorded boot in a browser: uploaded, read by the real worker, told on the page."""

import pytest

from tests.captures.reader import FOLDER
from tests.web.conftest import close
from tests.web.support import seeding
from tests.web.support.browsing import DESK, PHONE, Watched, axe_violations, sign_in
from tests.web.support.consoles import running_console, running_worker

pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(600)]

PATIENCE = 120_000  # ms: a browser on a busy machine


@pytest.fixture
def site(site):
    """An empty site with somebody who may sign in."""
    seeding.add_accounts(site)
    yield site
    close(site)


def test_a_recording_is_dropped_on_the_page_and_told(browser, site, tmp_path):
    """First what is none, then one that failed, then one that booted: each in plain words."""
    none = tmp_path / "notes.pcap"
    none.write_text("these are my notes, not a recording")
    context = browser.new_context(viewport=DESK)
    with running_console(site.data) as console, running_worker(site.data):
        watched = Watched(context)
        page = watched.page
        page.set_default_timeout(PATIENCE)
        sign_in(page, console.url)
        page.goto(f"{console.url}/network/")
        assert page.locator("[data-upload-submit]").is_disabled()
        give(page, none)
        page.wait_for_selector("#messages >> text=is not a network recording")

        give(page, FOLDER / "uefi32-edk2-native-dnsmasq-proxy.pcap")
        page.wait_for_selector("#live-captures .look-fault")
        assert "Stopped" in page.inner_text("#live-captures")

        give(page, FOLDER / "uefi64-edk2-native-snponly.pcap")
        page.wait_for_selector("text=It got as far as 10.77.0.2:80/amd64/boot.wim.cpio.")
        told = page.inner_text("#live-captures")
        assert "OFFER of 10.77.0.2 (port 67): the boot file snponly.efi." in told
        assert "Earlier recordings" in told
        assert "1 stopped" in told

        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert watched.complaints == []
        state = context.storage_state()
        inspected = browser.new_context(viewport=DESK, storage_state=state, bypass_csp=True)
        again = inspected.new_page()
        again.goto(f"{console.url}/network/", timeout=PATIENCE)
        assert axe_violations(again) == []
    inspected.close()
    context.close()


def give(page, path):
    """Choose a file and have it told."""
    page.set_input_files("#capture", str(path))
    page.wait_for_selector("[data-upload-submit]:enabled")
    page.click("[data-upload-submit]")
