"""Headers, host names, forged requests."""

import pytest

from web.app import create_app
from web.guard.request_safety import host_is_trusted


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8080", True),
        ("10.0.0.5", True),
        ("[::1]:8080", True),
        ("[fe80::1]", True),
        ("localhost:8080", True),
        ("boot.lab.example", True),
        ("BOOT.lab.example.:80", True),
        ("evil.example", False),
        ("boot.lab.example.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_addresses_and_listed_names_are_trusted(host, expected):
    """A name can be rebound by its owner, an address cannot."""
    trusted = frozenset({"localhost", "boot.lab.example"})

    assert host_is_trusted(host, trusted) == expected


def test_an_unlisted_name_is_told_what_to_do(furnished, make_client):
    """The page names the setting."""
    response = make_client(furnished).get("/", headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert "trusted_hosts" in response.text


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/assets/x/y", "/nowhere", "/live?topic=nothing"]
)
def test_every_answer_carries_the_headers(shared_site, make_client, path):
    """Pages, errors and files alike."""
    headers = make_client(shared_site, "viewer").get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_a_post_without_its_token_is_refused(furnished, make_client):
    """Another site's page cannot press our buttons."""
    app = create_app(furnished)
    client = make_client(furnished, "admin", csrf=True, app=app)

    for rule in app.url_map.iter_rules():
        if not rule.methods & {"POST", "PATCH", "DELETE"}:
            continue
        method = next(iter(rule.methods & {"POST", "PATCH", "DELETE"}))
        values = dict.fromkeys(rule.arguments, "1")
        path = app.url_map.bind("localhost").build(rule.endpoint, values, method=method)
        response = client.open(path, method=method, headers={"Tus-Resumable": "1.0.0"})
        assert response.status_code == 400, rule
        assert "The form has expired" in response.text, rule


def test_the_token_of_the_page_is_taken_as_a_header(furnished, make_client):
    """As htmx and tus send it."""
    client = make_client(furnished, "operator", csrf=True)
    page = client.get("/images/lab-pe-x64").text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    response = client.post("/images/lab-pe-x64/default", headers={"X-CSRFToken": token})

    assert response.status_code == 303


def test_a_form_that_is_too_large_is_refused(furnished, make_client):
    """Large files go another way."""
    response = make_client(furnished, "operator").post(
        "/images/lab-pe-x64/comment", data={"comment": "x" * (3 << 20), "row_version": "1"}
    )

    assert response.status_code == 413
