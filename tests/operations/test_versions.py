import pytest

from netboot.errors import BlobMissing
from netboot.images.architecture import Architecture
from netboot.operations import images, versions
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
    assert 1.0 == parts[-1]


def test_a_build_that_is_stopped_leaves_nothing(imported):
    """Neither a version nor a file in staging."""

    class Stop(Exception):
        pass

    def stop(part, stage):
        raise Stop

    with pytest.raises(Stop):
        versions.build_version(imported, NAME, progress=stop)
    assert () == images.get_image(imported, NAME).versions
    assert [] == list(imported.blobs.staging.iterdir())


def test_a_source_that_is_gone_is_damage(imported):
    """It is not taken for an empty image."""
    imported.blobs.remove(images.get_image(imported, NAME).source_digest)

    with pytest.raises(BlobMissing):
        versions.build_version(imported, NAME)
