"""The page behind proxies: who asks, and what its address is; nobody else may say so."""

import ipaddress
import time

import pytest

from netboot.operations.accounts import accounts, audit, sessions
from web.app import create_app
from web.guard.public_address import client_address
from web.guard.request_safety import limiter

PROXIES = [ipaddress.ip_network(text) for text in ("10.0.0.1", "10.2.0.0/16", "::1")]
DIRECT = {"REMOTE_ADDR": "203.0.113.9"}
BY_PROXY = {"REMOTE_ADDR": "10.0.0.1"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.2.0.1, 10.2.0.2", "10.2.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_who_asks_is_read_from_the_servers_side(peer, forwarded, expected):
    """What a client wrote itself stands before what the first proxy of ours added."""
    assert client_address(peer, forwarded, PROXIES) == expected


def seen_address(site, environ, **headers):
    """Under which address a failed sign-in stands in the audit log."""
    client = create_app(site).test_client()
    client.application.config["WTF_CSRF_ENABLED"] = False
    client.post(
        "/sign-in", data={"name": "nobody", "password": "x"}, environ_base=environ, headers=headers
    )
    return audit.entries(site)[0].address


def test_headers_of_strangers_say_nothing(furnished):
    """Neither who they are, nor that they came by TLS, nor under which name."""
    forged = {
        "X-Forwarded-For": "10.9.9.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=10.9.9.9;host=evil.example;proto=https",
    }
    limiter.reset()
    assert seen_address(furnished, DIRECT, **forged) == "203.0.113.9"
    (furnished.data / "netboot.toml").write_text('trusted_proxies = ["10.0.0.1"]\n')
    vars(furnished).pop("settings", None)
    assert seen_address(furnished, DIRECT, **forged) == "203.0.113.9"
    assert seen_address(furnished, BY_PROXY, **forged) == "10.9.9.9"


def _secret_of(site):
    """What a session of the administrator holds."""
    ada = accounts.get_account(site, "ada")
    secret = sessions.begin(site, ada.id, now=time.time())
    return {"_user_id": str(ada.id), "_fresh": True, "id": secret}


def test_the_pages_address_is_a_setting(furnished, make_client):
    """Cookies go by TLS only, browsers keep to TLS, and the name is answered."""
    (furnished.data / "netboot.toml").write_text('web_url = "https://NetBoot.example/"\n')
    client = make_client(furnished, "anonymous")
    with client.session_transaction(base_url="https://netboot.example") as session:
        session.update(_secret_of(furnished))
    outside = {"base_url": "https://netboot.example"}
    page = client.get("/account/api/", **outside)

    assert page.status_code == 200
    assert "https://netboot.example/api/v1" in page.text
    assert "max-age" in page.headers["Strict-Transport-Security"]
    assert client.application.config["SESSION_COOKIE_SECURE"]
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    forged = {"X-Forwarded-Host": "evil.example"}
    assert "evil" not in client.get("/account/api/", headers=forged, **outside).text


def test_without_the_setting_the_asked_address_counts(furnished, make_client):
    """As before: no name of our own, no promise of TLS."""
    client = make_client(furnished)
    page = client.get("/account/api/", headers={"Host": "localhost:8080"})

    assert "http://localhost:8080/api/v1" in page.text
    assert "Strict-Transport-Security" not in page.headers
    assert not client.application.config["SESSION_COOKIE_SECURE"]
