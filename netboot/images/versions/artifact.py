"""A version as an OCI artifact: its manifest, its configuration, and the layers of each file.

The configuration is the version as it is listed on disk. Each layer has the name of its file as
title; the layers of one file follow each other, and joined in order they are the file.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from netboot.errors import FormatError
from netboot.formats import oci, strict_json
from netboot.formats.oci import TITLE, Descriptor, Manifest
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.images.versions.layers import PlannedLayer

ARTIFACT_TYPE = "application/vnd.netboot.bootimage.v1"
CONFIG_TYPE = "application/vnd.netboot.bootimage.config.v1+json"

_CONFIG_LIMIT = 4 << 20
_CONFIG_VALUES = 100_000
_TEXT_LIMIT = 4096
_SHORT_NAME = re.compile(r"(?=.{1,128}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Layer:
    """The bytes of a file from `offset` on, `descriptor.size` of them."""

    name: str
    offset: int
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Artifact:
    """A version and its layers, file by file and in order."""

    version: ContentVersion
    layers: tuple[Layer, ...]

    def layers_of(self, name: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name == name)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_artifact(
    version: ContentVersion, layers: Iterable[tuple[PlannedLayer, str]]
) -> tuple[Manifest, bytes]:
    """The manifest and the bytes of its configuration; each layer comes with its digest."""
    config = strict_json.canonical(version.to_json())
    manifest = Manifest(
        artifact_type=ARTIFACT_TYPE,
        config=Descriptor(CONFIG_TYPE, digest_of(config), len(config)),
        layers=tuple(
            Descriptor(layer.media_type, digest, layer.size, ((TITLE, layer.name),))
            for layer, digest in layers
        ),
    )
    return manifest, config


def read_artifact(manifest: Manifest, config: bytes) -> Artifact:
    """Raises FormatError if this is no version, or its layers are not its files."""
    if manifest.artifact_type != ARTIFACT_TYPE:
        raise FormatError(
            f"the manifest is not of a boot image: {manifest.artifact_type or 'none'}"
        )
    if manifest.config.media_type != CONFIG_TYPE:
        raise FormatError(f"the configuration is of another kind: {manifest.config.media_type}")
    if (len(config), digest_of(config)) != (manifest.config.size, manifest.config.digest):
        raise FormatError("the configuration does not match its digest")
    version = _version(config)
    return Artifact(version, tuple(_layers(version.files, manifest.layers)))


def _layers(files: Sequence[ManifestFile], layers: Sequence[Descriptor]) -> Iterator[Layer]:
    place = 0
    for file in files:
        offset, first = 0, place
        while place < len(layers) and layers[place].title == file.name:
            yield Layer(file.name, offset, layers[place])
            offset += layers[place].size
            place += 1
        if place == first:
            raise FormatError(f"the manifest has no layer of {file.name} where it should be")
        if offset != file.size:
            raise FormatError(
                f"the layers of {file.name} have {offset} bytes; the file has {file.size}"
            )
        if place == first + 1 and layers[first].digest != file.digest:
            raise FormatError(f"the layer of {file.name} has not the digest of the file")
    if place < len(layers):
        title = layers[place].title[:80]
        raise FormatError(f"layer {place + 1} of the manifest belongs to no file: {title!r}")


def _version(config: bytes) -> ContentVersion:
    what = "the configuration"
    value = strict_json.parse_object(config, what, size=_CONFIG_LIMIT, values=_CONFIG_VALUES)
    try:
        version = ContentVersion.from_json(value)
        written = version.to_json()
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise FormatError(f"{what} is not that of a version: {fault!r:.120}") from fault
    if any(written.get(key, found) != found for key, found in value.items()):
        raise FormatError(f"{what} is not that of a version: a list in it is none")
    texts = [
        *(version.image, version.recipe_digest, version.comment, version.short_name),
        *(version.built_as, version.authority, version.locale, *version.chains),
        *chain.from_iterable((*version.preferred, *version.uefi_loaders)),
        *chain.from_iterable((one.digest, one.name, one.version) for one in version.drivers),
        *(file.name for file in version.files),
    ]
    if not all(isinstance(text, str) and len(text) <= _TEXT_LIMIT for text in texts):
        raise FormatError(f"{what} has a name that is no text, or a long one")
    numbers = [version.number, *(file.size for file in version.files)]
    if not all(type(number) is int and 0 <= number <= oci.SIZE_LIMIT for number in numbers):
        raise FormatError(f"{what} has a number or a size that is none")
    if type(version.built_at) not in {int, float}:
        raise FormatError(f"{what} has no time at which the version was built")
    # It becomes a part of file names and URLs.
    if not _SHORT_NAME.fullmatch(version.address):
        raise FormatError(f"{what} has a short name that is none: {version.address[:40]!r}")
    for file in version.files:
        oci.check_digest(file.digest, f"{file.name[:80]} in {what}")
        if not file.name or not file.name.isprintable():
            raise FormatError(f"{what} has a file without a name")
    if len({file.name for file in version.files}) < len(version.files):
        raise FormatError(f"{what} has two files of one name")
    return version
