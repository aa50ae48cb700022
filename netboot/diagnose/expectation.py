"""What a boot server should serve: digests and sizes, from a file or from a site's data folder.

The file, for a check from another host (`netboot check --write-expected FILE` writes it):

    {"server": "10.0.0.2", "http_port": 8081,
     "programs": {"snponly.efi": {"digest": "sha256:…", "size": 1}},
     "images": [{"label": "PE x64 v7", "architecture": "x64", "default": true,
                 "path": "/v/pe-x64/7/",
                 "files": {"boot.wim": {"digest": "…", "size": 1, "head": "sha256:…"}}}]}
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netboot.errors import InvalidInput
from netboot.store.content.named_files import read_file

if TYPE_CHECKING:
    from netboot.store.content.blobs import BlobStore


HEAD_SIZE: Final = 4096
LARGEST: Final = 64 << 20
_WRITE_IT_AGAIN: Final = "Write it again on the site's host: netboot check --write-expected FILE"


@dataclass(frozen=True, slots=True)
class Promised:
    """A file as it should be; `head` is the digest of its first bytes, if known."""

    digest: str
    size: int
    head: str = ""


@dataclass(frozen=True, slots=True)
class PromisedImage:
    """A version that is served; `path` is the folder of its files on the boot HTTP server."""

    label: str
    architecture: str
    default: bool
    path: str
    files: Mapping[str, Promised]


@dataclass(frozen=True, slots=True)
class Expectation:
    """All that is known about what should be served. If `server` is empty, nothing is known."""

    server: str = ""
    http_port: int = 8081
    programs: Mapping[str, Promised] | None = None
    images: tuple[PromisedImage, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether we know everything that is published."""
        return self.programs is not None

    def serves(self, architecture: str) -> bool:
        return any(one.default and one.architecture == architecture for one in self.images)

    def image_for(self, architectures: tuple[str, ...]) -> PromisedImage | None:
        """The default image that machines of the first of these architectures get."""
        for wanted in architectures:
            for one in self.images:
                if one.default and one.architecture == wanted:
                    return one
        return None

    def promised(self, name: str) -> Promised | None:
        """The file that TFTP should serve as `name` to a machine without an assigned image."""
        if self.programs and name in self.programs:
            return self.programs[name]
        found = {one.files[name] for one in self.images if one.default and name in one.files}
        return found.pop() if len(found) == 1 else None

    def promised_at(self, path: str) -> Promised | None:
        """The file that HTTP should serve at this path."""
        if path.startswith("/p/"):
            return (self.programs or {}).get(path.removeprefix("/p/"))
        for image in self.images:
            if path.startswith(image.path):
                return image.files.get(path.removeprefix(image.path))
        return None

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def read_expectation(path: Path) -> Expectation:
    """The expectation in a file. Raises InvalidInput."""
    content = read_file(path, LARGEST, hint=_WRITE_IT_AGAIN)
    try:
        return _from_json(json.loads(content.decode("utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"{path} is not a valid list of published files: {error}", hint=_WRITE_IT_AGAIN
        ) from error


def site_expectation(data: Path, server: str) -> Expectation:
    """What the site in this folder serves now. Raises ContentFault if that is damaged."""
    from netboot.boot.files.names import version_path
    from netboot.config import load_settings
    from netboot.store.content.point_folder import PointFolder
    from netboot.store.media.boot_programs import read_programs

    point = PointFolder(data / "points" / "site")
    published = point.load()
    defaults = set(published.defaults.values())
    return Expectation(
        server=server,
        http_port=load_settings(data).http_port,
        programs={
            ref.name: Promised(ref.digest, ref.size) for ref in read_programs(point).values()
        },
        images=tuple(
            PromisedImage(
                label=version.label,
                architecture=version.architecture.value,
                default=version.image in defaults,
                path=version_path(version, ""),
                files={
                    one.name: Promised(one.digest, one.size, _head(point.blobs, one.digest))
                    for one in version.files
                },
            )
            for version in published.current.values()
        ),
    )


def _from_json(data: dict[str, Any]) -> Expectation:
    return Expectation(
        server=str(data["server"]),
        http_port=int(data.get("http_port", 8081)),
        programs=_files(data["programs"]),
        images=tuple(
            PromisedImage(
                label=str(one["label"]),
                architecture=str(one["architecture"]),
                default=bool(one["default"]),
                path=str(one["path"]),
                files=_files(one["files"]),
            )
            for one in data["images"]
        ),
    )


def _head(blobs: "BlobStore", digest: str) -> str:
    """The digest of a blob's first bytes. Raises ContentFault if the blob is missing."""
    with blobs.require(digest).open("rb") as file:
        return "sha256:" + hashlib.sha256(file.read(HEAD_SIZE)).hexdigest()


def _files(data: dict[str, Any]) -> dict[str, Promised]:
    return {
        name: Promised(str(one["digest"]), int(one["size"]), str(one.get("head", "")))
        for name, one in data.items()
    }
