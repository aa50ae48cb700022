"""A site as the release before left it: its schema, with rows in each of its larger tables."""

import sqlalchemy as sa

from netboot.images.architecture import Architecture
from netboot.images.boot_image.description import ImageFacts
from netboot.site import Site
from netboot.store.database import schema
from netboot.store.database.changes.change_counters import count_changes
from netboot.store.database.site_database import Database
from tests.support.content import serve, version_of

RELEASE, SCHEMA = "0.2.0", "0014"
"""The last release in the changelog, and the revision of its database."""

DIGEST = "sha256:" + "ab" * 32


def make_older_site(data, url=""):
    """A site of that release in `data`: one served image, a driver, an account, a boot, a job."""
    site = Site.open(data)
    if url:
        (data / "netboot.toml").write_text(f'database_url = "{url}"\n')
    version = version_of(site, 1)
    serve(site, version)
    database = Database(url or f"sqlite:///{data / 'site.db'}")
    with database.exclusive() as connection:
        schema.migrate(connection, SCHEMA)
        count_changes(connection)
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, row in _rows(site, version):
            connection.execute(sa.insert(tables.tables[name]).values(row))
        if not database.is_sqlite:  # as its own inserts would have counted them
            for name in ("drivers", "images", "versions", "accounts", "jobs"):
                connection.execute(sa.text(f"SELECT setval('{name}_id_seq', 1)"))
    database.close()
    return site


def _rows(site, version):
    source = site.blobs.add_bytes(b"the source")
    yield "drivers", {
        "id": 1, "digest": DIGEST, "name": "nb1000", "inf_name": "nb1000.inf", "provider": "Lab",
        "family": "lab nb1000", "kind": "network", "class_name": "Net", "version": "1.2.3.4",
        "date": "2024-03-11", "architectures": "x64", "signature": "none", "size": 100, "ids": 1,
        "enabled": True, "categories": "", "has_findings": False, "findings": [],
        "imported_at": 1.5, "search_text": "nb1000 lab",
    }  # fmt: skip
    facts = ImageFacts(
        size=source.size, index=1, images=(), boot_index=1, architecture=Architecture.X64,
        compression="LZX", version="10.0.26100.1",
    )  # fmt: skip
    package = {"files": [], "class_guid": "{4d36e972-e325-11ce-bfc1-08002be10318}"}
    yield "driver_contents", {"driver_id": 1, "package": package, "models": "[]"}
    yield "driver_traits", {"driver_id": 1, "services": "[]", "spans": "[]", "boards": "[]"}
    yield "hardware_ids", {"hardware_id": "PCI\\VEN_8086&DEV_100E", "driver_id": 1}
    yield "images", {
        "id": 1, "name": version.image, "slug": "lab-pe-x64", "address": "lab-pe-x64",
        "architecture": "x64", "source_digest": source.digest, "source_size": source.size,
        "source_name": "boot.wim", "image_index": 1, "facts": facts.to_json(), "properties": {},
        "comment": "Grüße", "version_label": "", "is_lab": True, "candidate": {}, "override": {},
        "source_altered_at": 0.0, "created_at": 1.5, "row_version": 3,
    }  # fmt: skip
    yield "versions", {
        "id": 1, "image_id": 1, "number": 1, "recipe_digest": version.recipe_digest, "recipe": {},
        "manifest": version.to_json(), "secrets": [], "findings": [], "altered": [],
        "built_at": 1.5,
    }  # fmt: skip
    yield "default_images", {"architecture": "x64", "image_name": version.image}
    yield "accounts", {
        "id": 1, "name": "ada", "password_hash": "x", "role": "admin", "created_at": 1.0,
        "disabled": False, "row_version": 1,
    }  # fmt: skip
    yield "machines", {
        "key": "52:54:00:12:34:56", "source": "boot", "devices": ["PCI\\VEN_8086&DEV_100E"],
        "architecture": "x64", "firmware": "bios", "image_name": version.image, "authority": "",
        "seen_at": 7.25,
    }  # fmt: skip
    yield "jobs", {
        "id": 1, "kind": "clean_up", "title": "Done", "arguments": {}, "state": "succeeded",
        "progress": 1.0, "stage": "", "message": "", "log": [], "result": {}, "attempts": 1,
        "lease_until": 0.0, "worker": "", "cancel_requested": False, "created_at": 1.0,
        "finished_at": 2.0,
    }  # fmt: skip
