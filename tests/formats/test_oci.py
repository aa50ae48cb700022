"""OCI manifests and indexes: what is written is read again, and what is wrong is named."""

import hashlib
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.oci import (
    INDEX_TYPE,
    LAYER_LIMIT,
    LAYOUT_BYTES,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    REF_NAME,
    TITLE,
    Descriptor,
    Manifest,
    check_digest,
    check_layout,
    index_bytes,
    manifest_bytes,
    parse_index,
    parse_manifest,
)

DIGEST = "sha256:" + "ab" * 32
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
DESCRIPTORS = st.builds(
    Descriptor,
    media_type=st.sampled_from(["application/x", "text/plain", "application/vnd.a.b.v1+json"]),
    digest=st.binary(max_size=4).map(lambda b: "sha256:" + hashlib.sha256(b).hexdigest()),
    size=st.integers(0, 1 << 50),
    annotations=st.dictionaries(TEXT, TEXT, max_size=3).map(lambda d: tuple(sorted(d.items()))),
    artifact_type=st.sampled_from(["", "application/y"]),
)
MANIFESTS = st.builds(
    Manifest,
    artifact_type=st.sampled_from(["", "application/z"]),
    config=DESCRIPTORS,
    layers=st.lists(DESCRIPTORS, max_size=4).map(tuple),
)


def manifest(**changes):
    """A sound manifest of one layer, with these parts changed; None takes one away."""
    whole = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": layer(),
        "layers": [layer()],
        **changes,
    }
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def layer(**changes):
    whole = {"mediaType": "application/x", "digest": DIGEST, "size": 3, **changes}
    return {key: value for key, value in whole.items() if value is not None}


@given(MANIFESTS)
def test_a_manifest_is_read_as_it_was_written(value):
    """The same content has the same bytes, and so the same digest."""
    data = manifest_bytes(value)

    assert value == parse_manifest(data)
    assert data == manifest_bytes(parse_manifest(data))


@given(st.lists(DESCRIPTORS, max_size=4).map(tuple))
def test_an_index_is_read_as_it_was_written(value):
    """Tags and sizes come out as they went in."""
    assert value == parse_index(index_bytes(value))


@given(MANIFESTS, st.integers(0, 400), st.binary(max_size=3))
def test_a_damaged_manifest_is_read_or_refused(value, at, put):
    """Bytes that changed make another manifest or a format error, and nothing else."""
    data = manifest_bytes(value)
    try:
        assert isinstance(parse_manifest(data[:at] + put + data[at + 1 :]), Manifest)
    except FormatError as fault:
        assert str(fault)  # noqa: PT017 - both ends are right


