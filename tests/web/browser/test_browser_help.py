"""Help in a real browser: the policy refuses nothing, the search finds, everybody can use it."""

import pytest

from tests.web.support.browsing import DESK, PHONE, axe_violations
from web.pages.site import help_pages

pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(900)]

LOOKED_AT = ("index", "network", "reference/settings", "search")


@pytest.fixture(scope="module", autouse=True)
def built(help_folder):
    """Before the console starts: it inherits the variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(help_pages.VARIABLE, str(help_folder))
        yield help_folder


def test_a_chapter_is_opened_from_its_page_and_searched(open_page, console):
    """The page complains of nothing: no refused script, style or request (see `open_page`)."""
    page = open_page(viewport=DESK)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{console.url}/network/")
    page.get_by_role("link", name="Help", exact=True).first.click()
    page.wait_for_url("**/help/network.html")
    assert page.get_by_role("heading", name="The network").is_visible()
    page.get_by_role("searchbox").or_(page.locator(".sidebar-search")).first.fill("snooping")
    page.keyboard.press("Enter")
    page.wait_for_url("**/help/search.html?q=snooping**")
    found = page.locator("#search-results li a").first
    found.wait_for()
    page.locator("#search-results .context").first.wait_for()  # read from the page itself
    found.click()
    page.wait_for_url("**/help/network.html**")
    page.get_by_role("link", name="← Console").click()
    page.wait_for_url(f"{console.url}/")

    assert [url for url in asked if not url.startswith((console.url, "data:"))] == []


def test_help_has_the_theme_of_the_console_and_keeps_the_choice_for_both(open_page, console):
    page = open_page(viewport=DESK, color_scheme="light")
    page.goto(console.url)
    page.get_by_role("button", name="Theme").click()
    page.goto(f"{console.url}/help/")
    assert page.evaluate("document.body.dataset.theme") == "dark"
    page.locator(".theme-toggle-content .theme-toggle").click()
    chosen = page.evaluate("document.body.dataset.theme")
    assert chosen != "dark"
    page.goto(console.url)

    assert page.evaluate("localStorage.getItem('netboot-theme') || 'auto'") == chosen


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_help(open_page, console, theme):
    """Contrast, names, regions, headings."""
    page = open_page(color_scheme=theme, bypass_csp=True, viewport=DESK, reduced_motion="reduce")
    found = {}
    for name in LOOKED_AT:
        page.goto(f"{console.url}/help/{name}.html")
        found[name] = axe_violations(page)

    assert {name: violations for name, violations in found.items() if violations} == {}


def test_a_phone_needs_no_sideways_scrolling_in_help(open_page, console):
    """Tables and code scroll by themselves."""
    page = open_page(viewport=PHONE)
    widths = {}
    for name in LOOKED_AT:
        page.goto(f"{console.url}/help/{name}.html")
        widths[name] = page.evaluate("document.documentElement.scrollWidth")

    assert {name: width for name, width in widths.items() if width > PHONE["width"]} == {}
