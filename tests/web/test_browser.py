"""The console in a real browser: looks, reach, life, safety."""

import shutil
import time

import pytest

from netboot.boot.events import Discovered, PeReported, RequestIgnored
from netboot.operations import accounts, boots, drivers, images, jobs
from netboot.site import Site
from tests.web import seeding
from tests.web.browsing import PAGES, Watched, axe_violations, chromium, sign_in
from tests.web.conftest import close
from tests.web.consoles import Console, running_console

# A busy machine takes minutes for what a quiet one does in seconds; no test waits by sleeping.
pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(900)]

LOADS = 60
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def console(furnished_folder, tmp_path_factory):
    """A running console with a furnished site, for all tests of this module."""
    data = shutil.copytree(furnished_folder, tmp_path_factory.mktemp("browser") / "data")
    with running_console(data) as running:
        yield running


@pytest.fixture(scope="module")
def state(browser, console):
    """The cookie of a signed-in administrator."""
    context = browser.new_context()
    sign_in(context.new_page(), console.url)
    stored = context.storage_state()
    context.close()
    return stored


@pytest.fixture(scope="module")
def site(console):
    """The same site, seen from the test."""
    opened = Site.open(console.data)
    yield opened
    close(opened)


@pytest.fixture
def open_page(browser, state):
    """Opens watched pages of a signed-in administrator; they must not have complained."""
    opened = []

    def open_one(**options):
        context = browser.new_context(storage_state=state, **options)
        opened.append((context, Watched(context)))
        return opened[-1][1].page

    yield open_one
    for context, watched in opened:
        context.close()
        assert [] == watched.complaints