def test_fields_that_came_later_are_ignored():
    """The specification asks it: a subject, urls and inline data do not matter."""
    found = parse_manifest(manifest(subject=layer(), layers=[layer(urls=["http://x/"], data="")]))

    assert (Descriptor("application/x", DIGEST, 3),) == found.layers


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "the manifest is not JSON"),
        (b"[" * 50_000, "nested more than 16 levels"),
        (b'{"schemaVersion":2,"schemaVersion":2}', "the key 'schemaVersion' twice"),
        (manifest(schemaVersion=1), "schemaVersion 1; 2 is known"),
        (manifest(schemaVersion=True), "schemaVersion True; 2 is known"),
        (manifest(mediaType=INDEX_TYPE), "media type 'application/vnd.oci.image.index"),
        (manifest(mediaType=None), "media type nothing and not"),
        (manifest(artifactType="none"), "'none' for artifactType"),
        (manifest(config=None), "the configuration in the manifest is no descriptor, but nothing"),
        (manifest(layers=None), "no list of layers"),
        (manifest(layers={}), "no list of layers"),
        (manifest(layers=[[]]), "layer 1 of the manifest is no descriptor, but list"),
        (manifest(layers=[layer(size=None)]), "layer 1 of the manifest has nothing for a size"),
        (manifest(layers=[layer(size=-1)]), "-1 for a size"),
        (manifest(layers=[layer(size=True)]), "True for a size"),
        (manifest(layers=[layer(size=1.0)]), "1.0 for a size"),
        (manifest(layers=[layer(size="3")]), "'3' for a size"),
        (manifest(layers=[layer(size=1 << 60)]), "1152921504606846976 for a size"),
        (manifest(layers=[layer(), layer(digest=None)]), "layer 2 .* no digest, but nothing"),
        (manifest(layers=[layer(digest="../../etc")]), "no digest, but '../../etc'"),
        (manifest(layers=[layer(digest="sha256:" + "AB" * 32)]), "not 64 hex digits"),
        (manifest(layers=[layer(digest="sha256:ab")]), "not 64 hex digits"),
        (manifest(layers=[layer(digest="sha512:" + "ab" * 64)]), "digest of sha512; only sha256"),
        (manifest(layers=[layer(digest=DIGEST + "\n")]), "no digest, but"),
        (manifest(layers=[layer(mediaType="wim")]), "'wim' for mediaType"),
        (manifest(layers=[layer(mediaType=7)]), "7 for mediaType"),
        (manifest(layers=[layer(annotations=[])]), "annotations that are none"),
        (manifest(layers=[layer(annotations={TITLE: 1})]), "an annotation that is no text"),
        (manifest(annotations={"a": "x" * 2000}), "an annotation that is no text, or a long one"),
        (manifest(annotations={str(n): "" for n in range(99)}), "annotations that are none, or"),
        (manifest(layers=[layer()] * (LAYER_LIMIT + 1)), "has 1001 layers; at most 1000 are read"),
        (manifest(layers=[{}] * 100_000), "the manifest has more than 24000 values"),
        (manifest(layers=[layer()] * 100_000), f"at most {MANIFEST_LIMIT} are read"),
    ],
)
def test_a_bad_manifest_is_refused_in_one_sentence(data, reason):
    """The message names the part and what is wrong with it."""
    with pytest.raises(FormatError, match=reason) as told:
        parse_manifest(data)

    assert len(str(told.value)) < 220
    assert "\n" not in str(told.value)


def test_a_manifest_of_100000_layers_costs_next_to_nothing():
    """It is refused by its shape, before any layer is looked at."""
    data = manifest(layers=[{}] * 100_000)
    began = time.process_time()
    with pytest.raises(FormatError):
        parse_manifest(data)

    assert time.process_time() - began < 0.2


def test_the_largest_manifest_that_is_ours_can_be_read():
    """A thousand layers with titles fit in the limits of size and values."""
    one = Descriptor("application/vnd.netboot.wim.part.v1", DIGEST, 1 << 50, ((TITLE, "n" * 80),))
    whole = Manifest("application/x", one, (one,) * LAYER_LIMIT)

    assert whole == parse_manifest(manifest_bytes(whole))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"schemaVersion":2}', "the index has no list of manifests"),
        (b'{"schemaVersion":2,"manifests":[1]}', "manifest 1 of the index is no descriptor, but 1"),
        (b'{"schemaVersion":2,"mediaType":"a/b","manifests":[]}', "has media type 'a/b'"),
        (b'{"manifests":[]}', "schemaVersion nothing"),
        (b'{"schemaVersion":2,"manifests":[' + b"1," * 20_000 + b"1]}", "has 20001 manifests"),
    ],
)
def test_a_bad_index_is_refused_in_one_sentence(data, reason):
    """What names the manifests is read as strictly as they are."""
    with pytest.raises(FormatError, match=reason):
        parse_index(data)


def test_an_index_without_media_type_is_read():
    """Skopeo writes such; its tags are found."""
    entry = {**layer(mediaType=MANIFEST_TYPE), "annotations": {REF_NAME: "x64-v3"}}
    data = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()

    assert [one.ref_name for one in parse_index(data)] == ["x64-v3"]


def test_the_mark_of_a_layout_is_checked():
    """The version that is written is read, and another is refused."""
    check_layout(LAYOUT_BYTES)
    with pytest.raises(FormatError, match="version '2.0.0'; 1.0.0 is known"):
        check_layout(LAYOUT_BYTES.replace(b"1.0.0", b"2.0.0"))
    with pytest.raises(FormatError, match="oci-layout is not JSON"):
        check_layout(b"")


def test_a_title_is_the_name_of_the_file():
    """A descriptor without annotations has neither title nor tag."""
    named = Descriptor("a/b", DIGEST, 1, ((TITLE, "boot.sdi"),))

    assert named.title == "boot.sdi"
    assert (replace(named, annotations=()).title, named.ref_name) == ("", "")
    assert check_digest(DIGEST, "it") == DIGEST
