"""The page of settings."""

import re

from netboot.operations import jobs, settings
from netboot.operations.backups import making
from netboot.site import Site
from tests.web.conftest import htmx


def test_every_setting_is_shown_with_what_it_is_for(shared_site, make_client):
    """And a viewer cannot change it."""
    text = make_client(shared_site, "viewer").get("/settings/").text

    for setting in settings.read_settings(shared_site).settings:
        assert f'name="{setting.name}"' in text
    assert "Port of the boot HTTP service." in text
    assert re.findall(r'<h2 class="card-title"[^>]*>([^<]*)<', text)[:3] == [
        "Boot network",
        "Boot programs",
        "This page",
    ]
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


def test_settings_that_two_administrators_change_are_merged_or_chosen(furnished, make_client):
    """Different settings: both count. The same one: a form with both values."""
    client = make_client(furnished)
    before = settings.read_settings(furnished).etag
    seen = {"etag": before, "was.web_port": "8080", "was.http_port": "8081"}
    first = {**seen, "web_port": "9090", "http_port": "8081"}
    second = {**seen, "web_port": "8080", "http_port": "9091"}
    third = {**seen, "web_port": "7070", "http_port": "8081"}
    for form in (first, second):
        assert client.post("/settings/", data=form, headers=htmx()).status_code == 200
    now = settings.read_settings(furnished)
    assert {one.name: one.text for one in now.settings if one.origin == "file"} == {
        "web_port": "9090",
        "http_port": "9091",
    }

    late = client.post("/settings/", data=third, headers=htmx())
    assert late.status_code == 412
    assert re.findall(r'type="radio" name="([^"]*)" value="([^"]*)"', late.text) == [
        ("web_port", "7070"),
        ("web_port", "9090"),
    ]


def test_a_secret_in_a_conflict_is_not_shown(furnished, make_client):
    """Neither what was typed nor what is there."""
    client = make_client(furnished)
    seen = {"etag": "none", "was.oidc_client_secret": "", "oidc_client_secret": "mine-marked"}
    (furnished.data / "netboot.toml").write_text('oidc_client_secret = "theirs-marked"\n')
    late = client.post("/settings/", data=seen, headers=htmx())

    assert late.status_code == 412
    assert "theirs-marked" not in late.text
    assert 'Your value: <span class="pre-line text-break">(hidden)' in late.text


def test_choices_are_chosen_and_numbers_have_their_range(furnished, make_client):
    """A person picks words; what is the default is not written into the file."""
    client = make_client(furnished)
    text = client.get("/settings/").text
    tls = text.split('name="tls"')[1].split("</select>")[0]
    assert re.findall(r'value="([^"]*)"(?: selected)?>([^<]*)<', tls) == [
        ("off", "Off (HTTP) (default)"),
        ("self-signed", "Self-signed certificate"),
        ("files", "Certificate from files"),
    ]
    assert re.search(r'type="number" min="1" max="65535"[^>]*name="web_port"', text)
    assert 'list="known-interface"' in text

    etag = settings.read_settings(furnished).etag
    form = {"etag": etag, "tls": "self-signed", "metrics": "signed-in", "web_port": "8080"}
    client.post("/settings/", data=form)
    assert (furnished.data / "netboot.toml").read_text() == 'tls = "self-signed"\n'
    etag = settings.read_settings(furnished).etag
    client.post("/settings/", data={"etag": etag, "tls": "off"})
    assert (furnished.data / "netboot.toml").read_text() == ""


def test_an_error_names_the_file_that_is_there(furnished, make_client):
    """Not the copy in which a change was tried."""
    answer = make_client(furnished).post("/settings/", data={"web_port": "70000"}, headers=htmx())

    assert answer.status_code == 400
    assert f"Correct {furnished.data / 'netboot.toml'} or" in answer.text
    assert ".try" not in answer.text


def test_the_page_shows_the_last_backup_and_starts_one(make_client, furnished, tmp_path):
    """Where no folder is set it says how; viewers see it and cannot start one."""
    assert "No backup was made yet" in make_client(furnished).get("/settings/").text
    refused = make_client(furnished).post("/settings/backup", data={}, headers=htmx())
    assert "no folder for backups is set" in refused.text.lower()
    folder = tmp_path / "backups"
    folder.mkdir()
    (furnished.data / "netboot.toml").write_text(f'backup_folder = "{folder}"\n')
    site = Site.open(furnished.data)
    made = making.make_backup(site, folder)
    text = make_client(site, "viewer").get("/settings/").text

    assert made.file in text
    assert "Back up now" not in text
    assert "Back up now" in make_client(site).get("/settings/").text
    make_client(site).post("/settings/backup", data={"full": "yes"}, headers=htmx())
    job = jobs.list_jobs(site)[0]
    assert (job.kind, job.arguments["incremental"]) == ("back_up", False)
    site.database.close()
