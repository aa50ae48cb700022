"""Setting up, signing in, signing out."""

import re

import pytest

from netboot.operations.accounts import accounts as operations
from tests.web.support.seeding import PASSWORD, add_accounts


@pytest.fixture
def anonymous(furnished, make_client):
    return make_client(furnished, "anonymous")


def test_an_empty_site_leads_every_page_to_the_set_up(site, make_client):
    """Nobody can sign in yet, so nothing else makes sense."""
    client = make_client(site, "anonymous")

    for path in ("/", "/images/", "/sign-in", "/drivers/import"):
        assert client.get(path).headers["Location"] == "/setup"
    assert client.get("/setup").status_code == 200


def test_the_token_makes_the_first_administrator_and_signs_in(site, make_client):
    """Token, name and password; after that the overview, and no second set-up."""
    client = make_client(site, "anonymous")
    token = operations.issue_setup_token(site)
    form = {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD}

    assert client.post("/setup", data=form).headers["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.get("/setup").status_code == 303
    assert client.post("/setup", data=form).status_code in {400, 409}
    assert [account.role for account in operations.list_accounts(site)] == ["admin"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"token": "guess"}, "not this site&#39;s setup token"),
        ({"again": "something else"}, "The two passwords do not match"),
        ({"password": "short", "again": "short"}, "at least 10 characters"),
        ({"name": "  "}, "needs a name"),
    ],
)
def test_a_set_up_that_fails_says_why_and_keeps_what_was_typed(site, make_client, change, sentence):
    """Nothing is made, and only the passwords have to be typed again."""
    client = make_client(site, "anonymous")
    token = operations.issue_setup_token(site)
    form = {"token": token, "name": "ada lovelace", "password": PASSWORD, "again": PASSWORD}
    response = client.post("/setup", data=form | change)

    assert response.status_code == 400
    assert sentence in response.text
    if "name" not in change:
        assert "ada lovelace" in response.text
    assert PASSWORD not in response.text
    assert operations.setup_needed(site) is True


def test_the_right_password_signs_in_and_goes_on(anonymous):
    """After signing in the page that was asked for comes."""
    response = anonymous.post(
        "/sign-in?next=/drivers/", data={"name": "otto", "password": PASSWORD}
    )

    assert (response.status_code, response.headers["Location"]) == (303, "/drivers/")
    assert "otto" in anonymous.get("/").text


def test_signing_in_cannot_lead_to_another_site(anonymous):
    """`next` is a path of ours, or the overview."""
    response = anonymous.post(
        "/sign-in?next=//evil.example/", data={"name": "otto", "password": PASSWORD}
    )

    assert response.headers["Location"] == "/"


def test_a_wrong_password_is_refused_without_saying_which_half_was_wrong(anonymous):
    """An unknown name and a wrong password read alike, and the name stays in the form."""
    wrong = anonymous.post("/sign-in", data={"name": "otto", "password": "no"})
    unknown = anonymous.post("/sign-in", data={"name": "nobody", "password": "no"})

    assert wrong.status_code == unknown.status_code == 401
    assert "The user name or password is incorrect" in wrong.text
    same = (re.sub(r'"[\w.-]{80,}"', "token", page.text) for page in (wrong, unknown))
    assert next(same).replace("otto", "nobody") == next(same)


def test_guessing_is_slowed_down_for_the_account_and_the_address(anonymous):
    """After five failures it waits, and is told how long; others can still sign in from there."""
    codes = [
        anonymous.post("/sign-in", data={"name": "ada", "password": f"no {n}"}).status_code
        for n in range(7)
    ]

    assert codes == [401] * 5 + [429] * 2
    right = anonymous.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert right.status_code == 429
    assert "Too many failed attempts to sign in, so wait 15 minutes." in right.text
    assert "netboot account unlock NAME" in right.text
    assert 0 < int(right.headers["Retry-After"]) <= 901
    assert (
        anonymous.post("/sign-in", data={"name": "otto", "password": PASSWORD}).status_code == 303
    )


def from_address(client, address, name, password):
    return client.post(
        "/sign-in",
        data={"name": name, "password": password},
        environ_overrides={"REMOTE_ADDR": address},
    ).status_code


def test_nobody_locks_the_only_administrator_out_from_elsewhere(anonymous):
    """Failures count for name and address together; IPv6 by the network of one client."""
    for address in ("203.0.113.9", "2001:db8::1"):
        assert [from_address(anonymous, address, "ada", "no") for _ in range(6)] == [
            *[401] * 5,
            429,
        ]
    assert from_address(anonymous, "2001:db8::2:3", "ada", "no") == 429

    assert from_address(anonymous, "2001:db8:0:1::1", "ada", "no") == 401
    assert from_address(anonymous, "192.0.2.1", "ada", PASSWORD) == 303


def test_an_address_that_tries_many_names_is_locked_out_as_a_whole(anonymous):
    codes = [from_address(anonymous, "203.0.113.9", f"name{n}", "no") for n in range(21)]

    assert codes == [401] * 20 + [429]
    assert from_address(anonymous, "203.0.113.9", "otto", PASSWORD) == 429
    assert from_address(anonymous, "192.0.2.1", "otto", PASSWORD) == 303


def test_a_session_begins_anew_at_sign_in(site, make_client):
    """What an attacker planted before the sign-in is not the session afterwards."""
    add_accounts(site)
    client = make_client(site, "anonymous")
    with client.session_transaction() as session:
        session["id"] = "planted"
    client.post("/sign-in", data={"name": "vera", "password": PASSWORD})

    with client.session_transaction() as session:
        assert session["id"] != "planted"


def test_the_cookie_is_kept_from_scripts_and_other_sites(anonymous):
    """HttpOnly and SameSite."""
    response = anonymous.post("/sign-in", data={"name": "vera", "password": PASSWORD})
    cookie = next(c for c in response.headers.getlist("Set-Cookie") if c.startswith("netboot="))

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_signing_out_leads_to_the_sign_in(furnished, make_client):
    """The button in the account menu."""
    client = make_client(furnished, "viewer")

    assert client.post("/sign-out").headers["Location"] == "/sign-in"
    assert client.get("/").headers["Location"] == "/sign-in?next=/"
