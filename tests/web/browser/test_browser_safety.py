"""The console in a real browser: scripts in texts stay texts, in every field and on every page."""

import re
import shutil
import time

import pytest
from sqlalchemy import select

from netboot.boot.told.events import Discovered, PeReported, RequestIgnored
from netboot.operations import jobs
from netboot.operations.images.images import list_images
from netboot.site import Site
from netboot.store.database.records import ImageRow
from tests.web.conftest import close
from tests.web.support import seeding
from tests.web.support.browsing import Watched, sign_in, wait_until_live
from tests.web.support.consoles import running_console
from tests.web.support.crawling import Views, every_page, fields_of_templates
from web.guard.request_safety import limiter

pytestmark = [pytest.mark.browser, pytest.mark.loopback, pytest.mark.timeout(900)]

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
    """Put every payload into every text that drivers, machines and jobs bring."""
    now = time.time()
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
    with site.database.writing() as session:
        for row in session.scalars(select(ImageRow)):  # or some fields would not be open
            row.facts = {**row.facts, "hives": ["SYSTEM", "SOFTWARE", "DEFAULT"]}
    together = "\n".join(PAYLOADS)
    for payload in (*PAYLOADS[:20], together[:250]):
        job = jobs.submit(site, "boot_test_machine", {}, title=payload)
        site.jobs.report(job.id, progress=0.1, stage=payload, line=together)
        site.jobs.finish(job.id, "failed", message=together)


@pytest.fixture
def planted(furnished_folder, tmp_path):
    """A console whose site is full of payloads."""
    data = shutil.copytree(furnished_folder, tmp_path / "data")
    site = Site.open(data)
    plant(site, tmp_path)
    close(site)
    with running_console(data) as console:
        yield console


UNTOUCHED = """() => window.hit === undefined && !document.querySelector(
    'main script, main iframe, main object, main embed, main base, main style, main marquee')"""


def test_scripts_in_texts_stay_texts(browser, planted, httpx_client):
    """Forty payloads in every field that files or machines fill, and in every form; on all pages.

    Forms are sent with each payload in each of their text fields. Whether it is taken or refused,
    no answer has it unquoted, and no page that shows it runs it.
    """
    context = browser.new_context()
    watched = Watched(context)
    page = watched.page
    sign_in(page, planted.url)
    client = httpx_client(planted.url, context)
    site = Site.open(planted.data)
    served = [image for image in list_images(site) if image.served_version]
    pages = every_page(client, each=2, first=[f"/images/{image.slug}" for image in served])
    assert list(unquoted(client, pages, Views(site))) == []
    for path in dict.fromkeys([*(one.path for one in pages), *with_payloads(pages)]):
        page.goto(planted.url + path)
        assert page.evaluate(UNTOUCHED), path
        assert "/sign-in" not in page.url, path
    for path in ("/boots/", "/jobs/", "/images/"):
        page.goto(planted.url + path)
        wait_until_live(page)
        assert page.evaluate(UNTOUCHED), path
    context.close()

    assert watched.complaints == []


OWN_PASSWORD = "/users/ada/password"
"""A new password would sign out whose eyes these are; the form of another account stands for it."""

TRIED_ELSEWHERE = {"token"}
"""Of the very first page, which is gone once somebody was made."""


def unquoted(client, pages, views):
    """Where an answer has a payload as it was sent: each form, each text field, each payload."""
    sent = set()
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/").text)[1]
    for page in pages:
        for form in page.forms:
            view = views.at(form.action, form.method.upper())
            for name in form.texts:
                if (view, name) in sent or form.action == OWN_PASSWORD:
                    continue
                sent.add((view, name))
                yield from _try_field(client, token, form, name)
    assert set() == fields_of_templates() - TRIED_ELSEWHERE - {name for _, name in sent}


def _try_field(client, token, form, name):
    for payload in PAYLOADS:
        values = {**form.values, name: payload}
        if form.method == "get":
            answer = client.get(form.action, params=values)
        else:
            values["csrf_token"] = token
            answer = client.post(form.action, data=values, headers={"HX-Request": "true"})
        assert answer.status_code < 500, (form.action, name, payload)
        if payload.startswith("<") and payload in answer.text:
            yield f"{form.action} {name}: {payload}"


def with_payloads(pages):
    """Addresses of searches that look for payloads."""
    from urllib.parse import urlencode

    together = " ".join(payload for payload in PAYLOADS if len(payload) < 40)
    for page in pages:
        for form in page.forms:
            if form.method == "get":
                for name in form.texts:
                    for payload in (together[:90], together[90:180], PAYLOADS[0], PAYLOADS[3]):
                        yield form.action.partition("?")[0] + "?" + urlencode({name: payload})


@pytest.mark.parametrize("path", ["/setup", "/sign-in"])
def test_the_first_pages_quote_what_they_are_given(site, make_client, path):
    """Forty payloads in each field of the pages that anybody may see."""
    if path == "/sign-in":
        seeding.add_accounts(site)
    client = make_client(site, "anonymous")
    names = set(re.findall(r'<input[^>]* name="([^"]+)"', client.get(path).text))
    assert len(names) >= 2
    for payload in PAYLOADS:
        for name in names:
            limiter.reset()
            answer = client.post(path, data={**dict.fromkeys(names, "x"), name: payload})
            assert answer.status_code < 500
            assert payload[0] != "<" or payload not in answer.text


@pytest.fixture
def httpx_client():
    """Makes clients with the cookie of a browser's context."""
    import httpx

    opened = []

    def make(url, context):
        cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
        opened.append(httpx.Client(base_url=url, cookies=cookies, timeout=60))
        return opened[-1]

    yield make
    for client in opened:
        client.close()
