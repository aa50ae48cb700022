import io
from dataclasses import replace

import pytest

from netboot.daemons import job_handlers
from netboot.daemons.job_context import forget_upload
from netboot.errors import AlreadyExists, InvalidInput, MissingTool, OperatorFault
from netboot.operations import jobs, lab_pe
from netboot.operations.boots import network
from netboot.operations.images import images
from netboot.operations.jobs import JobKind
from netboot.store.database.jobs import JobFailed, LeaseLost, WorkerStops
from netboot.store.images import lab_pe_file
from tests.captures.reader import FOLDER
from tests.daemons.contexts import Context
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.support.seeding import write_driver


def test_an_upload_is_removed_only_where_uploads_lie(site, tmp_path):
    """A file of the operator's own is never touched."""
    mine = tmp_path / "boot.wim"
    mine.write_bytes(b"mine")
    uploads = site.data / "uploads"
    uploads.mkdir()
    upload = uploads / "1"
    upload.write_bytes(b"uploaded")
    forget_upload(site, mine)
    forget_upload(site, upload)

    assert (mine.exists(), upload.exists()) == (True, False)


# --- uploads ---------------------------------------------------------------------------------


@pytest.fixture
def upload(site):
    """`upload(kind, data)`: a job about an upload of these bytes, and where they lie."""
    folder = site.data / "uploads" / "batch" / "files"

    def make(kind, data, **arguments):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "boot.wim"
        path.write_bytes(data)
        job = jobs.submit(site, kind, {"path": str(path), **arguments}, title="Import")
        return Context(site, job), path

    return make


def test_an_upload_that_cannot_be_used_is_not_kept(site, upload):
    """The job fails with the reason, and neither file nor blob nor row nor staging is left."""
    context, path = upload("import_image", b"no WIM at all" * 100, name="Notes")

    with pytest.raises(InvalidInput):
        job_handlers.carry_out(context)
    assert not path.exists()
    assert images.list_images(site) == []
    assert list(site.blobs.digests()) == []
    assert list(site.blobs.staging.iterdir()) == []


@pytest.mark.parametrize("stop", [LeaseLost("taken"), WorkerStops("told to stop")])
def test_an_upload_stays_for_who_takes_the_job_up_again(site, upload, stop):
    """A worker that stops, or has lost its job, leaves the bytes where they are."""
    context, path = upload("import_image", b"MSWIM\0\0\0" + bytes(500), name="Later")

    def told(part, stage):
        raise stop

    context.progress = told
    with pytest.raises(type(stop)):
        job_handlers.carry_out(context)
    assert path.exists()


def test_an_upload_stays_for_a_retry_if_it_is_not_to_blame(site, upload):
    """A full disk, a missing tool or a taken name: the same bytes may succeed later."""
    context, path = upload("import_image", b"MSWIM\0\0\0" + bytes(500), name="Later")

    def told(part, stage):
        raise OperatorFault("the disk is full")

    context.progress = told
    with pytest.raises(OperatorFault, match="disk is full"):
        job_handlers.carry_out(context)
    assert path.exists()


@pytest.mark.wimlib
def test_a_job_that_finds_its_own_work_done_has_succeeded(site, upload, tmp_path):
    """Killed between the row and the word about it: the second worker says what the first did."""
    wim = SyntheticWinPe().capture(tmp_path)
    images.import_image(site, wim, name="Windows PE x64")
    context, path = upload("import_image", wim.read_bytes(), name="Windows PE x64")
    context.job = replace(context.job, attempts=2)

    assert job_handlers.carry_out(context) == {
        "image": "Windows PE x64",
        "source": "Windows PE 10.0.22621.1 for x64",
    }
    assert not path.exists()


@pytest.mark.wimlib
@pytest.mark.parametrize(("attempts", "other"), [(1, b""), (2, b"another file")])
def test_a_name_that_is_taken_by_another_is_refused(site, upload, tmp_path, attempts, other):
    """At the first try, and where the image of that name was made of something else."""
    wim = SyntheticWinPe().capture(tmp_path)
    images.import_image(site, wim, name="Windows PE x64")
    context, _ = upload("import_image", wim.read_bytes() + other, name="Windows PE x64")
    context.job = replace(context.job, attempts=attempts)

    with pytest.raises(AlreadyExists, match='a boot image "Windows PE x64" already exists'):
        job_handlers.carry_out(context)


