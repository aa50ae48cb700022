"""wimboot on its page."""

import io
import struct

import pytest

from netboot.operations.images import boot_chain
from netboot.store.content.blobs import hash_stream
from tests.samples.synthetic_winpe import pe_file
from tests.web.conftest import htmx
from tests.web.support.seeding import NAMES
from web.uploads.upload_folder import Shelf

PAGE = "/distribution-points/wimboot/"
BATCH = "cd" * 16


def wimboot_bytes(body=b"wimboot stand-in "):
    """Both heads of wimboot: a Linux kernel's and a UEFI program's."""
    data = bytearray(pe_file("x64", body * 60))
    struct.pack_into("4s", data, 0x202, b"HdrS")
    return bytes(data)


@pytest.fixture
def operator(furnished, make_client):
    return make_client(furnished, "operator")


def uploaded(site, data):
    """The number of an upload of the operator's, as the browser sends it with the form."""
    from netboot.operations.accounts import accounts

    owner = next(one.id for one in accounts.list_accounts(site) if one.name == NAMES["operator"])
    shelf = Shelf(site)
    upload = shelf.create(
        owner=owner, length=len(data), name="wimboot", batch=BATCH, relative_path="wimboot"
    )
    shelf.append(upload, 0, io.BytesIO(data))
    return BATCH


def test_an_uploaded_wimboot_is_served_and_can_be_taken_away(furnished, operator):
    """Its digest is on the page, so that it can be compared."""
    assert "wimboot is not installed." in operator.get(PAGE).text
    data = wimboot_bytes()
    digest = hash_stream(io.BytesIO(data)).digest
    response = operator.post(
        f"{PAGE}import", data={"upload": uploaded(furnished, data), "sha256": digest}
    )

    assert response.status_code == 303
    assert digest in operator.get(PAGE).text
    assert digest == boot_chain.served_wimboot(furnished).digest
    for data in ({}, {"typed": "wim"}):
        refused = operator.post(f"{PAGE}remove", data=data, headers=htmx())
        assert (refused.status_code, "Type wimboot." in refused.text) == (400, True)
    assert 'data-bs-target="#remove-wimboot"' in operator.get(PAGE).text
    assert operator.post(f"{PAGE}remove", data={"typed": "wimboot"}).status_code == 303
    assert boot_chain.served_wimboot(furnished) is None


@pytest.mark.parametrize(
    ("data", "sha256", "words"),
    [
        (wimboot_bytes(), "0" * 64, "has the digest"),
        (wimboot_bytes(b"something else "), "", "is not wimboot"),
    ],
)
def test_a_file_that_was_not_meant_is_refused(furnished, operator, data, sha256, words):
    """The page says why; nothing is served."""
    form = {"upload": uploaded(furnished, data), "sha256": sha256}
    response = operator.post(f"{PAGE}import", data=form, headers=htmx())

    assert response.status_code == 400
    assert words in response.text
    assert boot_chain.served_wimboot(furnished) is None


def test_who_only_looks_sees_no_form(furnished, make_client):
    """A viewer learns what is served."""
    text = make_client(furnished, "viewer").get(PAGE).text

    assert "wimboot is not installed." in text
    assert "data-upload-submit" not in text
