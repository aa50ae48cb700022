"""What a person sees after a button, before an upload, and in a chart, in a real browser."""

import time

import pytest

from netboot.operations import jobs
from netboot.operations.images import images
from tests.web.support import seeding
from tests.web.support.browsing import DESK, wait_until_live

pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(600)]

SOON = 20_000


def test_a_notice_follows_its_job_to_the_end(open_page, console, console_site):
    """Waiting, then what became of it; the page is not loaded again."""
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/lab-pe-x64")
    page.get_by_role("button", name="Update Distribution Points").last.click()
    notice = page.locator("#live-notice")
    notice.get_by_text("waiting for the worker").wait_for(timeout=SOON)
    wait_until_live(page)
    page.evaluate("window.stayed = true")
    job = jobs.list_jobs(console_site)[0]
    result = {
        "image": "Lab PE x64",
        "version": 2,
        "changed": True,
        "before": 1,
        "reach": "Done so.",
    }
    console_site.jobs.finish(job.id, "succeeded", result=result)

    notice.get_by_text("Lab PE x64 v2 is served. Done so.").wait_for(timeout=SOON)
    assert notice.get_by_role("button", name="Undo").is_visible()
    assert page.evaluate("window.stayed") is True


def test_a_taken_name_is_refused_before_the_upload(open_page, console, tmp_path):
    """Nothing is sent; with another name the same file goes."""
    page = open_page(viewport=DESK)
    sent = []
    page.on("request", lambda one: sent.append(one.url) if "/uploads/" in one.url else None)
    wim = tmp_path / "boot.wim"
    wim.write_bytes(b"MSWIM" + bytes(1000))
    page.goto(f"{console.url}/images/import")
    page.fill("#image-name", "Lab PE x64")
    page.set_input_files("#wim", str(wim))
    page.get_by_text("Not uploaded: choose another name").wait_for(timeout=SOON)
    assert "already exists" in page.locator("#name-state").inner_text()
    assert sent == []

    page.fill("#image-name", "A new name")
    page.set_input_files("#wim", [])
    page.set_input_files("#wim", str(wim))
    page.get_by_text("boot.wim uploaded").wait_for(timeout=SOON)
    assert sent


def test_a_conflict_is_settled_in_the_dialog_without_a_reload(open_page, console, console_site):
    page = open_page(viewport=DESK)
    page.goto(f"{console.url}/images/lab-pe-x86/customisation")
    page.fill("#comment", "mine")
    images.set_comment(console_site, "lab-pe-x86", "theirs")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Your value: mine").check(timeout=SOON)
    page.locator("#messages").get_by_role("button", name="Save").click()
    page.get_by_text("Version and comment saved.").wait_for(timeout=SOON)

    assert images.get_image(console_site, "lab-pe-x86").comment == "mine"


TICKS = """() => {
    window.ticks = [];
    const fill = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
        if (this.canvas.closest('[data-chart="rates"]')) window.ticks.push(text);
        return fill.call(this, text, ...more);
    };
}"""


def test_a_chart_of_one_point_has_one_time_and_no_time_twice(open_page, console, console_site):
    page = open_page(viewport=DESK)
    page.add_init_script(f"({TICKS})()")
    chart = page.locator('[data-chart="rates"]')
    seeding.tell(console_site, *seeding.boot_events("52:54:00:00:11:22", at=time.time() - 60))
    page.goto(f"{console.url}/boots/")
    chart.wait_for(timeout=SOON)
    for points in ('{"x": [1700000000], "y": [9]}', '{"x": [1700000000, 1700000070], "y": [9, 8]}'):
        page.evaluate(
            """points => {
                const box = document.querySelector('[data-chart="rates"]');
                window.ticks = [];
                box.dataset.points = points;
                document.dispatchEvent(new CustomEvent("netboot:theme"));
            }""",
            points,
        )
        page.wait_for_function("() => window.ticks.some((text) => text.includes(':'))")
        times = [text for text in page.evaluate("window.ticks") if ":" in text]
        assert len(times) == len(set(times)), times
        assert len(times) == 1 or "1700000070" in points
