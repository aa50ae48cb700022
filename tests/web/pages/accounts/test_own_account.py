"""Your account: password, sessions, tokens."""

import re

import pytest

from netboot.operations.accounts import accounts, tokens
from tests.web.conftest import htmx, sign_in
from tests.web.support.seeding import PASSWORD
from web.app import create_app
from web.pages.accounts.own_account import browser_name

NEW = "another horse battery"


@pytest.fixture
def app(furnished):
    return create_app(furnished)


@pytest.fixture
def vera(furnished, make_client, app):
    return make_client(furnished, "viewer", app=app)


def test_the_password_is_changed_against_the_old_one(furnished, app, vera):
    """Other browsers are signed out; this one stays."""
    other = app.test_client()
    sign_in(other, furnished, "viewer")
    form = {"old_password": PASSWORD, "password": NEW, "again": NEW}
    assert vera.post("/account/password", data=form).status_code == 303

    assert vera.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 303
    assert accounts.authenticate(furnished, "vera", NEW)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"old_password": "guess", "password": NEW, "again": NEW}, 400),
        ({"old_password": PASSWORD, "password": NEW, "again": "other"}, 400),
        ({"old_password": PASSWORD, "password": "short", "again": "short"}, 400),
    ],
)
def test_a_change_that_does_not_fit_is_refused(furnished, vera, form, status):
    """The old password stays."""
    assert vera.post("/account/password", data=form, headers=htmx()).status_code == status
    assert accounts.authenticate(furnished, "vera", PASSWORD)


def test_guessing_the_old_password_is_slowed_down(vera):
    """An open browser must not become a new password."""
    form = {"old_password": "guess", "password": NEW, "again": NEW}
    codes = [vera.post("/account/password", data=form).status_code for _ in range(6)]

    assert codes == [400] * 5 + [429]


def test_a_token_is_made_shown_once_used_and_revoked(furnished, app, vera):
    """Its text stands in the one answer only."""
    form = {"name": "nightly", "scope": "read", "days": "30"}
    made = vera.post("/account/tokens", data=form, headers=htmx())
    text = re.search(r'value="(nb_[^"]+)"', made.text)[1]

    assert made.status_code == 201
    assert text not in vera.get("/account/").text
    assert "nightly" in vera.get("/account/").text
    script = app.test_client()
    headers = {"Authorization": f"Bearer {text}"}
    assert script.get("/api/v1/me", headers=headers).json["name"] == "vera"
    (token,) = tokens.list_tokens(furnished, accounts.get_account(furnished, "vera").id)
    vera.post(f"/account/tokens/{token.id}/revoke")
    assert script.get("/api/v1/me", headers=headers).status_code == 401


def test_without_script_the_token_comes_on_a_page(vera):
    """The same view."""
    made = vera.post("/account/tokens", data={"name": "x", "scope": "read", "days": "7"})

    assert "<html" in made.text
    assert re.search(r'value="nb_[^"]+"', made.text)


def test_only_scopes_that_one_has_are_offered(furnished, vera, make_client):
    assert 'value="operate"' not in vera.get("/account/").text
    assert 'value="administer"' in make_client(furnished, "admin").get("/account/").text
    refused = vera.post("/account/tokens", data={"name": "x", "scope": "operate", "days": "7"})
    assert refused.status_code == 400


def test_another_browser_is_signed_out_from_here(furnished, app, vera):
    """By its row in the list."""
    other = app.test_client()
    sign_in(other, furnished, "viewer")
    handles = re.findall(r'action="/account/sessions/([0-9a-f]+)/end"', vera.get("/account/").text)

    assert len(handles) == 1
    vera.post(f"/account/sessions/{handles[0]}/end")
    assert other.get("/account/").status_code == 303
    assert vera.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/5 Chrome/156.0 Safari/5", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/156.0 Safari/5 Edg/156.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Gecko Firefox/150.0", "Firefox on macOS"),
        ("curl/8.1", "curl"),
        ("", "unknown"),
        ("<b>", "<b>"),
    ],
)
def test_browsers_are_told_apart(agent, expected):
    """In words that people know."""
    assert browser_name(agent) == expected
