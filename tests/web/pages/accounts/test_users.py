"""Users: administrators manage who may sign in."""

import pytest

from netboot.operations.accounts import accounts, audit
from tests.web.conftest import htmx, sign_in
from tests.web.support.seeding import PASSWORD
from web.app import create_app


@pytest.fixture
def admin(furnished, make_client):
    return make_client(furnished, "admin")


def change(name="otto", role="operator", version="1", **more):
    return {"role": role, "row_version": version, **more}


def test_a_user_is_made_changed_and_deleted(furnished, admin):
    """With the role that was chosen."""
    form = {"name": "zoe", "role": "viewer", "password": PASSWORD}
    assert admin.post("/users/", data=form).headers["Location"] == "/users/"
    text = admin.get("/users/").text
    assert "User zoe (viewer) created." in text
    assert "/users/zoe" in text
    admin.post("/users/zoe/change", data=change(role="operator"))
    assert accounts.get_account(furnished, "zoe").role == "operator"
    assert "User zoe (viewer) created." not in admin.get("/users/zoe").text
    admin.post("/users/zoe/delete")
    assert admin.get("/users/zoe").status_code == 404


def test_two_administrators_do_not_overwrite_each_other(furnished, admin):
    """The second sees what the first one did."""
    assert admin.post("/users/otto/change", data=change(role="viewer")).status_code == 303
    second = admin.post("/users/otto/change", data=change(role="admin"), headers=htmx())

    assert second.status_code == 412
    assert "Current value" in second.text
    seen = {"was.role": "operator", "was.disabled": ""}
    third = admin.post("/users/otto/change", data={**change(role="operator"), **seen,
                                                   "disabled": "yes"})  # fmt: skip
    assert third.status_code == 303
    otto = accounts.get_account(furnished, "otto")
    assert (otto.role, otto.disabled) == ("viewer", True)
    assert accounts.get_account(furnished, "otto").role == "viewer"


def test_a_disabled_user_is_out_at_once(furnished, make_client, admin):
    """The open session ends, and the password opens nothing."""
    app = create_app(furnished)
    otto = make_client(furnished, "operator", app=app)
    assert otto.get("/images/").status_code == 200
    admin.post("/users/otto/change", data=change(disabled="yes"))

    assert otto.get("/images/").status_code == 303
    again = app.test_client().post("/sign-in", data={"name": "otto", "password": PASSWORD})
    assert again.status_code == 401


def test_the_last_administrator_stays(furnished, admin):
    """Nobody could manage the site afterwards."""
    for path, form in (
        ("/users/ada/change", change(role="viewer")),
        ("/users/ada/change", change(role="admin", disabled="yes")),
        ("/users/ada/delete", {}),
    ):
        answer = admin.post(path, data=form, headers=htmx())
        assert (answer.status_code, "last administrator" in answer.text) == (409, True)
    assert accounts.get_account(furnished, "ada").role == "admin"


def test_a_new_password_ends_sessions(furnished, make_client, admin):
    """Whoever was signed in with the old one is out."""
    otto = make_client(furnished, "anonymous")
    sign_in(otto, furnished, "operator")
    admin.post("/users/otto/password", data={"password": "another horse battery"})

    assert otto.get("/images/").status_code == 303
    assert accounts.authenticate(furnished, "otto", "another horse battery")


@pytest.mark.parametrize("form", [{"name": "x"}, {"name": "x", "role": "king"}, {"role": "viewer"}])
def test_a_user_that_cannot_be_is_refused(admin, form):
    """And says why."""
    answer = admin.post("/users/", data=form, headers=htmx())

    assert answer.status_code == 400
    assert "alert-title" in answer.text


def test_a_lock_out_is_shown_and_ended_on_the_page_and_over_the_api(furnished, admin, make_client):
    """With address and time; both leave an entry in the audit log."""
    guesser = make_client(furnished, "anonymous")

    def guess():
        for _ in range(5):
            guesser.post(
                "/sign-in",
                data={"name": "otto", "password": "no"},
                environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
            )

    guess()
    for page in ("/users/", "/users/otto"):
        text = admin.get(page).text
        assert "203.0.113.9" in text
        assert "15 minutes" in text
        assert 'action="/users/otto/unlock"' in text
    admin.post("/users/otto/unlock")
    text = admin.get("/users/").text
    assert "otto can sign in again." in text
    assert "203.0.113.9" not in text

    guess()
    (otto,) = [one for one in admin.get("/api/v1/accounts").json["items"] if one["name"] == "otto"]
    assert [one["address"] for one in otto["lockouts"]] == ["203.0.113.9"]
    ended = admin.delete("/api/v1/accounts/otto/lockouts").json["items"]
    assert [one["name"] for one in ended] == ["otto"]
    assert admin.get("/api/v1/accounts/otto").json["lockouts"] == []
    actions = [entry.action for entry in audit.entries(furnished, limit=50)]
    assert (actions.count("accounts.unlock"), actions.count("accounts.lock_out")) == (2, 2)
