"""Uploads to a disk that fills up: a real, small one."""

import errno
from types import SimpleNamespace

import pytest

from netboot.operations.accounts import accounts
from tests.support.small_disk import fill, free, needs_small_disk
from tests.web.support import seeding
from tests.web.uploads.test_tus import BYTES, TUS, create, metadata, patch
from web.uploads import upload_folder
from web.uploads.upload_folder import Shelf

pytestmark = needs_small_disk
LEFT = (0, 4 << 10, 100 << 10, 400 << 10)
DATA = bytes(range(256)) * 4096


@pytest.fixture
def filling(small, monkeypatch):
    """A site whose disk fills up although there was enough space at first."""
    monkeypatch.setattr(upload_folder, "SPARE_BYTES", 0)
    seeding.add_accounts(small)
    return small


@pytest.fixture
def operator(filling, make_client):
    return make_client(filling, "operator")


def parts(site):
    found = (site.data / "uploads").glob("*/parts/*")
    return [path.stat().st_size for path in found if path.suffix != ".json"]


@pytest.mark.parametrize("leave", LEFT)
def test_a_piece_that_the_disk_cannot_take_is_refused_and_leaves_nothing(operator, filling, leave):
    """The upload goes on where it was as soon as there is space."""
    address = create(operator, len(DATA), filename="boot.wim").headers["Location"]
    first = 100_000
    assert patch(operator, address, 0, DATA[:first]).status_code == 204
    fill(filling.data, leave)
    refused = patch(operator, address, first, DATA[first:])

    assert (refused.status_code, refused.content_type) == (507, "text/plain; charset=utf-8")
    assert "is full. Free some disk space" in refused.text
    assert parts(filling) == [first]
    assert operator.head(address, headers=TUS).headers["Upload-Offset"] == str(first)
    assert operator.get("/images/").status_code == 200
    free(filling.data)
    assert patch(operator, address, first, DATA[first:]).status_code == 204
    batch = address.rsplit("/", 1)[1].split("-")[0]
    owner = next(one.id for one in accounts.list_accounts(filling) if one.role == "operator")
    assert Shelf(filling).file(batch, owner=owner).path.read_bytes() == DATA


@pytest.mark.parametrize("leave", LEFT)
def test_an_upload_that_begins_with_its_bytes_leaves_nothing_at_all(
    operator, filling, leave, monkeypatch
):
    """As the page sends a file; nobody would know where to continue."""
    fill(filling.data, leave)
    enough = SimpleNamespace(free=1 << 40)
    monkeypatch.setattr(upload_folder.shutil, "disk_usage", lambda _: enough)
    about = {"Upload-Length": str(len(DATA)), "Upload-Metadata": metadata(filename="boot.wim")}
    refused = operator.post("/uploads/", headers=TUS | BYTES | about, data=DATA)

    assert refused.status_code == 507
    assert "is full" in refused.text
    assert list((filling.data / "uploads").iterdir()) == []


def test_an_upload_is_refused_before_its_first_byte_where_there_is_no_space(operator, filling):
    fill(filling.data, 0)
    refused = create(operator, len(DATA), filename="boot.wim")

    assert (refused.status_code, "Not enough space" in refused.text) == (507, True)
    assert list((filling.data / "uploads").iterdir()) == []


def test_a_disk_that_fails_takes_nothing_and_says_so(operator, filling, monkeypatch):
    """At the sync of the last byte: what the disk has then is not known."""

    def failing(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    address = create(operator, len(DATA), filename="boot.wim").headers["Location"]
    monkeypatch.setattr(upload_folder.os, "fsync", failing)
    refused = patch(operator, address, 0, DATA)

    assert (refused.status_code, "Input/output error" in refused.text) == (507, True)
    assert parts(filling) == [0]


def test_a_form_that_hands_an_upload_in_is_refused_on_a_full_disk(operator, filling, monkeypatch):
    """Neither job nor audit entry can be written; the upload stays for the next try."""
    address = create(operator, 4, filename="pack.zip").headers["Location"]
    assert patch(operator, address, 0, b"PK\5\6").status_code == 204
    batch = address.rsplit("/", 1)[1].split("-")[0]
    fill(filling.data, 0)
    refused = operator.post("/drivers/import", data={"upload": batch})

    assert refused.status_code in {503, 507}
    assert "full" in refused.text
    free(filling.data)
    assert operator.post("/drivers/import", data={"upload": batch}).status_code == 303
