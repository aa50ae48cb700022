"""OCI artifacts: descriptors, manifests, indexes and the mark of a layout, read without trust.

References: OCI image-spec 1.1, manifest.md, descriptor.md, image-index.md and image-layout.md.
Fields that the specification adds later are ignored, as it asks; those that are read here must be
right. The same content is always written as the same bytes, so it has the same digest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netboot.errors import FormatError
from netboot.formats import strict_json

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
TITLE = "org.opencontainers.image.title"
REF_NAME = "org.opencontainers.image.ref.name"

# Registries take manifests of up to 4 MiB. 1000 layers with long titles need half a MiB.
MANIFEST_LIMIT = 1 << 20
INDEX_LIMIT = 4 << 20
LAYER_LIMIT = 1000
INDEX_ENTRIES_LIMIT = 10_000
ANNOTATION_LIMIT = 64
TEXT_LIMIT = 1024
SIZE_LIMIT = 1 << 50
_VALUES_EACH = 24
"""JSON values of a descriptor; ours have 8."""

LAYOUT_BYTES = b'{"imageLayoutVersion":"1.0.0"}'
Pairs = tuple[tuple[str, str], ...]

_DIGEST = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([A-Za-z0-9=_-]+)")
_HEX = re.compile(r"[0-9a-f]{64}")
# RFC 6838 §4.2
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content by its digest (`sha256:<hex>`) and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Pairs = ()
    artifact_type: str = ""

    @property
    def title(self) -> str:
        """The name of the file that this is, or is a part of; "" if it has none."""
        return dict(self.annotations).get(TITLE, "")

    @property
    def ref_name(self) -> str:
        """The tag of a manifest in an index; "" if it has none."""
        return dict(self.annotations).get(REF_NAME, "")


@dataclass(frozen=True, slots=True)
class Manifest:
    """An artifact: its configuration and, in order, its layers."""

    artifact_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Pairs = ()


def manifest_bytes(manifest: Manifest) -> bytes:
    return strict_json.canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            **({"artifactType": manifest.artifact_type} if manifest.artifact_type else {}),
            "config": _written(manifest.config),
            "layers": [_written(layer) for layer in manifest.layers],
            **({"annotations": dict(manifest.annotations)} if manifest.annotations else {}),
        }
    )


def parse_manifest(data: bytes) -> Manifest:
    """Raises FormatError, whose message says what is wrong."""
    what = "the manifest"
    values = LAYER_LIMIT * _VALUES_EACH
    value = strict_json.parse_object(data, what, size=MANIFEST_LIMIT, values=values)
    _require_kind(value, what, MANIFEST_TYPE)
    layers = value.get("layers")
    if not isinstance(layers, list):
        raise FormatError(f"{what} has no list of layers")
    if len(layers) > LAYER_LIMIT:
        raise FormatError(f"{what} has {len(layers)} layers; at most {LAYER_LIMIT} are read")
    return Manifest(
        artifact_type=_media_type(value, "artifactType", what) if "artifactType" in value else "",
        config=_descriptor(value.get("config"), "the configuration in the manifest"),
        layers=tuple(
            _descriptor(layer, f"layer {number} of the manifest")
            for number, layer in enumerate(layers, 1)
        ),
        annotations=_annotations(value, what),
    )


def index_bytes(manifests: tuple[Descriptor, ...]) -> bytes:
    return strict_json.canonical(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [_written(manifest) for manifest in manifests],
        }
    )


def parse_index(data: bytes) -> tuple[Descriptor, ...]:
    """The manifests that an index names. Raises FormatError."""
    what = "the index"
    values = INDEX_ENTRIES_LIMIT * _VALUES_EACH
    value = strict_json.parse_object(data, what, size=INDEX_LIMIT, values=values)
    # image-index.md: mediaType SHOULD be there; skopeo leaves it out of index.json.
    _require_kind(value, what, INDEX_TYPE, optional=True)
    entries = value.get("manifests")
    if not isinstance(entries, list):
        raise FormatError(f"{what} has no list of manifests")
    if len(entries) > INDEX_ENTRIES_LIMIT:
        raise FormatError(
            f"{what} has {len(entries)} manifests; at most {INDEX_ENTRIES_LIMIT} are read"
        )
    return tuple(
        _descriptor(entry, f"manifest {number} of the index")
        for number, entry in enumerate(entries, 1)
    )


def check_layout(data: bytes) -> None:
    """Read the file `oci-layout`. Raises FormatError if the folder is no layout that we know."""
    value = strict_json.parse_object(data, "oci-layout", size=4096, values=64)
    version = value.get("imageLayoutVersion")
    if version != "1.0.0":
        raise FormatError(f"oci-layout has version {_shown(version)}; 1.0.0 is known")


def check_digest(digest: object, what: str) -> str:
    """A digest of the one algorithm that is used here. Raises FormatError."""
    parts = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if not isinstance(digest, str) or parts is None:
        raise FormatError(f"{what} has no digest, but {_shown(digest)}")
    if parts[1] != "sha256":
        raise FormatError(f"{what} has a digest of {parts[1][:20]}; only sha256 is known")
    if not _HEX.fullmatch(parts[2]):
        raise FormatError(f"{what} has a sha256 digest that is not 64 hex digits in lower case")
    return digest


def _written(descriptor: Descriptor) -> dict[str, Any]:
    kind, notes = descriptor.artifact_type, descriptor.annotations
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
        **({"artifactType": kind} if kind else {}),
        **({"annotations": dict(notes)} if notes else {}),
    }


def _descriptor(value: object, what: str) -> Descriptor:
    if not isinstance(value, dict):
        raise FormatError(f"{what} is no descriptor, but {_shown(value)}")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= SIZE_LIMIT:
        raise FormatError(f"{what} has {_shown(size)} for a size")
    return Descriptor(
        media_type=_media_type(value, "mediaType", what),
        digest=check_digest(value.get("digest"), what),
        size=size,
        annotations=_annotations(value, what),
        artifact_type=_media_type(value, "artifactType", what) if "artifactType" in value else "",
    )


def _require_kind(value: dict[str, Any], what: str, kind: str, *, optional: bool = False) -> None:
    version = value.get("schemaVersion")
    if type(version) is not int or version != 2:
        raise FormatError(f"{what} has schemaVersion {_shown(version)}; 2 is known")
    if optional and "mediaType" not in value:
        return
    if value.get("mediaType") != kind:
        raise FormatError(f"{what} has media type {_shown(value.get('mediaType'))} and not {kind}")


def _media_type(value: dict[str, Any], key: str, what: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not _MEDIA_TYPE.fullmatch(found):
        raise FormatError(f"{what} has {_shown(found)} for {key}")
    return found


def _annotations(value: dict[str, Any], what: str) -> Pairs:
    found = value.get("annotations", {})
    if not isinstance(found, dict) or len(found) > ANNOTATION_LIMIT:
        raise FormatError(f"{what} has annotations that are none, or too many")
    return tuple(sorted(_texts(found, what)))


def _texts(found: dict[str, Any], what: str) -> Iterator[tuple[str, str]]:
    for key, text in found.items():
        if not isinstance(text, str) or len(key) + len(text) > TEXT_LIMIT:
            raise FormatError(f"{what} has an annotation that is no text, or a long one")
        yield key, text


def _shown(value: object) -> str:
    """A foreign value in a message; never all of it."""
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str | int | float) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "…"
