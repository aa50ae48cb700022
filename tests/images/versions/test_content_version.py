import dataclasses
import json

import pytest

from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import (
    ContentVersion,
    DriverInVersion,
    ManifestFile,
    PublishedContent,
)

VERSION = ContentVersion(
    image="Lab PE x64",
    number=7,
    architecture=Architecture.X64,
    recipe_digest="sha256:" + "a" * 64,
    built_at=1_700_000_000.5,
    files=(
        ManifestFile("boot.wim", "sha256:" + "b" * 64, 16_000_000),
        ManifestFile("BCD-uefi", "sha256:" + "c" * 64, 12_288),
    ),
    chains=("linux", "native"),
    drivers=(DriverInVersion("sha256:" + "d" * 64, "e1000", "1.2"),),
    comment="Größe",
)


def test_a_manifest_is_plain_json_and_comes_back_equal():
    """What is written to disk is read back as the same value."""
    assert ContentVersion.from_json(json.loads(json.dumps(VERSION.to_json()))) == VERSION


def test_a_manifest_of_an_older_release_can_be_read():
    """Drivers, comment and preferences came later; a manifest without them has none."""
    old = VERSION.to_json()
    del old["drivers"], old["comment"], old["preferred"]
    read = ContentVersion.from_json(old)

    assert (read.drivers, read.comment, read.preferred) == ((), "", ())
    assert VERSION.files == read.files


@pytest.mark.parametrize("part", ["image", "number", "architecture", "files", "chains"])
def test_a_manifest_that_lacks_a_part_is_no_manifest(part):
    """Half a manifest never becomes a version."""
    half = VERSION.to_json()
    del half[part]

    with pytest.raises(KeyError):
        ContentVersion.from_json(half)


def test_people_name_it_by_image_and_number():
    """`Lab PE x64 v7`."""
    assert VERSION.label == "Lab PE x64 v7"


def test_a_file_is_found_by_its_exact_name():
    """Other spellings are the business of netboot.boot.files.names."""
    assert VERSION.file("BCD-uefi").size == 12_288
    assert VERSION.file("bcd-uefi") is None


def test_a_version_never_changes():
    """It is frozen, and equal to whatever has the same parts."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        VERSION.number = 8
    assert hash(VERSION) == hash(dataclasses.replace(VERSION))


def test_an_empty_point_holds_nothing():
    """Not an image, not a machine; and nobody can put something in."""
    empty = PublishedContent.empty()

    assert (
        empty.generation,
        dict(empty.current),
        dict(empty.kept),
        dict(empty.defaults),
        dict(empty.assignments),
    ) == (0, {}, {}, {}, {})
    with pytest.raises(TypeError):
        empty.current["Lab PE x64"] = VERSION


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [("bios", ("linux", "native")), ("uefi", ("native", "linux")), ("UEFI", ("native", "linux"))],
)
def test_the_chain_preferred_for_a_firmware_comes_first(firmware, expected):
    """Machines of the other firmware keep the version's own order; a manifest remembers it."""
    version = dataclasses.replace(VERSION, preferred=(("uefi", "native"),))
    read = ContentVersion.from_json(json.loads(json.dumps(version.to_json())))

    assert version == read
    assert read.chains_for(firmware) == expected
