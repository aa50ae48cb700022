"""How faults are answered."""

import pytest

from netboot.errors import (
    AlreadyExists,
    BlobMissing,
    DriverNotEnabled,
    EditConflict,
    InUse,
    InvalidInput,
    NotFound,
    NotPermitted,
)
from netboot.operations.images import images
from tests.web.conftest import htmx
from web.app import create_app
from web.responses import status_of


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (NotFound("x"), 404),
        (InvalidInput("x"), 400),
        (NotPermitted("x"), 403),
        (AlreadyExists("x"), 409),
        (EditConflict("x"), 412),
        (InUse("x"), 409),
        (DriverNotEnabled("x"), 409),
        (BlobMissing("x"), 503),
    ],
)
def test_the_status_says_whose_fault_it_is(fault, expected):
    """Absent 404, unusable 400, in the way 409, changed meanwhile 412, damage of ours 503."""
    assert status_of(fault) == expected


def test_a_fault_is_a_page_with_its_hint(furnished, make_client):
    """Without script a whole page comes, with navigation."""
    response = make_client(furnished).get("/images/no-such-image")

    assert response.status_code == 404
    assert "There is no boot image" in response.text
    assert "Boot images: " in response.text
    assert "Driver catalog" in response.text


def test_htmx_gets_a_message_and_the_form_stays(furnished, make_client):
    """Only the message is sent, so that what was typed stays where it is."""
    response = make_client(furnished, "operator").post(
        "/images/import", data={"name": "", "comment": "typed"}, headers=htmx()
    )

    assert response.status_code == 400
    assert "Enter a name for the boot image" in response.text
    assert "<html" not in response.text
    assert "HX-Redirect" not in response.headers


def test_htmx_is_led_on_by_a_header(furnished, make_client):
    """fetch() would follow a redirect by itself and put the page into the message's place."""
    response = make_client(furnished, "operator").post("/images/lab-pe-x64/default", headers=htmx())

    assert (response.status_code, response.headers["HX-Redirect"]) == (200, "/images/lab-pe-x64")


def test_a_fault_of_a_get_goes_to_the_messages_not_into_the_list(furnished, make_client):
    """A filter that fails must not replace the list by an error."""
    response = make_client(furnished, "operator").get(
        "/images/no-such-image/driver-choices", headers=htmx()
    )

    assert (response.status_code, response.headers["HX-Retarget"]) == (404, "#messages")


def test_a_bug_has_a_reference_and_shows_no_insides(furnished, make_client, monkeypatch, caplog):
    """The page names a number, the log has the traceback beside it."""

    def broken(_site):
        secret = "hunter2 in a local variable"
        raise ZeroDivisionError(secret[:3])

    app = create_app(furnished)
    client = make_client(furnished, "viewer", app=app)
    monkeypatch.setattr(images, "list_images", broken)
    response = client.get("/images/")

    assert response.status_code == 500
    assert "See reference" in response.text
    assert "ZeroDivisionError" not in response.text
    assert "hunter2" not in response.text
    assert "ZeroDivisionError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_message_may_carry_the_way_back(furnished, make_client):
    """A form that does the opposite, with its fields."""
    from netboot.operations.drivers import drivers

    client = make_client(furnished)
    digest = drivers.get_driver(furnished, "e1000").digest
    client.post("/images/lab-pe-x64/drivers/remove", data={"driver": digest}, headers=htmx())
    text = client.get("/images/lab-pe-x64").text

    assert 'action="/images/lab-pe-x64/drivers/add"' in text
    assert f'name="driver" value="{digest}"' in text
    assert "Undo" in text
