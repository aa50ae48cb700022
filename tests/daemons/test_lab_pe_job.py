"""The job that makes the Lab PE: by the real maker, from the parts that were built before."""

import io

import pytest

from netboot.daemons import job_handlers
from netboot.errors import InvalidInput, MissingTool
from netboot.operations import jobs, lab_pe
from netboot.operations.images import images
from netboot.operations.jobs import JobKind
from netboot.store.images import lab_pe_file
from tests.daemons.contexts import Context


@pytest.fixture
def uploaded(site):
    """`uploaded(data)`: the job about an upload of these bytes, and where they lie."""

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
    site, lab, uploaded, bare
):
    """The upload is gone afterwards, and each step is in the job's log."""
    out = io.BytesIO()
    lab_pe_file.pack(lab.folder, out, key=lab.folder.name, release="1.0")
    context, path = uploaded(out.getvalue())
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


def test_an_altered_file_is_refused_and_not_kept(site, lab, uploaded, bare):
    """Nothing of it is imported."""
    out = io.BytesIO()
    lab_pe_file.pack(lab.folder, out, key=lab.folder.name, release="1.0")
    data = bytearray(out.getvalue())
    data[len(data) // 2] ^= 1
    context, path = uploaded(bytes(data))

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