def wait_until_live(page):
    page.wait_for_function("() => document.documentElement.dataset.live === 'yes'", timeout=10_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(open_page, console, path, theme):
    """Contrast, names, regions, headings: no violation on any page in either theme."""
    page = open_page(color_scheme=theme, bypass_csp=True, viewport=DESK)
    page.goto(console.url + path)
    page.wait_for_load_state("load")

    assert theme == page.evaluate("document.documentElement.dataset.bsTheme")
    assert [] == axe_violations(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_details_dialogs_and_menus(open_page, console, site, theme):
    """A driver, a boot, a job, the opened menu, the opened dialogs, a message."""
    page = open_page(color_scheme=theme, bypass_csp=True, viewport=DESK)
    job = jobs.submit(site, "build_version", {"image": "Lab PE x64"}, title="A job")
    site.jobs.finish(job.id, "failed", message="it failed")
    for list_page, link in (("/drivers/", "a[href^='/drivers/']"), ("/boots/", ".boot-who a"),
                            ("/jobs/", "td a")):  # fmt: skip
        page.goto(console.url + list_page)
        page.locator("main").locator(link).nth(1 if "drivers" in list_page else 0).click()
        page.wait_for_load_state("load")
        assert [] == axe_violations(page), list_page
    page.goto(f"{console.url}/images/lab-pe-x64")
    page.get_by_role("button", name="Actions").click()
    page.wait_for_selector(".dropdown-menu.show")
    assert [] == axe_violations(page)
    page.get_by_role("button", name="Add driver…").click()
    page.wait_for_selector("#driver-choices li")
    page.wait_for_timeout(400)  # the dialog fades in
    assert [] == axe_violations(page)


@pytest.mark.parametrize("path", ["/sign-in", "/setup"])
def test_axe_finds_nothing_before_signing_in(browser, console, path):
    """The first pages that anybody sees."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(console.url + path)

    assert [] == axe_violations(page)
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scrolling(open_page, console, path):
    """360 pixels are enough."""
    page = open_page(viewport=PHONE)
    page.goto(console.url + path)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_menu_opens_on_a_phone(open_page, console):
    """Behind its button."""
    page = open_page(viewport=PHONE)
    page.goto(console.url)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Driver catalog").click()
    page.wait_for_url("**/drivers/")

    assert page.get_by_role("heading", name="Driver catalog").is_visible()


def test_everything_can_be_reached_with_the_keyboard(open_page, console):
    """The first tab stop skips the navigation; a dialog opens by key and closes by Escape."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/lab-pe-x64")
    page.keyboard.press("Tab")
    assert "Skip to the content" == page.evaluate("document.activeElement.textContent")
    button = page.get_by_role("button", name="Add driver", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.closest('#add-driver')")
    page.keyboard.press("Escape")

    page.wait_for_selector("#add-driver", state="hidden")


def test_the_chosen_theme_stays(open_page, console):
    """Also on the next page, and before it is painted."""
    page = open_page(color_scheme="light")
    page.goto(console.url)
    page.get_by_role("button", name="Theme").click()
    assert "dark" == page.evaluate("document.documentElement.dataset.bsTheme")
    page.goto(f"{console.url}/drivers/")

    assert "dark" == page.evaluate("document.documentElement.dataset.bsTheme")


def test_sixty_loads_open_sixty_streams(open_page, console):
    """htmx and its extension are one file; in two, one load in twenty stayed dead."""
    page = open_page()
    for _ in range(LOADS):
        page.goto(f"{console.url}/jobs/")
        wait_until_live(page)

    assert page.evaluate("document.documentElement.dataset.live") == "yes"


def test_a_boot_climbs_its_ladder_before_ones_eyes(open_page, console, site):
    """Each event shows soon and without a reload."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/boots/")
    wait_until_live(page)
    page.evaluate("window.stayed = true")
    mac = "52:54:00:77:77:77"
    events = seeding.boot_events(mac, at=time.time())
    row = page.locator(".boot-row", has_text=mac)
    slowest = 0.0
    for count, rungs in ((1, 1), (2, 2), (4, 3), (7, 4), (8, 5)):
        began = time.monotonic()
        seeding.tell(site, *events[events_told(count) : count])
        row.locator(".rung-done").nth(rungs - 1).wait_for(timeout=20_000)
        slowest = max(slowest, time.monotonic() - began)
    row.get_by_text("Online").wait_for(timeout=20_000)

    assert page.evaluate("window.stayed") is True
    assert slowest < 10.0  # 0.5 s on a quiet machine
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
    import hashlib
    import random

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
            "() => document.querySelector('[data-upload-state] progress')?.value > 0"
        )
        console.stop(9)
        reached = sum(
            p.stat().st_size for p in (data / "uploads").glob("*/parts/*") if not p.suffix
        )
        assert 0 < reached < file.stat().st_size
        console = Console(data, console.port).start()
        page.get_by_text("winpe.wim uploaded").wait_for(timeout=240_000)
        assert "winpe" == page.input_value("#image-name")
        assert page.get_by_role("button", name="Import").is_enabled()
        uploaded = next((data / "uploads").glob("*/files/winpe.wim"))
        digests = [hashlib.sha256(path.read_bytes()).digest() for path in (file, uploaded)]
        assert digests[0] == digests[1]
    finally:
        context.close()
        console.stop()


def test_a_refused_form_keeps_what_was_typed(open_page, console, site):
    """The dialog stays open with the text and says what is wrong."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/lab-pe-x64")
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("button", name="Edit comment…").click()
    page.fill("#comment", "what I typed")
    images.set_comment(site, "Lab PE x64", "what somebody else typed")
    page.locator("#edit-comment").get_by_role("button", name="Save").click()
    page.locator("#comment-messages [role=alert]").wait_for()

    assert "what I typed" == page.input_value("#comment")
    assert "what somebody else typed" == images.get_image(site, "Lab PE x64").comment


def test_a_question_is_asked_before_it_hurts(open_page, console, site):
    """Cancel does nothing; yes does it."""
    seeding.add_image(site, "Doomed", is_lab=False)
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/doomed")
    for answer in ("Cancel", "Yes, go on"):
        page.get_by_role("button", name="Actions").click()
        page.get_by_role("button", name="Delete image").click()
        page.locator("#confirm").get_by_role("button", name=answer).click()
        if answer == "Cancel":
            assert images.get_image(site, "Doomed")
    page.wait_for_url("**/images/")

    assert "Doomed" not in {image.name for image in images.list_images(site)}


PAYLOADS = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    '"><script>window.hit=1</script>',
    "'><img src=x onerror=window.hit=1>",
    '" onmouseover="window.hit=1',
    "' autofocus onfocus='window.hit=1",
    "javascript:window.hit=1",
    "</title><script>window.hit=1</script>",
    "</textarea><script>window.hit=1</script>",
    "</pre><script>window.hit=1</script>",
    "<iframe srcdoc='<script>parent.hit=1</script>'>",
    "<hx-partial hx-target='body'>hit</hx-partial>",
    "<template hx type=partial hx-target=body>hit</template>",
    "<div hx-get=/jobs/ hx-trigger=load>x</div>",
    "<form action=//evil.example><button>x</button></form>",
    "<a href=javascript:window.hit=1>x</a>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<body onload=window.hit=1>",
    "<details open ontoggle=window.hit=1>",
    "<video><source onerror=window.hit=1>",
    "<math><mi xlink:href=javascript:window.hit=1>x</mi></math>",
    "<object data=javascript:window.hit=1>",
    "<embed src=javascript:window.hit=1>",
    "<input onfocus=window.hit=1 autofocus>",
    "<marquee onstart=window.hit=1>",
    "<isindex type=image src=1 onerror=window.hit=1>",
    "&lt;script&gt;window.hit=1&lt;/script&gt;",
    "{{7*7}}{% if 1 %}x{% endif %}",
    "${window.hit=1}",
    "`;window.hit=1;`",
    "\\u003cscript\\u003ewindow.hit=1\\u003c/script\\u003e",
    "<!--><script>window.hit=1</script>-->",
    "<![CDATA[<script>window.hit=1</script>]]>",
    "<noscript><p title='</noscript><script>window.hit=1</script>'>",
    "<p style='background:url(javascript:window.hit=1)'>",
    "<x hx-on:click=window.hit=1 id=live-boots>",
)


