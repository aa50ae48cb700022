"""A version as an artifact: what was made is read again, and what does not fit is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats import strict_json
from netboot.formats.oci import Descriptor, manifest_bytes, parse_manifest
from netboot.images.architecture import Architecture
from netboot.images.versions.artifact import (
    ARTIFACT_TYPE,
    digest_of,
    make_artifact,
    read_artifact,
)
from netboot.images.versions.content_version import ContentVersion, DriverInVersion, ManifestFile
from netboot.images.versions.layers import FileToCut, plan_layers

BYTES = {
    "boot.wim": b"MSWIM\0\0\0" + bytes(range(256)) * 2000,
    "boot.sdi": b"sdi",
    "Boot/BCD": b"bcd",
    "bootmgfw.efi": b"efi",
    "kernel": b"efi",
    "empty": b"",
}


def version(**changes) -> ContentVersion:
    whole = ContentVersion(
        image="Lab PE x64",
        number=3,
        architecture=Architecture.X64,
        recipe_digest="sha256:" + "0" * 64,
        built_at=1_700_000_000.25,
        files=tuple(ManifestFile(name, digest_of(b), len(b)) for name, b in BYTES.items()),
        chains=("native", "wimboot"),
        drivers=(DriverInVersion("sha256:1", "netkvm.inf", "1.2"),),
        preferred=(("bios", "wimboot"),),
    )
    return replace(whole, **changes)


def made(given_version: ContentVersion):
    cut = plan_layers([FileToCut(file.name, file.size) for file in given_version.files])
    parts = [
        (one, digest_of(BYTES[one.name][one.offset : one.offset + one.size])) for one in cut
    ]  # fmt: skip
    return make_artifact(given_version, parts)


def test_a_version_is_read_as_it_was_made():
    """Every file is there with its title, and its layers say where they belong."""
    manifest, config = made(version())
    artifact = read_artifact(parse_manifest(manifest_bytes(manifest)), config)

    assert artifact.version == version()
    assert list(BYTES) == list(dict.fromkeys(layer.name for layer in artifact.layers))
    assert [layer.offset for layer in artifact.layers_of("boot.wim")] == [0, 262_144]
    assert len(artifact.layers_of("empty")) == 1


def test_equal_versions_have_equal_digests():
    """Two sites that make an artifact of one version name it alike."""
    first, second = made(version()), made(ContentVersion.from_json(version().to_json()))

    assert first == second
    assert manifest_bytes(first[0]) == manifest_bytes(second[0])


def with_config(change) -> tuple:
    """An artifact whose configuration was changed, and is named by the manifest as it is."""
    manifest, config = made(version())
    value = json.loads(config)
    changed = change(value)
    data = strict_json.canonical(value if changed is None else changed)
    named = replace(manifest.config, digest=digest_of(data), size=len(data))
    return replace(manifest, config=named), data


def put(*path, value):
    """Change the configuration at a path."""

    def change(whole):
        for key in path[:-1]:
            whole = whole[key]
        whole[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda whole: {}, "is not that of a version"),
        (lambda whole: {**whole, "files": None}, "is not that of a version"),
        (lambda whole: {**whole, "preferred": []}, "is not that of a version"),
        (put("chains", value="native"), "is not that of a version: a list in it is none"),
        (put("architecture", value="z80"), "is not that of a version"),
        (put("files", 0, "extra", value=1), "is not that of a version"),
        (put("number", value="3"), "a number or a size that is none"),
        (put("number", value=True), "a number or a size that is none"),
        (put("number", value=-1), "a number or a size that is none"),
        (put("files", 0, "size", value=1.5), "a number or a size that is none"),
        (put("built_at", value="now"), "no time at which"),
        (put("comment", value=[]), "a name that is no text"),
        (put("chains", value=[1]), "a name that is no text"),
        (put("image", value="x" * 5000), "a name that is no text, or a long one"),
        (put("short_name", value="../../etc"), "a short name that is none: '../../etc'"),
        (put("short_name", value="a\n"), "a short name that is none"),
        (
            put("files", 0, "digest", value="sha256:1"),
            "boot.wim in the configuration has a sha256 digest",
        ),
        (put("files", 0, "name", value=""), "a file without a name"),
        (put("files", 0, "name", value="a\0b"), "a file without a name"),
        (put("files", 1, "name", value="boot.wim"), "two files of one name"),
        (put("files", 1, "name", value="other"), "no layer of other where it should be"),
        (put("files", 0, "size", value=7), "the layers of boot.wim have 512008 bytes; the file"),
        (put("files", 1, "digest", value="sha256:" + "0" * 64), "boot.sdi has not the digest"),
        (lambda whole: {**whole, "files": whole["files"][:-1]}, "belongs to no file: 'empty'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(change, reason):
    """A wrong value gets its own sentence, and no other error comes out."""
    with pytest.raises(FormatError, match=reason):
        read_artifact(*with_config(change))


@given(st.data())
def test_any_other_value_makes_another_version_or_is_refused(data):
    """Whatever is put wherever: a version or a format error comes out, and nothing else."""
    whole = version().to_json()
    key = data.draw(st.sampled_from(sorted(whole)))
    junk = data.draw(
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["name", "digest", "size", "a"]), inner)
            ),
            max_leaves=5,
        )
    )
    try:
        assert read_artifact(*with_config(put(key, value=junk))).layers
    except FormatError as fault:
        assert str(fault)  # noqa: PT017 - both ends are right


def test_another_kind_of_artifact_is_refused():
    """An ordinary container image, a newer kind of ours, a configuration that was exchanged."""
    manifest, config = made(version())

    with pytest.raises(FormatError, match="not of a boot image: none"):
        read_artifact(replace(manifest, artifact_type=""), config)
    with pytest.raises(FormatError, match="not of a boot image: .*v2"):
        read_artifact(replace(manifest, artifact_type=ARTIFACT_TYPE[:-1] + "2"), config)
    with pytest.raises(FormatError, match="the configuration does not match its digest"):
        read_artifact(manifest, config + b" ")
    other = Descriptor("application/json", digest_of(config), len(config))
    with pytest.raises(FormatError, match="the configuration is of another kind"):
        read_artifact(replace(manifest, config=other), config)


@given(st.permutations(range(7)))
def test_layers_in_another_order_are_refused(order):
    """Parts that were exchanged never become a file unnoticed: digests or places disagree."""
    manifest, config = made(version())
    layers = tuple(manifest.layers[place] for place in order)
    swapped = replace(manifest, layers=layers)
    titles = [layer.title for layer in layers]
    if titles == [layer.title for layer in manifest.layers]:
        assert read_artifact(swapped, config).layers
        return
    with pytest.raises(FormatError):
        read_artifact(swapped, config)