def test_drivers_of_an_upload_enter_the_catalog(site, upload, tmp_path):
    """A folder of packages: what is new, known and refused is told, and the upload goes."""
    context, path = upload("import_drivers", b"")
    path.unlink()
    write_driver(path, "nb1000")
    (path / "bad.inf").write_text("no section at all\n")
    result = job_handlers.carry_out(context)

    assert ([new["name"] for new in result["new"]], result["duplicates"]) == (["nb1000"], [])
    assert [name for name, _ in result["refused"]] == ["bad.inf"]
    assert tuple(result[f"{n}_count"] for n in ("new", "duplicate", "refused")) == (1, 0, 1)
    assert result["newly_covered"] == ["PCI\\VEN_8086&DEV_100E"]
    assert not path.exists()


def test_an_upload_never_means_the_folder_of_all_uploads(site, upload):
    """A path that climbs, or is too short, removes nothing."""
    _, path = upload("import_image", b"x")
    for odd in (site.data / "uploads", site.data, path / ".." / ".." / ".." / ".."):
        forget_upload(site, odd)

    assert path.exists()


def test_the_clean_up_tells_what_it_did(site):
    """Its result is plain values, for the page."""
    job = jobs.submit(site, "clean_up", {}, title="Daily clean-up")
    result = job_handlers.carry_out(Context(site, job))

    assert (result["blobs"], result["size"], result["versions"]) == (0, 0, [])


@pytest.fixture
def check(site, monkeypatch):
    """`check(*events)`: context and result of a network check that tells this."""

    def run(*events):
        monkeypatch.setattr(network, "run_check", lambda site, kinds, **how: iter(events))
        context = Context(site, network.ask_check(site))
        return context, job_handlers.carry_out(context)

    return run


ASKING = {"event": "asking", "interface": "eth0", "kinds": 2}
VERDICT = {"event": "verdict", "kind": "bios", "title": "BIOS PC", "outcome": "boots"}


def test_verdicts_of_a_check_are_shown_as_they_come(check):
    """And all of them, with what to do, are the result."""
    done = {"event": "done", "verdicts": [{"kind": "bios"}], "to_do": [], "code": 0}
    context, result = check(ASKING, {"event": "silent"}, VERDICT, done)

    assert context.told == [(0.1, "asking the network", 0), (0.55, "BIOS PC", 1)]
    assert (
        result["interface"],
        result["verdicts"],
        result["code"],
    ) == ("eth0", [{"kind": "bios"}], 0)


def test_a_check_that_fails_keeps_what_it_had_found(check):
    """Half a check is better than none."""
    with pytest.raises(JobFailed, match="no port") as failed:
        check(ASKING, VERDICT, {"event": "failed", "reason": "no port", "hint": "Be root."})

    assert failed.value.hint == "Be root."
    assert len(failed.value.result["verdicts"]) == 1


def test_a_check_that_ends_without_a_verdict_is_a_fault(check):
    """The site may be stopping."""
    with pytest.raises(OperatorFault, match="without a verdict"):
        check(ASKING)


def test_a_medium_is_made_by_the_worker(site):
    """What was ordered goes through the queue as plain values."""
    from netboot.images.media.request import MediaKind, MediaOrder
    from netboot.operations.media import media
    from tests.support.media_versions import add_lab_version

    add_lab_version(site)
    order = MediaOrder(kind=MediaKind.USB, label="STICK")
    arguments = {
        "image": "Lab PE x64",
        "order": order.to_json(),
        "versions": [["Lab PE x64", 1]],
    }
    job = jobs.submit(site, "build_media", arguments, title="Make a USB image")
    context = Context(site, job)
    result = job_handlers.carry_out(context)
    (view,) = media.list_media(site)

    assert (view.id, view.digest) == (result["medium"], result["digest"])
    assert view.label == "STICK"
    assert {
        "creating the boot loaders",
        "writing the file system",
        "reading the medium back",
    } <= set(context.told)


@pytest.fixture
def uploaded(site):
    """`uploaded(data)`: a recording that was uploaded, and the job that is to tell it."""

    def make(data):
        folder = site.data / "uploads" / ("0" * 32) / "files"
        folder.mkdir(parents=True)
        path = folder / "boot.pcap"
        path.write_bytes(data)
        return path, Context(site, network.ask_capture(site, path))

    return make


