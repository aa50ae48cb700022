"""Signing in at an OpenID Connect provider: one that really answers."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread

from netboot.config import Settings
from netboot.operations.accounts import accounts, audit
from netboot.site import Site
from web.app import create_app
from web.pages.accounts.single_sign_on import name_in, role_in

pytestmark = pytest.mark.loopback

PEOPLE = {
    "ann": {"preferred_username": "ann", "groups": ["netboot-admins", "staff"]},
    "bob": {"preferred_username": "bob", "groups": ["staff"]},
    "ada": {"preferred_username": "ada", "groups": ["netboot-admins"]},
    "eve": {"preferred_username": "eve", "groups": []},
}


@pytest.fixture
def provider():
    users = [User(sub=name, claims=claims) for name, claims in PEOPLE.items()]
    with run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def furnished_with_provider(furnished, provider):
    (furnished.data / "netboot.toml").write_text(
        f'oidc_issuer = "{provider}"\n'
        'oidc_client_id = "netboot"\n'
        'oidc_client_secret = "secret"\n'
        'webhook_networks = ["127.0.0.0/8", "::1/128"]\n'
        'oidc_label = "Sign in with the lab account"\n'
        'oidc_roles = { netboot-admins = "admin", staff = "operator" }\n'
    )
    return furnished


def go_through(client, person):
    """What a browser does: to the provider, say who one is, and back."""
    away = client.get("/sign-in/single-sign-on/").headers["Location"]
    asked = parse_qs(urlsplit(away).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["nonce"]
    form = {"sub": person}
    back = httpx.post(away, data=form, follow_redirects=False).headers["Location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}"), back


def test_who_has_a_group_gets_its_role(furnished_with_provider):
    """The best of them, at each sign-in; and no password opens the account."""
    app = create_app(furnished_with_provider)
    client = app.test_client()
    assert "Sign in with the lab account" in client.get("/sign-in").text
    answer, _ = go_through(client, "ann")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.get("/users/").status_code == 200
    account = accounts.get_account(furnished_with_provider, "ann")
    assert (account.role, account.external) == ("admin", True)
    assert accounts.authenticate(furnished_with_provider, "ann", "") is None
    again = app.test_client()
    go_through(again, "ann")
    assert (
        len([one for one in accounts.list_accounts(furnished_with_provider) if one.external]) == 1
    )
    go_through(app.test_client(), "bob")
    assert accounts.get_account(furnished_with_provider, "bob").role == "operator"


def test_behind_a_proxy_that_ends_tls_the_provider_sends_people_to_the_address_they_know(
    furnished_with_provider,
):
    """The setting says it, whatever the proxy or anybody else writes into headers."""
    file = furnished_with_provider.data / "netboot.toml"
    file.write_text(f'web_url = "https://netboot.example"\n{file.read_text()}')
    app = create_app(furnished_with_provider)
    client = app.test_client()
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    for base, headers in (
        ("https://netboot.example", {}),
        ("http://127.0.0.1:8080", forged),
    ):
        away = client.get("/sign-in/single-sign-on/", base_url=base, headers=headers)
        asked = parse_qs(urlsplit(away.headers["Location"]).query)
        assert asked["redirect_uri"] == ["https://netboot.example/sign-in/single-sign-on/callback"]
    away = client.get("/sign-in/single-sign-on/", base_url="https://netboot.example")
    answer = httpx.post(away.headers["Location"], data={"sub": "ann"}, follow_redirects=False)
    back = urlsplit(answer.headers["Location"])
    assert (back.scheme, back.netloc) == ("https", "netboot.example")
    signed_in = client.get(f"{back.path}?{back.query}", base_url="https://netboot.example")
    assert signed_in.status_code == 303
    assert "Secure" in signed_in.headers["Set-Cookie"]


def test_who_has_no_group_does_not_get_in(furnished_with_provider):
    """It is said, and recorded."""
    client = create_app(furnished_with_provider).test_client()
    answer, _ = go_through(client, "eve")

    assert answer.status_code == 403
    assert "Your single sign-on account has no role on this site" in answer.text
    assert client.get("/images/").status_code == 303
    (entry,) = audit.entries(furnished_with_provider)
    assert (entry.actor, entry.outcome) == ("eve", "refused")


def test_a_name_that_has_a_password_here_is_not_taken_over(furnished_with_provider):
    """The provider's ada is not the site's ada."""
    client = create_app(furnished_with_provider).test_client()
    answer, _ = go_through(client, "ada")

    assert answer.status_code == 403
    assert accounts.get_account(furnished_with_provider, "ada").external is False


def test_a_disabled_account_does_not_get_in(furnished_with_provider):
    """Whatever the provider says."""
    app = create_app(furnished_with_provider)
    go_through(app.test_client(), "bob")
    accounts.change_account(furnished_with_provider, "bob", disabled=True)
    answer, _ = go_through(app.test_client(), "bob")

    assert answer.status_code == 403
    assert "may not sign in here" in answer.text


def test_an_answer_that_was_not_asked_for_is_refused(furnished_with_provider):
    """Another browser's answer, an answer twice, one that was made up."""
    app = create_app(furnished_with_provider)
    client = app.test_client()
    _, back = go_through(client, "bob")
    parts = urlsplit(back)
    for browser in (app.test_client(), client):
        answer = browser.get(f"{parts.path}?{parts.query}")
        assert answer.status_code == 502
    made_up = app.test_client().get(f"{parts.path}?code=x&state=y")
    assert made_up.status_code == 502
    assert "Traceback" not in made_up.text


