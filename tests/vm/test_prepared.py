"""The Lab PE as a file, from the machine that made it to a site that could not."""

import json
import os

import pytest

from netboot.errors import InvalidInput, NotPermitted
from netboot.operations import remembered as facts
from netboot.operations.deployments import deployments as policy
from netboot.operations.images import images
from vm import defaults, labpe, prepared
from vm.labpe.build import damaged_files

pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="module")
def file(lab, tmp_path_factory):
    """What `netboot lab-pe export` writes."""
    target = tmp_path_factory.mktemp("prepared") / "lab-pe.netboot"
    prepared.write_file(target)
    return target


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A cache without any build."""
    monkeypatch.setenv(labpe.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "labpe"


def test_an_exported_file_makes_the_images_of_a_site_that_can_build_nothing(site, file, bare):
    """No compiler is asked, no mirror; the build is kept, with checksums that are right."""
    with file.open("rb") as stream:
        taken = prepared.take_in(stream)
    names = defaults.provide_defaults(site, taken)

    assert names == ["Lab PE x64", "Lab PE x86"]
    assert {1} == {image.served_version for image in images.list_images(site)}
    assert facts.recall(site, facts.DEFAULTS_PROVIDED)
    assert [taken.folder] == list(bare.glob("*"))
    assert damaged_files(taken.folder) == ()
    assert prepared.any_build() == taken == labpe.find()


def test_on_a_site_that_serves_a_network_it_is_no_machines_default(site, lab):
    """Machines there must not start Linux unasked; a test machine can be given it."""
    defaults.provide_defaults(site, lab, adopt=False)

    assert policy.defaults(site) == {}
    assert len(images.list_images(site)) == 2


def test_a_build_that_was_taken_in_replaces_the_one_before(file, bare):
    """And is used although another release of netboot made it."""
    for key in ("6.1.0-1-111111111111", "6.1.0-2-222222222222"):
        folder = bare / f"{prepared.TAKEN_IN}{key}"
        folder.mkdir(parents=True)
        (folder / "SHA256SUMS").write_text("")
    assert prepared.any_build() is not None
    with file.open("rb") as stream:
        taken = prepared.take_in(stream)

    assert [taken.folder] == list(bare.glob("[!.]*"))


def test_a_file_that_is_refused_leaves_the_build_that_is_there(file, bare, tmp_path):
    """Nothing of it stays, whatever was read before the fault was found."""
    with file.open("rb") as stream:
        taken = prepared.take_in(stream)
    damaged = bytearray(file.read_bytes())
    damaged[-20_000] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with (tmp_path / "damaged").open("rb") as stream, pytest.raises(InvalidInput, match="digest"):
        prepared.take_in(stream)

    assert damaged_files(taken.folder) == ()
    assert [taken.folder] == list(bare.iterdir())


def test_export_tells_scripts_what_it_wrote(lab, tmp_path, capsys):
    """One JSON document on standard output; the rest goes elsewhere."""
    target = tmp_path / "lab-pe.netboot"
    assert prepared.main([str(target), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["size"], told["key"]) == (target.stat().st_size, lab.folder.name)


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder that root may not write")
def test_a_file_that_cannot_be_written_is_known_before_anything_is_built(bare, capsys):
    """Two lines, and no build was begun."""
    assert prepared.main(["/proc/lab-pe"]) == 2
    assert "/proc/lab-pe cannot be written" in capsys.readouterr().err
    assert not bare.exists()
    with pytest.raises(NotPermitted):
        prepared.write_file(bare)
