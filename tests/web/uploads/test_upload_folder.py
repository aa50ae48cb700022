"""Where uploads lie."""

import io
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from netboot.errors import InvalidInput, NotFound, OperatorFault
from netboot.operations import jobs
from web.uploads.upload_folder import LIFE_SECONDS, Busy, Shelf, WrongOffset, check_path

BATCH = "ab" * 16


@pytest.fixture
def shelf(site):
    return Shelf(site)


def put(shelf, path, data, batch=BATCH, owner=1):
    upload = shelf.create(owner=owner, length=len(data), name=path, batch=batch, relative_path=path)
    return shelf.append(upload, 0, io.BytesIO(data))


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../x",
        "a/../x",
        "/etc/passwd",
        "a//b",
        "",
        "a/",
        "..\\x",
        "C:\\..\\x/..",
        "a\0b",
        "a\nb",
        "x" * 256,
        "a/" * 20 + "x",
        "\u202ecod.fni",
    ],
)
def test_a_path_that_leads_anywhere_is_refused(shelf, path):
    """Whatever the browser says."""
    with pytest.raises(InvalidInput):
        check_path(path)


def test_a_path_keeps_its_folders():
    """A driver's files must lie where its INF looks for them."""
    assert check_path("net\\amd64/e1000.inf") == ("net", "amd64", "e1000.inf")


def test_an_upload_goes_on_where_it_stopped(shelf, site):
    """Also with another server process, which only sees the files."""
    upload = shelf.create(owner=1, length=6, name="boot.wim")
    shelf.append(upload, 0, io.BytesIO(b"abc"))
    later = Shelf(site).find(upload.id, owner=1)

    assert later.offset == 3
    done = Shelf(site).append(later, 3, io.BytesIO(b"def"))
    assert (done.offset, done.length) == (6, 6)
    assert shelf.file(upload.batch, owner=1).path.read_bytes() == b"abcdef"


def test_bytes_at_the_wrong_place_are_refused(shelf):
    """And change nothing."""
    upload = shelf.create(owner=1, length=6, name="boot.wim")
    with pytest.raises(WrongOffset, match="byte 0, not 3"):
        shelf.append(upload, 3, io.BytesIO(b"def"))

    assert shelf.find(upload.id, owner=1).offset == 0


def test_more_bytes_than_were_promised_are_refused(shelf):
    """The disk was checked for what was promised."""
    upload = shelf.create(owner=1, length=3, name="boot.wim")
    with pytest.raises(InvalidInput, match="the upload is larger than its declared length"):
        shelf.append(upload, 0, io.BytesIO(b"abcdef"))


def test_what_came_before_a_lost_line_is_kept(shelf):
    """The next try begins there."""

    class Lost(io.BytesIO):
        def read(self, size=-1):
            data = super().read(2)
            if not data:
                raise ConnectionResetError
            return data

    upload = shelf.create(owner=1, length=10, name="boot.wim")
    with pytest.raises(ConnectionResetError):
        shelf.append(upload, 0, Lost(b"abcd"))

    assert shelf.find(upload.id, owner=1).offset == 4


def test_two_writers_do_not_mix(shelf):
    """The second is told to wait."""

    class Meanwhile(io.BytesIO):
        def read(self, size=-1):
            with pytest.raises(Busy):
                shelf.append(upload, 0, io.BytesIO(b"xy"))
            return super().read(size)

    upload = shelf.create(owner=1, length=2, name="boot.wim")
    shelf.append(upload, 0, Meanwhile(b"ab"))

    assert shelf.file(upload.batch, owner=1).path.read_bytes() == b"ab"


def test_uploads_belong_to_who_began_them(shelf):
    """Others do not even learn that they are there."""
    upload = shelf.create(owner=1, length=6, name="boot.wim")
    with pytest.raises(NotFound):
        shelf.find(upload.id, owner=2)
    with pytest.raises(InvalidInput):
        put(shelf, "x.inf", b"x", batch=upload.batch, owner=2)
    with pytest.raises(InvalidInput):
        shelf.batch(upload.batch, owner=2)

    assert shelf.find(upload.id, owner=1)


@pytest.mark.parametrize("name", ["", "..", "ab" * 16, "ab" * 16 + "-" + "../" * 10, "x-y"])
def test_an_unknown_upload_is_absent(shelf, name):
    """Names are matched, never joined to a path first."""
    with pytest.raises(NotFound):
        shelf.find(name, owner=1)


def test_a_folder_is_handed_on_as_a_folder(shelf):
    """With its files where they were."""
    put(shelf, "pack/e1000.inf", b"inf")
    put(shelf, "pack/amd64/e1000.sys", b"sys")
    batch = shelf.batch(BATCH, owner=1)

    assert batch.label == "pack"
    assert (batch.path / "pack/amd64/e1000.sys").read_bytes() == b"sys"


