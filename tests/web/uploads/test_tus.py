"""Resumable uploads over tus 1.0."""

import base64
import hashlib
from pathlib import Path

import pytest

from netboot.errors import InvalidInput
from netboot.operations import jobs
from web.uploads.tus import parse_metadata

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**values):
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items()
    )


@pytest.fixture
def operator(furnished, make_client):
    return make_client(furnished, "operator")


def create(client, length, **values):
    headers = TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata(**values)}
    return client.post("/uploads/", headers=headers)


def patch(client, address, offset, data):
    return client.patch(address, headers=TUS | BYTES | {"Upload-Offset": str(offset)}, data=data)


def test_the_server_says_what_it_can(operator):
    """Version, extensions and the largest size."""
    headers = operator.options("/uploads/").headers

    assert headers["Tus-Version"] == "1.0.0"
    assert {"creation", "termination", "expiration"} <= set(headers["Tus-Extension"].split(","))
    assert int(headers["Tus-Max-Size"]) > 10**10


def test_a_file_comes_in_pieces_and_becomes_an_import(operator, furnished):
    """Created, half sent, asked for, finished, handed to a job."""
    data = bytes(range(256)) * 4096
    address = create(operator, len(data), filename="boot.wim").headers["Location"]
    assert patch(operator, address, 0, data[:300_000]).headers["Upload-Offset"] == "300000"
    asked = operator.head(address, headers=TUS)
    assert (200, "300000", str(len(data))) == (
        asked.status_code,
        asked.headers["Upload-Offset"],
        asked.headers["Upload-Length"],
    )
    assert "Upload-Expires" in asked.headers
    assert patch(operator, address, 300_000, data[300_000:]).status_code == 204
    batch = address.rsplit("/", 1)[1].split("-")[0]
    response = operator.post(
        "/images/import", data={"name": "PE", "upload": batch, "architecture": "x64", "index": "2"}
    )
    job = jobs.list_jobs(furnished)[0]

    assert response.headers["Location"] == f"/jobs/{job.id}"
    assert (
        job.kind,
        job.arguments["name"],
        job.arguments["architecture"],
        job.arguments["index"],
    ) == ("import_image", "PE", "x64", 2)
    uploaded = Path(job.arguments["path"]).read_bytes()
    assert hashlib.sha256(data).digest() == hashlib.sha256(uploaded).digest()


def test_the_first_bytes_may_come_with_the_creation(operator):
    """One request for a small file."""
    headers = TUS | BYTES | {"Upload-Length": "3", "Upload-Metadata": metadata(filename="a.inf")}
    response = operator.post("/uploads/", headers=headers, data=b"abc")

    assert (response.status_code, response.headers["Upload-Offset"]) == (201, "3")


def test_a_folder_becomes_a_driver_import(operator, furnished):
    """Each file under its own path, all in one batch."""
    batch = "cd" * 16
    for path in ("pack/a.inf", "pack/x64/a.sys"):
        headers = TUS | BYTES | {
            "Upload-Length": "3",
            "Upload-Metadata": metadata(filename="x", batch=batch, path=path),
        }  # fmt: skip
        assert operator.post("/uploads/", headers=headers, data=b"abc").status_code == 201
    response = operator.post("/drivers/import", data={"upload": batch})
    job = jobs.list_jobs(furnished)[0]

    assert response.status_code == 303
    assert job.kind == "import_drivers"
    assert job.title == "Import drivers from pack"


@pytest.mark.parametrize(
    ("offset", "data", "status"), [(1, b"a", 409), (0, b"abcdef", 400), (0, b"", 204)]
)
def test_pieces_that_do_not_fit_are_refused_in_plain_words(operator, offset, data, status):
    """The browser shows what the server says."""
    address = create(operator, 3, filename="boot.wim").headers["Location"]
    response = patch(operator, address, offset, data)

    assert status == response.status_code
    assert "<" not in response.text


def test_requests_that_are_not_tus_are_refused(operator):
    """Version, type, numbers."""
    address = create(operator, 3, filename="boot.wim").headers["Location"]

    assert operator.head(address).status_code == 412
    assert operator.patch(address, headers=TUS | {"Upload-Offset": "0"}).status_code == 415
    assert create(operator, "many", filename="x").status_code == 400
    assert create(operator, 1 << 60, filename="x").status_code in {400, 413}
    assert create(operator, 3, filename="../../x").status_code == 201
    assert create(operator, 3, filename="x", path="../../x").status_code == 400
    assert create(operator, 3, filename="x", batch="../../x").status_code == 400


def test_an_upload_can_be_given_up(operator):
    """And is absent afterwards."""
    address = create(operator, 3, filename="boot.wim").headers["Location"]

    assert operator.delete(address, headers=TUS).status_code == 204
    assert operator.head(address, headers=TUS).status_code == 404


def test_uploads_of_others_are_absent(operator, furnished, make_client):
    """An administrator has no business with an operator's half file either."""
    address = create(operator, 3, filename="boot.wim").headers["Location"]
    admin = make_client(furnished, "admin")

    assert admin.head(address, headers=TUS).status_code == 404
    assert patch(admin, address, 0, b"abc").status_code == 404


def test_damaged_metadata_is_refused():
    """Base64 of UTF-8, or nothing."""
    assert parse_metadata(metadata(filename="ü.wim", empty="")) == {
        "filename": "ü.wim",
        "empty": "",
    }
    for wrong in ("filename %%%", "filename /w=="):
        with pytest.raises(InvalidInput):
            parse_metadata(wrong)


def test_a_large_body_is_welcome_here(furnished, make_client):
    """Beyond the limit for forms, and with the token that the page sends as a header."""
    client = make_client(furnished, "operator", csrf=True)
    page = client.get("/images/import").text
    token = {"X-CSRFToken": page.split('name="csrf-token" content="')[1].split('"')[0]}
    data = b"x" * (3 << 20)
    headers = TUS | BYTES | token | {"Upload-Length": str(len(data))}
    headers |= {"Upload-Metadata": metadata(filename="boot.wim")}
    response = client.post("/uploads/", headers=headers, data=data)

    assert (201, str(len(data))) == (response.status_code, response.headers.get("Upload-Offset"))
