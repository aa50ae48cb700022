import os

import pytest

from netboot.errors import InvalidInput, OperatorFault
from netboot.store.content.blobs import hash_file
from netboot.store.wim import source as wim_source
from netboot.store.wim.source import take_in
from tests.samples.synthetic_winpe import SyntheticWinPe

pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="module")
def wim(tmp_path_factory):
    return SyntheticWinPe().capture(tmp_path_factory.mktemp("wim"))


def test_a_file_of_somebody_elses_is_copied(wim, tmp_path):
    """Facts and digest are of the same bytes, and the file is left alone."""
    facts, blob = take_in(wim, tmp_path / "new", ours=False, index=None, workdir=tmp_path)

    assert hash_file(wim) == blob == hash_file(tmp_path / "new")
    assert (facts.size, facts.index) == (blob.size, 1)
    assert os.stat(wim).st_nlink == 1


def test_an_upload_of_ours_never_lies_on_the_disk_twice(wim, tmp_path):
    """Both names are one file."""
    upload = tmp_path / "upload"
    upload.write_bytes(wim.read_bytes())
    take_in(upload, tmp_path / "new", ours=True, index=None, workdir=tmp_path)

    assert upload.samefile(tmp_path / "new")


def test_without_links_an_upload_is_copied(wim, tmp_path, monkeypatch):
    """As on a file system that has none."""

    def refuse(*_arguments, **_options):
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    _facts, blob = take_in(wim, tmp_path / "new", ours=True, index=None, workdir=tmp_path)
    assert blob == hash_file(tmp_path / "new")


def test_a_refusal_ends_the_copy(tmp_path):
    """The reason is the inspector's."""
    notes = tmp_path / "notes.wim"
    notes.write_bytes(b"no WIM" * 1000)

    with pytest.raises(InvalidInput, match="not a WIM"):
        take_in(notes, tmp_path / "new", ours=False, index=None, workdir=tmp_path)


def test_a_disk_that_cannot_take_it_is_told(wim, tmp_path, monkeypatch):
    """In the operator's words, after the file was found in order."""

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wim_source.wim_builder, "copy", full)
    with pytest.raises(OperatorFault, match="full"):
        take_in(wim, tmp_path / "new", ours=False, index=None, workdir=tmp_path)
