"""Scripts, styles and images of pages: addressed by content, cached for ever, compressed."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, request, url_for

from web.guard.access import Role, requires

FOLDER = Path(__file__).with_name("static")
TYPES = {".css", ".js", ".svg", ".png", ".ico"}
COMPRESSIBLE = {".css", ".js", ".svg"}

assets = Blueprint("assets", __name__)


@dataclass(frozen=True)
class Asset:
    """A file in memory."""

    content: bytes
    name: str

    @cached_property
    def digest(self) -> str:
        """Part of the address, so that new content has a new address."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @cached_property
    def compressed(self) -> bytes | None:
        """The content compressed with gzip; None for types that are compressed already."""
        if Path(self.name).suffix not in COMPRESSIBLE:
            return None
        return gzip.compress(self.content, 9, mtime=0)


def load_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
    names = (path.relative_to(folder).as_posix() for path in paths)
    return {name: Asset((folder / name).read_bytes(), name) for name in names}


@assets.get("/assets/<digest>/<path:name>")
@requires(Role.PUBLIC)
def asset(digest: str, name: str) -> Response:
    """One file. The name is looked up and never becomes a path."""
    loaded: dict[str, Asset] = current_app.extensions["netboot_assets"]
    found = loaded.get(name)
    if found is None or found.digest != digest:
        abort(404)
    compressed = found.compressed if request.accept_encodings["gzip"] > 0 else None
    response = Response(
        compressed or found.content,
        mimetype=mimetypes.guess_type(name)[0] or "application/octet-stream",
    )
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["Vary"] = "Accept-Encoding"
    if compressed is not None:
        response.headers["Content-Encoding"] = "gzip"
    return response


def asset_url(name: str) -> str:
    loaded: dict[str, Asset] = current_app.extensions["netboot_assets"]
    return _address(request.root_path, loaded[name].digest, name)


@lru_cache(maxsize=256)
def _address(_root: str, digest: str, name: str) -> str:
    return url_for("assets.asset", digest=digest, name=name)


def init_assets(app: Flask) -> None:
    app.extensions["netboot_assets"] = load_assets()
    app.register_blueprint(assets)
    app.jinja_env.globals["asset_url"] = asset_url