@pytest.mark.parametrize(
    ("name", "data", "alone"),
    [
        ("d.zip", b"data", True),
        ("D.CAB", b"data", True),
        ("driver", b"MSCF\0\0\0\0", True),
        ("driver.zip.download", b"PK\3\4", True),
        ("update.msu", b"MSCF\0\0\0\0", True),
        ("e1000.sys", b"MZ", False),
        ("e1000.inf", b"data", False),
    ],
)
def test_an_archive_is_handed_on_as_itself(shelf, name, data, alone):
    """The importer opens it; a download may have any name."""
    put(shelf, name, data)
    path = shelf.batch(BATCH, owner=1).path

    assert alone == path.is_file()


def test_many_files_of_a_folder_may_begin_at_once(shelf):
    """As a browser sends them; the first one to come opens the batch for all."""
    for _ in range(20):
        batch = uuid.uuid4().hex
        with ThreadPoolExecutor(6) as pool:
            begun = [pool.submit(put, shelf, f"{n}.inf", b"x", batch) for n in range(6)]
        assert [one.result().offset for one in begun] == [1] * 6
        assert len(list(shelf.batch(batch, owner=1).path.iterdir())) == 6


def test_an_unfinished_batch_is_not_handed_on(shelf):
    """A driver without its .sys would be refused for the wrong reason."""
    put(shelf, "a.inf", b"inf")
    shelf.create(owner=1, length=5, name="a.sys", batch=BATCH, relative_path="a.sys")
    with pytest.raises(InvalidInput, match="not finished"):
        shelf.batch(BATCH, owner=1)

    assert (shelf.folder / BATCH / "files" / "a.inf").is_file()


def test_an_empty_file_is_a_file(shelf):
    """It is finished as soon as it is begun."""
    put(shelf, "a.inf", b"")

    assert (shelf.batch(BATCH, owner=1).path / "a.inf").stat().st_size == 0


def test_a_discarded_upload_is_gone(shelf):
    """And its batch can be finished without it."""
    put(shelf, "a.inf", b"inf")
    upload = shelf.create(owner=1, length=5, name="b.sys", batch=BATCH, relative_path="b.sys")
    shelf.discard(upload)

    assert [path.name for path in shelf.batch(BATCH, owner=1).path.iterdir()] == ["a.inf"]


def test_a_disk_that_cannot_hold_it_is_told_at_the_beginning(shelf):
    """Not after an hour of uploading."""
    with pytest.raises(OperatorFault, match="not enough space"):
        shelf.create(owner=1, length=1 << 60, name="boot.wim")

    assert not list(shelf.folder.iterdir())


def test_old_uploads_are_thrown_away_but_not_those_that_a_job_works_on(shelf, site):
    """A day after the last byte, or when the job has ended."""
    left = shelf.create(owner=1, length=5, name="left.wim")
    put(shelf, "busy.inf", b"inf")
    job = jobs.submit(site, "import_drivers", {}, title="Import")
    shelf.hand_over(shelf.batch(BATCH, owner=1), job.id)
    shelf.sweep(time.time())
    assert {left.batch, BATCH} == {path.name for path in shelf.folder.iterdir()}
    shelf.sweep(time.time() + LIFE_SECONDS + 60)
    assert {BATCH} == {path.name for path in shelf.folder.iterdir()}
    site.jobs.finish(job.id, "succeeded")
    shelf.sweep(time.time())

    assert not list(shelf.folder.iterdir())


@pytest.mark.parametrize("is_dismissed", [False, True])
def test_the_upload_of_a_failed_job_is_kept_for_a_day_unless_that_was_dismissed(
    shelf, site, is_dismissed
):
    """It may be retried."""
    put(shelf, "a.inf", b"inf")
    job = jobs.submit(site, "import_drivers", {}, title="Import")
    shelf.hand_over(shelf.batch(BATCH, owner=1), job.id)
    site.jobs.finish(job.id, "failed")
    if is_dismissed:
        jobs.dismiss(site, job.id)
    shelf.sweep(time.time())
    assert (shelf.folder / BATCH).exists() is not is_dismissed
    shelf.sweep(time.time() + LIFE_SECONDS + 60)

    assert not list(shelf.folder.iterdir())


def test_a_batch_that_a_job_took_is_closed(shelf, site):
    """Nothing is slipped in while it is being read."""
    put(shelf, "a.inf", b"inf")
    job = jobs.submit(site, "import_drivers", {}, title="Import")
    shelf.hand_over(shelf.batch(BATCH, owner=1), job.id)
    with pytest.raises(InvalidInput):
        put(shelf, "b.inf", b"inf")

    assert not (shelf.folder / BATCH / "files" / "b.inf").exists()
