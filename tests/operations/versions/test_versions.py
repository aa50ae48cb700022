import re

import pytest
from sqlalchemy import delete

from netboot.errors import BlobMissing, EditConflict
from netboot.images.architecture import Architecture
from netboot.images.servicing.source_change import compare_files
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.versions import versions
from netboot.pe_reports import ReportTokens
from netboot.store.database.version_listings import VersionListingRow
from netboot.store.images.rows import find_image
from netboot.store.wim.inspector import list_files
from tests.samples.synthetic_winpe import SyntheticWinPe, imagex, pe_file
from vm import labpe

NAME = "Lab PE x64"

pytestmark = pytest.mark.wimlib


@pytest.fixture
def imported(site):
    images.import_image(site, labpe.ensure().wim[Architecture.X64], name=NAME)
    return site


def test_a_version_names_every_file_that_clients_get(imported):
    """Each lies in the store with the digest and size of the manifest."""
    version = versions.build_version(imported, NAME).version

    assert {"boot.wim", "boot.wim.cpio", "vmlinuz", "initrd.gz"} <= {f.name for f in version.files}
    assert [f.size for f in version.files] == [
        imported.blobs.verify(f.digest) for f in version.files
    ]
    assert "linux" in version.chains


def test_progress_rises_to_its_end(imported):
    """A bar that is drawn from it never runs backwards."""
    parts = []
    versions.build_version(imported, NAME, progress=lambda part, stage: parts.append(part))

    assert parts == sorted(parts)
    assert parts[-1] == 1.0


def test_a_build_that_is_stopped_leaves_nothing(imported):
    """Neither a version nor a file in staging."""

    class Stop(Exception):
        pass

    def stop(part, stage):
        raise Stop

    with pytest.raises(Stop):
        versions.build_version(imported, NAME, progress=stop)
    assert images.get_image(imported, NAME).versions == ()
    assert list(imported.blobs.staging.iterdir()) == []


def test_a_source_that_is_gone_is_damage(imported):
    """It is not taken for an empty image."""
    imported.blobs.remove(images.get_image(imported, NAME).source_digest)

    with pytest.raises(BlobMissing):
        versions.build_version(imported, NAME)


def test_an_image_that_was_exchanged_while_it_was_built_keeps_its_own_versions(imported):
    """Deleted and imported anew under the same name: the build of the old one is refused."""

    def exchange(part, stage):
        if stage == "storing":
            images.delete_image(imported, NAME)
            images.import_image(imported, labpe.ensure().wim[Architecture.X86], name=NAME)

    with pytest.raises(EditConflict, match="replaced by another user meanwhile"):
        versions.build_version(imported, NAME, progress=exchange)
    assert images.get_image(imported, NAME).versions == ()


def test_two_builds_at_once_make_one_version(imported):
    """The second finds that the number was taken meanwhile, and says so."""

    def build_in_between(part, stage):
        if stage == "storing" and not images.get_image(imported, NAME).versions:
            versions.build_version(imported, NAME)

    with pytest.raises(EditConflict, match="built by another user meanwhile"):
        versions.build_version(imported, NAME, progress=build_in_between)
    assert [version.number for version in images.get_image(imported, NAME).versions] == [1]


def test_a_version_knows_its_loaders_and_carries_a_report_token(site, tmp_path):
    """Read back by wimlib-imagex; the token is good for this version, and made again alike."""
    newer = {"/Windows/Boot/EFI_EX/bootmgfw_EX.efi": pe_file("x64", b"stand-in: of 2023 " * 60)}
    images.import_image(site, SyntheticWinPe(files=newer).capture(tmp_path), name="PE")
    wishes = {"uefi_authority": "2023", "report_home": "http://192.0.2.1:8081"}
    image_properties.set_properties(site, "PE", wishes)
    version = versions.build_version(site, "PE").version

    assert version.uefi_loaders == (("2011", "bootmgfw.efi"), ("2023", "bootmgfw_EX.efi"))
    assert (version.authority, version.uefi_loader()) == ("2023", "bootmgfw_EX.efi")
    wim = site.blobs.require(version.file("boot.wim").digest)
    imagex(
        *("extract", wim, "1", "/Windows/System32/nb-report.cmd"),
        *(f"--dest-dir={tmp_path}", "--no-acls"),
    )
    script = (tmp_path / "nb-report.cmd").read_text()
    (token,) = re.findall(r"http://192\.0\.2\.1:8081/report/([\w.-]+)", script)
    assert ReportTokens(site.secret).read_for(token) == ("pe", 1)

    with site.database.writing() as session:  # the same number again
        session.delete(find_image(session, "PE").versions[0])
    again = versions.build_version(site, "PE").version
    assert version.files == again.files


@pytest.fixture
def two_built(imported):
    """An image with two versions."""
    for megabytes in (128, 256):
        image_properties.set_properties(imported, NAME, {"scratch_space_mb": megabytes})
        versions.build_version(imported, NAME)
    return imported


@pytest.mark.wimlib
def test_a_build_stores_the_files_of_its_version(two_built, tmp_path, monkeypatch):
    """So a comparison lists no WIM; one that is gone is still told."""
    wims = [one.file("boot.wim") for one in images.get_image(two_built, NAME).versions]
    listed = [
        list_files(two_built.blobs.require(wim.digest), 1, workdir=tmp_path)
        for wim in reversed(wims)
    ]
    monkeypatch.setattr("netboot.store.wim.inspector.list_files", None)

    assert compare_files(*listed) == versions.compare(two_built, NAME, 1, 2).inside
    assert versions.compare(two_built, NAME, 1, 2, inside=False).inside is None

    two_built.blobs.remove(wims[0].digest)
    with pytest.raises(BlobMissing):
        versions.compare(two_built, NAME, 1, 2)


@pytest.mark.wimlib
def test_versions_of_an_earlier_release_are_listed_once(two_built, monkeypatch):
    """When they are first compared."""
    expected = versions.compare(two_built, NAME, 1, 2)
    with two_built.database.writing() as session:
        session.execute(delete(VersionListingRow))

    assert expected == versions.compare(two_built, NAME, 1, 2)
    monkeypatch.setattr("netboot.store.wim.inspector.list_files", None)
    assert expected == versions.compare(two_built, NAME, 1, 2)
    assert expected.inside.changed or expected.inside.added
