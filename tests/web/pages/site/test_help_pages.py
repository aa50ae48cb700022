"""The documentation in the console."""

import pytest

from netboot.operations.accounts import accounts, tokens
from tests.help.built_pages import pages
from web.guard.request_safety import CONTENT_SECURITY_POLICY
from web.pages.site import help_pages


@pytest.fixture
def built(help_folder, monkeypatch):
    monkeypatch.setenv(help_pages.VARIABLE, str(help_folder))
    return help_folder


def test_everyone_who_is_signed_in_reads_every_page(built, shared_site, make_client):
    client = make_client(shared_site, "viewer")
    first = client.get("/help/")
    assert first.data == (built / "index.html").read_bytes()
    for name in pages(built):
        answer = client.get(f"/help/{name}.html")
        assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8"), name
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_without_signing_in_nothing_of_it_is_shown(built, shared_site, make_client):
    client = make_client(shared_site, "anonymous")
    for path in ("/help/", "/help/network.html", "/help/searchindex.js"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/sign-in")


def test_a_script_reads_it_with_a_token(built, shared_site, make_client):
    account = accounts.get_account(shared_site, "vera")
    _, token = tokens.create_token(shared_site, account, "reader", scope="read")
    client = make_client(shared_site, "anonymous")
    for header, status in ((f"Bearer {token}", 200), ("Bearer nb_wrong", 401)):
        answer = client.get("/help/network.html", headers={"Authorization": header})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("searchindex.js", "text/javascript; charset=utf-8"),
        ("_static/styles/furo.css", "text/css; charset=utf-8"),
        ("_images/overview-dark.png", "image/png"),
        ("_downloads/*/alerts.yml", "application/yaml"),
        ("_downloads/*/dashboard.json", "application/json"),
    ],
)
def test_each_kind_of_file_has_its_type(built, shared_site, make_client, end, kind):
    """Browsers are told not to guess."""
    (path,) = built.glob(end)
    answer = make_client(shared_site, "viewer").get(f"/help/{path.relative_to(built)}")
    assert (answer.status_code, answer.content_type) == (200, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data == path.read_bytes()


def test_a_page_is_asked_for_again_and_what_has_a_checksum_never(built, shared_site, make_client):
    """A page that has not changed is not sent again."""
    client = make_client(shared_site, "viewer")
    page = client.get("/help/network.html")
    assert page.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/help/network.html", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    style = client.get("/help/_static/styles/furo.css?v=1")
    assert style.headers["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "name",
    [
        "../web/app.py",
        "..%2f..%2fnetboot%2fcli.py",
        "%2e%2e/help.lock",
        "_static/../../help.lock",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "..\\index.html",
        "index.html%00.png",
        "_static/licenses/furo.txt",
        "reference",
        "no-such-page.html",
    ],
)
def test_only_files_of_the_pages_are_found(built, shared_site, make_client, name):
    """Nothing outside the folder, and nothing of a kind that pages are not made of."""
    answer = make_client(shared_site, "viewer").get(f"/help/{name}")
    assert answer.status_code in {301, 308, 404}
    assert b"root:" not in answer.data


@pytest.mark.parametrize("path", ["/help/", "/help/network.html"])
def test_without_pages_help_says_how_to_build_them(
    shared_site, make_client, monkeypatch, tmp_path, path
):
    monkeypatch.setenv(help_pages.VARIABLE, str(tmp_path))
    answer = make_client(shared_site, "viewer").get(path)
    assert answer.status_code == 404
    assert "<pre" in answer.text
    assert "make docs" in answer.text


def test_pages_are_found_next_to_the_code_or_in_the_checkout(monkeypatch, tmp_path):
    """An installed system has the first, a checkout the second."""
    monkeypatch.delenv(help_pages.VARIABLE, raising=False)
    installed, checkout = tmp_path / "web" / "help", tmp_path / "build" / "help"
    monkeypatch.setattr(help_pages, "PLACES", (installed, checkout))
    assert help_pages.help_folder() is None
    for folder in (checkout, installed):
        folder.mkdir(parents=True)
        (folder / "index.html").touch()
        assert help_pages.help_folder() == folder


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", "/help/"), ("/network/", "/help/network.html"), ("/jobs/", "/help/troubleshoot.html#")],
)
def test_every_page_links_to_its_chapter(shared_site, make_client, path, expected):
    """And the menu of the account to the first page."""
    text = make_client(shared_site, "viewer").get(path).text
    assert f'href="{expected}' in text
    assert '<a class="dropdown-item" href="/help/">' in text
