"""The page of the Lab PE: make it here, or import what another machine made."""

import io

import pytest

from netboot.operations import jobs, lab_pe
from netboot.store.images import lab_pe_file
from tests.web.support.uploading import send

PAGE = "/images/import/lab-pe/"


@pytest.fixture
def missing(monkeypatch):
    """`missing(packages…)`: what this system lacks for a build."""
    return lambda *packages: monkeypatch.setattr(lab_pe, "missing_for", lambda _what: packages)


@pytest.fixture
def prepared(tmp_path):
    """A small file of the right kind."""
    for name in lab_pe_file.NEEDED:
        (tmp_path / "build" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "build" / name).write_bytes(name.encode())
    out = io.BytesIO()
    lab_pe_file.pack(tmp_path / "build", out, key="k-1", release="1.0")
    return out.getvalue()


def test_where_nothing_is_missing_one_button_makes_it(furnished, make_client, missing):
    """Then the page shows the job, and the button is gone."""
    missing()
    client = make_client(furnished, "operator")
    assert f'action="{PAGE}build"' in client.get(PAGE).text
    assert client.post(f"{PAGE}build").status_code == 303
    (job,) = jobs.list_jobs(furnished, kind=lab_pe.KIND)

    shown = client.get(PAGE).text
    assert f"Job {job.id}" in shown
    assert f'action="{PAGE}build"' not in shown


def test_where_packages_are_missing_the_page_names_them_and_offers_the_import(
    furnished, make_client, missing
):
    """No button that could only fail; who posts all the same is told the same."""
    missing("gcc", "gnu-efi")
    client = make_client(furnished, "operator")
    shown = client.get(PAGE).text

    assert "apt-get install gcc gnu-efi" in shown
    assert f'action="{PAGE}build"' not in shown
    assert f'action="{PAGE}import"' in shown
    answer = client.post("/api/v1/lab-pe/build")
    assert "gcc, gnu-efi are not installed" in answer.json["detail"]
    assert answer.status_code == 409


def test_a_viewer_sees_the_state_and_no_button(furnished, make_client, missing):
    missing()
    shown = make_client(furnished, "viewer").get(PAGE).text

    assert "Lab PE x64" in shown
    assert f'action="{PAGE}' not in shown


def test_an_uploaded_file_becomes_a_job(furnished, make_client, prepared):
    """On the page and over the API."""
    client = make_client(furnished, "operator")
    by_page = client.post(f"{PAGE}import", data={"upload": send(client, "lab-pe", prepared)})
    by_api = client.post("/api/v1/lab-pe/import", json={"upload": send(client, "b", prepared)})

    assert (by_page.status_code, by_api.status_code) == (303, 202)
    assert len(jobs.list_jobs(furnished, kind=lab_pe.KIND)) == 2


def test_a_file_of_another_kind_is_refused_at_once(furnished, make_client):
    """It becomes no job."""
    client = make_client(furnished, "operator")
    upload = send(client, "boot.wim", b"MSWIM\0\0\0" * 200)
    answer = client.post("/api/v1/lab-pe/import", json={"upload": upload})

    assert answer.status_code == 400
    assert "not a prepared Lab PE" in answer.json["detail"]
    assert jobs.list_jobs(furnished, kind=lab_pe.KIND) == []


def test_the_api_tells_the_state(furnished, make_client, missing):
    missing("gcc")
    told = make_client(furnished, "viewer").get("/api/v1/lab-pe").json

    assert (told["missing"], told["job"]) == (["gcc"], 0)
    assert "Lab PE x64" in [image["name"] for image in told["images"]]