def test_a_provider_that_is_away_is_told_and_passwords_go_on(furnished):
    """The page stays up."""
    (furnished.data / "netboot.toml").write_text(
        'oidc_issuer = "http://127.0.0.1:1"\noidc_client_id = "x"\noidc_client_secret = "y"\n'
    )
    client = create_app(furnished).test_client()
    answer = client.get("/sign-in/single-sign-on/")

    assert answer.status_code == 502
    assert re.search(r"Accounts with a password can still sign in", answer.text)


def test_without_a_provider_there_is_no_button(shared_site):
    """And nothing at its address."""
    client = create_app(shared_site).test_client()

    assert "single-sign-on" not in client.get("/sign-in").text
    assert client.get("/sign-in/single-sign-on/").status_code == 404


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"groups": ["a", "b"]}, "admin"),
        ({"groups": "a"}, "viewer"),
        ({"groups": ["c"]}, ""),
        ({"groups": [{}, None, 7]}, ""),
        ({}, ""),
    ],
)
def test_the_best_role_counts(claims, expected):
    """Of the values that the claim holds, in whatever form."""
    roles = {"a": "viewer", "b": "admin"}
    settings = Settings.model_construct(
        oidc_role_claim="groups", oidc_roles=roles, oidc_default_role=""
    )

    assert role_in(claims, settings) == expected


def test_the_best_name_is_taken():
    """One that people can read; without any, none."""
    assert name_in({"sub": "1", "email": "a@b", "preferred_username": " "}) == "a@b"
    assert name_in({"sub": "1", "name": "x\ny"}) == "1"
    with pytest.raises(KeyError):
        name_in({"sub": 7})


def test_a_provider_on_this_machine_is_asked_only_if_that_is_allowed(
    furnished_with_provider, provider
):
    """Neither by name nor by address; the log says what to set."""
    path = furnished_with_provider.data / "netboot.toml"
    path.write_text(re.sub("webhook_networks.*\n", "", path.read_text()))
    port = urlsplit(provider).port
    for issuer in (provider, f"http://127.0.0.1:{port}", f"http://[::ffff:127.0.0.1]:{port}"):
        path.write_text(re.sub('oidc_issuer = ".*"', f'oidc_issuer = "{issuer}"', path.read_text()))
        client = create_app(Site.open(furnished_with_provider.data)).test_client()
        assert client.get("/sign-in/single-sign-on/").status_code == 502
