"""The console in a real browser: how it looks, and whether everybody can use it."""

from dataclasses import dataclass, field

import pytest

from netboot.operations import jobs
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from tests.web.support import seeding
from tests.web.support.browsing import DESK, PHONE, UNLINKED, Watched, axe_violations
from tests.web.support.crawling import Views, every_page, pages_of

# A busy machine takes minutes for what a quiet one does in seconds; no test waits by sleeping.
pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(900)]


OPAQUE = "(which) => getComputedStyle(document.querySelector(which)).opacity === '1'"


@pytest.fixture(scope="module")
def site(console_site):
    return console_site


@pytest.fixture(scope="module")
def paths(site, administrator):
    """One page of every kind that links lead to, and some that none leads to."""
    job = jobs.submit(site, "build_version", {"image": "Lab PE x64"}, title="A job")
    site.jobs.report(job.id, progress=0.3, stage="adding drivers", line="a line of its log")
    site.jobs.finish(job.id, "failed", message="it failed")
    offline = administrator.get("/boots/?outcome=offline").text.partition("boot-who")[2]
    boot = offline.partition('href="')[2].partition('"')[0]
    return [page.path for page in every_page(administrator, also=(*UNLINKED, boot))]


def test_no_page_is_forgotten(site, paths):
    """What the tests below visit is every page that the application has, and what is not found."""
    views = Views(site)

    assert pages_of(site) == {views.at(path) for path in paths} - {""}
    assert {path for path in UNLINKED if "?" in path} <= set(paths)


@dataclass
class Seen:
    """What was seen of a page: axe's complaints by theme, and its width on a phone in pixels."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    width_on_a_phone: int = 0


@pytest.fixture(scope="module")
def looked_at(browser, state, console, paths):
    """Every page, visited once: in the theme that it comes in, in the other, and on a phone."""
    options = {"bypass_csp": True, "viewport": DESK, "reduced_motion": "reduce"}
    context = browser.new_context(storage_state=state, **options)
    watched = Watched(context)
    page, found = watched.page, {}
    for path in paths:
        seen = found[path] = Seen()
        page.goto(console.url + path)
        for _ in range(2):
            theme = page.evaluate("document.documentElement.dataset.bsTheme")
            seen.violations[theme] = axe_violations(page)
            page.dispatch_event("#theme-toggle", "click")
        page.dispatch_event(
            "#theme-toggle", "click"
        )  # so that the next page comes in the other theme
        page.set_viewport_size(PHONE)
        seen.width_on_a_phone = page.evaluate("document.documentElement.scrollWidth")
        page.set_viewport_size(DESK)
    context.close()
    assert watched.complaints == []
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(looked_at, theme):
    """Contrast, names, regions, headings: no violation on any page in either theme."""
    found = {path: seen.violations[theme] for path, seen in looked_at.items()}

    assert {path: violations for path, violations in found.items() if violations} == {}


def test_a_phone_needs_no_sideways_scrolling(looked_at):
    """360 pixels are enough for every page."""
    widths = {path: seen.width_on_a_phone for path, seen in looked_at.items()}

    assert {path: width for path, width in widths.items() if width > PHONE["width"]} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_dialogs_and_menus(open_page, console, theme):
    """The opened menu, the opened dialogs, the list of keys."""
    page = open_page(color_scheme=theme, bypass_csp=True, viewport=DESK, reduced_motion="reduce")
    page.goto(f"{console.url}/images/lab-pe-x64")
    page.get_by_role("button", name="Actions").click()
    page.wait_for_selector(".dropdown-menu.show")
    assert axe_violations(page) == []
    page.keyboard.press("Escape")
    page.locator("#content").focus()
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    assert axe_violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add driver", exact=True).first.click()
    page.wait_for_selector("#driver-choices li")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('#add-driver')).opacity === '1'"
    )
    assert axe_violations(page) == []


@pytest.mark.parametrize("path", ["/sign-in", "/setup"])
def test_axe_finds_nothing_before_signing_in(browser, console, path):
    """The first pages that anybody sees."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(console.url + path)

    assert axe_violations(page) == []
    context.close()


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
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
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
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.goto(f"{console.url}/drivers/")

    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_an_address_may_open_a_dialog(open_page, console):
    """A link of another page leads straight to the choice of drivers."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/lab-pe-x64?add=driver")
    page.wait_for_selector("#add-driver.show")
    page.wait_for_selector("#driver-choices li")

    assert page.get_by_role("dialog", name="Add driver to Lab PE x64").is_visible()


def test_keys_lead_everywhere(open_page, console):
    """`g b` goes to the boots, `/` to the search, and typing stays typing."""
    page = open_page(viewport=DESK)
    page.goto(console.url)
    page.keyboard.press("g")
    page.keyboard.press("b")
    page.wait_for_url("**/boots/")
    page.keyboard.press("/")
    page.keyboard.type("gj?")
    assert page.input_value("#search") == "gj?"
    page.keyboard.press("Enter")
    page.wait_for_url("**/boots/?search=gj*")

    assert page.get_by_text("No matching boots").is_visible()


def test_a_choice_in_a_filter_needs_no_button(open_page, console):
    """The list is another as soon as something is chosen, and the address can be kept."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/boots/")
    page.select_option("#outcome", "offline")
    page.wait_for_url("**outcome=offline**")

    assert page.locator(".boot-row .state").all_inner_texts() == ["Offline"]


def test_charts_are_drawn_and_tell_their_story_in_words(open_page, console):
    """Numbers become pictures; who does not see them is told."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/boots/")
    page.wait_for_selector("[data-chart=rates] canvas")
    words = [box.get_attribute("aria-label") for box in page.locator("[data-chart]").all()]
    page.locator(".boot-who a").last.click()
    page.wait_for_selector("[data-chart=speed] canvas")

    assert "came online" in words[0]
    assert "9.8 MB/s" in words[1]


def test_a_code_on_a_screen_is_explained(open_page, console):
    """From the list of boots to the cause and the cure."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/boots/")
    page.get_by_role("link", name="Look up an error code").click()
    page.fill("#code", "pxe e55")
    page.keyboard.press("Enter")
    answer = page.get_by_role("status").filter(has_text="PXE-E55")

    answer.get_by_text("Open UDP port 4011 of this server.").wait_for()
    assert "no reply to the request on port 4011" in answer.inner_text()


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

    assert page.input_value("#comment") == "what I typed"
    assert images.get_image(site, "Lab PE x64").comment == "what somebody else typed"


def test_a_question_is_asked_before_it_hurts(open_page, console, site):
    """Cancel does nothing; yes does it."""
    seeding.add_image(site, "Doomed", is_lab=False)
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/doomed")
    for answer in ("Cancel", "Continue"):
        page.get_by_role("button", name="Actions").click()
        page.get_by_role("button", name="Delete boot image").click()
        page.locator("#confirm").get_by_role("button", name=answer).click()
        if answer == "Cancel":
            assert images.get_image(site, "Doomed")
    page.wait_for_url("**/images/")

    assert "Doomed" not in {image.name for image in images.list_images(site)}


def test_what_was_done_can_be_undone(open_page, console, site):
    """A button in the message takes it back, as long as the message stands."""
    driver = next(one for one in drivers.list_drivers(site, enabled=True) if one.name == "vga")
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/drivers/{driver.digest[7:]}")
    page.get_by_role("button", name="Disable").first.click()
    page.get_by_text("vga is disabled.").wait_for()
    assert not drivers.get_driver(site, driver.digest).enabled
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("vga is enabled.").wait_for()

    assert drivers.get_driver(site, driver.digest).enabled
