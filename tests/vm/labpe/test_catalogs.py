"""Catalog files of the Lab PE, read by the site's own reader."""

from hashlib import sha256

from netboot.formats.security_catalog import members
from tests.formats.catalogs import catalog, member
from vm.labpe.catalogs import write_catalog

FILES = [b"[Version]", b"module" * 1000, b""]


def test_a_catalog_lists_every_file_and_nothing_else():
    """By its SHA-256, also for a list whose lengths take several bytes."""
    many = [str(n).encode() for n in range(2000)]
    for files in (FILES, many, []):
        assert {sha256(data).digest() for data in files} == members(write_catalog(files))


def test_equal_files_give_an_equal_catalog():
    """The Lab PE is built the same each time."""
    assert write_catalog(FILES) == write_catalog(FILES)
    assert len(write_catalog(FILES)) == len(
        catalog(*(member(sha256(data).digest(), program=False) for data in FILES))
    )
