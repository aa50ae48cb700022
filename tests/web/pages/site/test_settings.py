"""The page of settings."""

from netboot.operations import settings
from tests.web.conftest import htmx


def test_every_setting_is_shown_with_what_it_is_for(shared_site, make_client):
    """And a viewer cannot change it."""
    text = make_client(shared_site, "viewer").get("/settings/").text

    for setting in settings.read_settings(shared_site).settings:
        assert f'name="{setting.name}"' in text
    assert "Port of the boot HTTP service." in text
    assert "Save" not in text


def test_an_administrator_changes_a_setting(furnished, make_client):
    """It is written, and the page says from when on it counts."""
    client = make_client(furnished)
    answer = client.post("/settings/", data={"web_port": "9090"}, headers=htmx())
    text = client.get("/settings/").text

    assert answer.headers["HX-Redirect"] == "/settings/"
    assert "Changed, not yet active" in text
    assert "Restart the site to apply web_port." in text
    assert 'value="9090"' in text


def test_a_value_that_cannot_be_is_refused_with_its_reason(furnished, make_client):
    """Nothing is written."""
    answer = make_client(furnished).post("/settings/", data={"web_port": "many"}, headers=htmx())

    assert answer.status_code == 400
    assert "web_port is a number, not &#39;many&#39;" in answer.text
    assert not (furnished.data / "netboot.toml").exists()


def test_two_administrators_do_not_overwrite_each_other(furnished, make_client):
    """Who comes second is told, and what he typed is still in his form."""
    client = make_client(furnished)
    before = settings.read_settings(furnished).etag
    first = {"web_port": "9090", "etag": before}
    second = {"http_port": "9091", "etag": before}

    assert client.post("/settings/", data=first, headers=htmx()).status_code == 200
    assert client.post("/settings/", data=second, headers=htmx()).status_code in {409, 412}
    assert "9091" not in (furnished.data / "netboot.toml").read_text()


def test_only_administrators_change_settings(furnished, make_client):
    """An operator may look."""
    assert make_client(furnished, "operator").post("/settings/", data={}).status_code == 403