def test_a_recording_is_told_and_thrown_away(uploaded):
    """The machine's story is the result."""
    path, context = uploaded((FOLDER / "uefi64-edk2-native-snponly.pcap").read_bytes())
    story = job_handlers.carry_out(context)

    assert [(one["mac"], one["failed"]) for one in story["machines"]] == [
        ("52:54:00:77:00:01", False)
    ]
    assert not path.exists()


def test_a_recording_that_cannot_be_read_fails_with_its_reason(uploaded):
    """And goes all the same."""
    path, context = uploaded(b"\xd4\xc3\xb2\xa1xyz")
    with pytest.raises(JobFailed, match=r"^boot\.pcap is not a (valid )?capture file") as failed:
        job_handlers.carry_out(context)

    assert "Wireshark" in failed.value.hint
    assert not path.exists()


def test_the_reading_of_a_recording_can_be_stopped(uploaded):
    """Whoever takes the job up again finds the recording."""
    path, context = uploaded((FOLDER / "uefi64-edk2-native-snponly.pcap").read_bytes())

    def check():
        raise WorkerStops("the worker stops")

    context.check = check
    with pytest.raises(WorkerStops):
        job_handlers.carry_out(context)

    assert path.exists()


# --- the Lab PE: by the real maker, from the parts that were built before ----------------------


@pytest.fixture
def prepared(site):
    """`prepared(data)`: the job about an upload of these bytes, and where they lie."""

    def hand_in(data):
        path = site.data / "uploads" / "batch" / "files" / "lab-pe.netboot"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return Context(site, lab_pe.ask_import(site, path)), path

    return hand_in


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Nothing in the cache, no compiler."""
    monkeypatch.setenv("NETBOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(lab_pe, "missing_for", lambda _what: ("gcc",))


@pytest.mark.wimlib
def test_an_uploaded_file_becomes_served_images_without_compiler_or_mirror(
    site, lab, prepared, bare
):
    """The upload is gone afterwards, and each step is in the job's log."""
    out = io.BytesIO()
    lab_pe_file.pack(lab.folder, out, key=lab.folder.name, release="1.0")
    context, path = prepared(out.getvalue())
    result = job_handlers.carry_out(context)

    assert result == {"images": ["Lab PE x64", "Lab PE x86"]}
    assert {1} == {image.served_version for image in images.list_images(site)}
    assert not path.exists()
    assert "Importing Lab PE x64" in context.told


@pytest.mark.wimlib
def test_a_build_is_taken_from_the_cache_if_it_is_there(site, lab):
    """Then neither compiler nor mirror is asked."""
    context = Context(site, jobs.submit(site, JobKind.MAKE_LAB_PE, {}, title="Make the Lab PE"))

    assert job_handlers.carry_out(context)["images"] == ["Lab PE x64", "Lab PE x86"]


def test_an_altered_file_is_refused_and_not_kept(site, lab, prepared, bare):
    """Nothing of it is imported."""
    out = io.BytesIO()
    lab_pe_file.pack(lab.folder, out, key=lab.folder.name, release="1.0")
    data = bytearray(out.getvalue())
    data[len(data) // 2] ^= 1
    context, path = prepared(bytes(data))

    with pytest.raises(InvalidInput, match="does not match its digest"):
        job_handlers.carry_out(context)
    assert not path.exists()
    assert images.list_images(site) == []


def test_a_job_that_waited_while_the_compiler_went_says_so(site, bare):
    """What was there when it was asked for may be gone when it begins."""
    context = Context(site, jobs.submit(site, JobKind.MAKE_LAB_PE, {}, title="Make the Lab PE"))

    with pytest.raises(MissingTool, match="gcc is not installed"):
        job_handlers.carry_out(context)


@pytest.mark.wimlib
def test_a_mirror_that_does_not_answer_is_named(site, tmp_path, monkeypatch):
    """Its address is in the message, so it can be corrected."""
    monkeypatch.setenv("NETBOOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NETBOOT_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    monkeypatch.setattr(lab_pe, "missing_for", lambda _what: ())
    context = Context(site, jobs.submit(site, JobKind.MAKE_LAB_PE, {}, title="Make the Lab PE"))

    with pytest.raises(Exception, match=r"127\.0\.0\.1:9") as failure:
        job_handlers.carry_out(context)
    assert "mirror" in failure.value.hint
