"""What is recorded of what comes in."""

import pytest

from netboot.operations.accounts import audit
from tests.web.conftest import htmx
from tests.web.support.seeding import PASSWORD


@pytest.fixture
def site(furnished):
    return furnished


def newest(site):
    return audit.entries(site, limit=1)[0]


def test_a_change_on_a_page_is_recorded_with_who_and_what(site, make_client):
    """By whoever is signed in, about what stands in the address, with what was sent."""
    client = make_client(site, "operator")
    version = 2
    client.post(
        "/images/lab-pe-x64/comment", data={"comment": "new", "row_version": version},
        headers=htmx(),
    )  # fmt: skip
    entry = newest(site)

    assert (entry.actor, entry.via, entry.action, entry.subject) == (
        "otto",
        "page",
        "images.set_comment",
        "images/lab-pe-x64",
    )
    assert entry.details["comment"] == "new"
    assert entry.address == "127.0.0.1"


def test_looking_and_failing_are_not_recorded_but_being_refused_is(site, make_client):
    """A try at what one may not do stands in the log."""
    client = make_client(site, "viewer")
    client.get("/images/")
    client.post("/sign-in", data={})
    before = audit.count(site, actor="vera")
    client.post("/images/lab-pe-x64/default")
    make_client(site, "operator").post("/images/no-such-image/default")

    assert (before, audit.count(site, actor="vera")) == (0, 1)
    assert newest(site).outcome == audit.REFUSED
    assert audit.count(site, actor="otto") == 0


def test_signing_in_and_out_is_recorded_and_so_is_failing_to(site, make_client):
    """A name that nobody has is not written down: it may be a password."""
    client = make_client(site, "anonymous")
    client.post("/sign-in", data={"name": "ada", "password": "wrong"})
    client.post("/sign-in", data={"name": PASSWORD, "password": "wrong"})
    client.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    client.post("/sign-out")
    found = [(entry.action, entry.outcome, entry.actor) for entry in audit.entries(site)]

    assert found == [
        ("accounts.sign_out", "done", "ada"),
        ("accounts.sign_in", "done", "ada"),
        ("accounts.sign_in", "failed", "an unknown user"),
        ("accounts.sign_in", "failed", "ada"),
    ]
    assert PASSWORD not in str(audit.entries(site))


def test_no_password_gets_into_the_log(site, make_client):
    """Of those that administrators give, either."""
    client = make_client(site, "admin")
    client.post("/users/", data={"name": "zoe", "role": "viewer", "password": "hunter2 hunter2"})
    client.post("/users/zoe/password", data={"password": "hunter3 hunter3"})

    assert [entry.action for entry in audit.entries(site)] == [
        "accounts.set_password",
        "accounts.create",
    ]
    assert "hunter" not in str(audit.entries(site))