def plant(site, tmp_path):
    """Put every payload into every text that people, drivers and machines bring."""
    now = time.time()
    paths = ["/", "/images/", "/drivers/", "/boots/", "/jobs/", "/test-machines/",
             "/distribution-points/"]  # fmt: skip
    for number, payload in enumerate(PAYLOADS):
        seeding.add_image(site, payload[:50] + f" {number}", comment=payload, is_lab=False)
        quoted = payload.replace('"', "").replace("%", "")
        seeding.add_driver(
            site, tmp_path / str(number), f"driver{number}", device=quoted, maker=quoted
        )
        mac = f"52:54:00:66:00:{number:02x}"
        words = {"architecture": payload, "firmware": payload, "stage": payload, "nic": payload}
        end = (
            RequestIgnored(at=now, mac=mac, reason=payload)
            if number % 2
            else PeReported(
                at=now, mac=mac, image=payload, version=1, driver=payload, device=payload
            )
        )
        seeding.tell(site, Discovered(at=now, mac=mac, **words), end)
    together = "\n".join(PAYLOADS)
    for payload in (*PAYLOADS[:20], together[:250]):
        job = jobs.submit(site, "boot_test_machine", {}, title=payload)
        site.jobs.report(job.id, progress=0.1, stage=payload, line=together)
        site.jobs.finish(job.id, "failed", message=together)
    paths += [f"/images/{image.slug}" for image in images.list_images(site)[:4]]
    paths += [f"/drivers/{driver.digest[7:]}" for driver in drivers.list_drivers(site)[:4]]
    paths += [f"/boots/{attempt.key}" for attempt in boots.attempts(site, 4)]
    return [*paths, f"/jobs/{job.id}", f"/jobs/{job.id - 1}"]


UNTOUCHED = """() => window.hit === undefined && !document.querySelector(
    'main script, main iframe, main object, main embed, main base, main style, main marquee')"""


def test_scripts_in_texts_stay_texts(browser, furnished_folder, tmp_path):
    """Forty payloads in every field that people, files or machines fill, on every kind of page."""
    data = shutil.copytree(furnished_folder, tmp_path / "data")
    site = Site.open(data)
    paths = plant(site, tmp_path)
    close(site)
    with running_console(data) as console:
        context = browser.new_context()
        watched = Watched(context)
        page = watched.page
        sign_in(page, console.url)
        for path in paths:
            page.goto(console.url + path)
            assert page.evaluate(UNTOUCHED), path
        for path in ("/boots/", "/jobs/", "/images/"):
            page.goto(console.url + path)
            wait_until_live(page)
            page.wait_for_function("() => document.querySelector('#live-activity') !== null")
            assert page.evaluate(UNTOUCHED), path
        context.close()

    assert [] == watched.complaints


def test_the_first_administrator_comes_in(browser, tmp_path):
    """From the token on the console to the overview, in the browser."""
    site = Site.open(tmp_path / "data")
    token = accounts.issue_setup_token(site)
    with running_console(site.data) as console:
        context = browser.new_context()
        page = context.new_page()
        page.goto(console.url)
        page.fill("#token", token)
        page.fill("#name", "ada")
        page.fill("#password", seeding.PASSWORD)
        page.fill("#again", seeding.PASSWORD)
        page.get_by_role("button", name="Create the administrator").click()
        page.get_by_role("heading", name="Overview").wait_for()
        context.close()
    close(site)

    assert drivers.list_drivers(site) == []
