"""The files that pages are made of."""

import gzip
import hashlib
import importlib.util
import json
import re
from pathlib import Path

import pytest

from web.assets import FOLDER, load_assets

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "web" / "templates"
VENDOR_FOLDERS = [FOLDER / "vendor", Path(__file__).with_name("vendor")]


def test_an_asset_is_cached_for_ever_under_the_name_of_its_content(shared_site, make_client):
    """Another content has another address."""
    client = make_client(shared_site, "anonymous")
    page = client.get("/sign-in").text
    address = re.search(r'href="(/assets/[^"]+/console\.css)"', page)[1]
    response = client.get(address, headers={"Accept-Encoding": "gzip"})

    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data) == (FOLDER / "console.css").read_bytes()
    assert client.get(address).data == (FOLDER / "console.css").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/assets/0000000000000000/console.css",
        "/assets/{digest}/../access.py",
        "/assets/{digest}/%2e%2e/access.py",
        "/assets/{digest}/vendor/manifest.json",
        "/assets/{digest}//etc/passwd",
    ],
)
def test_only_listed_names_are_found(shared_site, make_client, path):
    """Names are looked up, so there is no path to climb."""
    digest = load_assets()["console.css"].digest
    response = make_client(shared_site, "anonymous").get(path.format(digest=digest))

    assert response.status_code in {301, 308, 404}


@pytest.mark.parametrize("folder", VENDOR_FOLDERS, ids=["console", "tests"])
def test_vendored_files_are_those_of_the_manifest(folder):
    """Nobody edited them by hand, and none lies beside the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }

    assert {name: entry["sha256"] for name, entry in manifest.items()} == found


def test_vendored_files_are_those_of_the_packages():
    """Where node_modules is there, vendoring again gives the same bytes."""
    if not (ROOT / "node_modules").is_dir():
        pytest.skip("node_modules is not there: npm ci --ignore-scripts")
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "scripts" / "vendor.py")
    vendor = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vendor)

    assert vendor.check() == 0


def test_the_lock_names_no_registry():
    """Any registry will do, so none is named."""
    lock = json.loads((ROOT / "package-lock.json").read_text())

    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)


def test_every_icon_that_a_template_names_is_in_the_sprite():
    """An unknown icon would be an empty square."""
    sprite = set(re.findall(r'symbol id="([^"]+)"', (FOLDER / "vendor/icons.svg").read_text()))
    text = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    text += "".join(path.read_text() for path in (ROOT / "web").glob("*.py"))
    named = set(re.findall(r'\bicon\("([a-z0-9-]+)"', text))

    assert named
    assert set() == named - sprite


def test_a_first_visit_is_small(shared_site, make_client):
    """Everything that a page asks for, uncompressed, stays below a megabyte."""
    client = make_client(shared_site, "viewer")
    page = client.get("/").text
    addresses = set(re.findall(r'(?:src|href)="(/assets/[^"#]+)', page))
    total = len(page) + sum(len(client.get(address).data) for address in addresses)

    assert total < 1_000_000


def test_nothing_comes_from_elsewhere():
    """Style sheets and scripts name no other host that they would fetch from."""
    for name in ("vendor/tabler.css", "vendor/uplot.css", "console.css"):
        text = (FOLDER / name).read_text()
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", text), name
