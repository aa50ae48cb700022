"""curl.exe from one image into another, with real WIMs."""

import pytest

from netboot.errors import NotFound
from netboot.operations.images import curl, images
from netboot.operations.images import properties as image_properties
from netboot.operations.versions import versions
from netboot.store.content.blobs import hash_file
from netboot.store.database.records import ImageRow
from netboot.store.images.rows import find_image
from tests.samples.synthetic_winpe import SyntheticWinPe, pe_file

CURL = pe_file("x64", b"curl")
pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="module")
def wims(tmp_path_factory):
    """A Windows PE without curl.exe, and one that has it."""
    made = []
    for held in (None, CURL):
        folder = tmp_path_factory.mktemp("wim")
        made.append(SyntheticWinPe(files={curl.PATH: held}).capture(folder))
    return made


@pytest.fixture
def lacking(site, wims):
    images.import_image(site, wims[0], name="Old")
    return image_properties.set_properties(site, "Old", {"report_home": "http://192.0.2.1:8081"})


def test_what_an_import_finds_in_system32_is_known(site, wims):
    facts = images.import_image(site, wims[1], name="New").facts
    assert {"cmd.exe", "curl.exe", "drvload.exe"} <= set(facts.programs)
    assert facts.services is not None


def test_an_image_without_curl_gets_that_of_another(site, wims, lacking):
    assert [one.program for one in lacking.shortfalls] == ["curl.exe"]
    images.import_image(site, wims[1], name="New")

    view = curl.add_curl(site, "Old")

    assert view.shortfalls == ()
    (file,) = view.properties.extra_files
    assert file.path == "/Windows/System32/curl.exe"
    assert site.blobs.require(file.digest).read_bytes() == CURL


def test_without_another_image_the_hint_says_where_to_get_one(site, lacking):
    with pytest.raises(
        NotFound, match=r"no other image of this site has curl\.exe for x64"
    ) as told:
        curl.add_curl(site, "Old")
    assert "netboot image add-file" in told.value.hint


def test_a_lender_without_it_is_named(site, wims, lacking):
    images.import_image(site, wims[0], name="Older")
    images.import_image(site, wims[1], name="New")
    with pytest.raises(NotFound, match="Older has no curl"):
        curl.add_curl(site, "Old", lender="Older")
    assert curl.add_curl(site, "Old", lender="new").shortfalls == ()


def test_a_build_completes_the_facts_of_an_older_import(site, lacking):
    """And then says what was not known before."""
    with site.database.writing() as session:
        row: ImageRow = find_image(session, "Old")
        row.facts = {
            key: value for key, value in row.facts.items() if key not in {"programs", "services"}
        }
    assert images.get_image(site, "Old").shortfalls == ()

    versions.build_version(site, "Old")

    view = images.get_image(site, "Old")
    assert [one.program for one in view.shortfalls] == ["curl.exe"]
    assert view.findings == ()  # not said twice
    assert hash_file(site.blobs.require(view.source_digest)).digest == view.source_digest
