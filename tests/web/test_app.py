"""The application as a whole."""

import re

import pytest
from sqlalchemy import event

from web.app import NAVIGATION, create_app

PAGES = (
    "/",
    "/images/",
    "/images/lab-pe-x64",
    "/images/windows-pe-11",
    "/images/windows-pe-11/customisation",
    "/images/lab-pe-x64/source",
    "/images/lab-pe-x64/versions",
    "/images/import",
    "/drivers/",
    "/drivers/import",
    "/distribution-points/",
    "/boots/",
    "/test-machines/",
    "/jobs/",
    "/audit/",
    "/account/",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("identity", ["operator", "admin"])
def test_every_page_is_there_for_whom_may_see_it(shared_site, make_client, path, identity):
    """Each page answers, names itself, and opens a live stream."""
    response = make_client(shared_site, identity).get(path)

    assert response.status_code == 200
    assert re.search(r"<title>[^<]+ · netboot</title>", response.text)
    assert 'hx-sse:connect="/live?topic=activity' in response.text
    assert len(re.findall(r"<h1", response.text)) == 1


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_script_or_style_or_foreign_addresses(shared_site, make_client, path):
    """The policy forbids them, and labs have no internet."""
    text = make_client(shared_site).get(path).text

    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", text)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)


def test_the_viewer_sees_no_buttons_that_are_refused(shared_site, make_client):
    """Only signing out is left to press, and what is his own: password, sessions and tokens."""
    for path in PAGES:
        if path.endswith("import"):
            continue
        actions = re.findall(r'<form method="post" action="([^"]+)"', make_client(
            shared_site, "viewer").get(path).text)  # fmt: skip
        others = {action for action in actions if not action.startswith("/account/")}
        assert others == {"/sign-out"}, path


def test_the_navigation_marks_where_one_is(shared_site, make_client):
    """For eyes by colour, for screen readers by aria-current."""
    client = make_client(shared_site, "viewer")
    for endpoint, label, *_ in NAVIGATION:
        app = client.application
        path = app.url_map.bind("localhost").build(endpoint)
        here = re.findall(r'aria-current="page">(.*?)</a>', client.get(path).text, re.DOTALL)
        assert [label] == [re.sub(r"<[^>]+>", "", text).strip() for text in here]


def test_two_sites_have_two_applications(site, shared_site):
    """Nothing of a site is global."""
    assert create_app(site).config["SECRET_KEY"] != create_app(shared_site).config["SECRET_KEY"]


@pytest.fixture
def asked(shared_site):
    """The statements that the database was asked."""
    found = []

    def note(*words):
        found.append(words[2])

    event.listen(shared_site.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(shared_site.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/machines/", "/drivers/", "/drivers/conflicts"),
        *("/images/lab-pe-x64", "/images/lab-pe-x64/coverage"),
    ],
)
def test_a_page_reads_in_one_transaction(shared_site, make_client, asked, path):
    """All its operations see one state, and the change counters are read once."""
    client = make_client(shared_site)
    client.get(path)
    asked.clear()
    assert client.get(path).status_code == 200

    assert asked.count("BEGIN") == 1
    assert sum("FROM changes" in statement for statement in asked) == 1


def test_no_page_keeps_a_connection(shared_site, make_client):
    """Whether it worked, was refused or is not there."""
    client, anonymous = make_client(shared_site), make_client(shared_site, "anonymous")
    for path in ("/", "/no-such-page", "/images/nothing", "/sign-in", "/live/part?topic=jobs"):
        client.get(path)
        anonymous.get(path)

    assert shared_site.database.engine.pool.checkedout() == 0
