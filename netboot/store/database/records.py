"""The rows of the site's database."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Row(DeclarativeBase):
    """The base class of all rows."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, int: BigInteger}  # noqa: RUF012


# SQLite assigns ids by itself only to INTEGER PRIMARY KEY, not to BIGINT (SQLite, "Rowid Tables").
RowId = BigInteger().with_variant(Integer(), "sqlite")


def _plain(length: int) -> String:
    """Text that both databases compare byte by byte: PostgreSQL's default depends on its locale."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


# Ids with the same beginning are neighbours in its index.
PlainText = _plain(255)


FACETS = ("enabled", "categories", "kind", "architectures", "signature", "has_findings")
"""The filters in lists of drivers; one index gives the number of drivers for each."""


class DriverRow(Row):
    """A driver package in the catalog, as in lists; `content` is the rest.

    Line feeds separate `categories`, commas `architectures`; `family` is common to the versions of
    a package; `ids` is the number of ids that the driver claims.
    """

    __tablename__ = "drivers"
    __table_args__ = (
        Index("ix_drivers_order", "name", "version", "digest"),
        Index("ix_drivers_facets", *FACETS),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[str] = mapped_column(_plain(71), unique=True)
    name: Mapped[str] = mapped_column(PlainText)
    inf_name: Mapped[str] = mapped_column(String(255))
    provider: Mapped[str] = mapped_column(String(255))
    family: Mapped[str] = mapped_column(String(511), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    class_name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(_plain(64))
    date: Mapped[str] = mapped_column(String(10))
    architectures: Mapped[str] = mapped_column(String(32))
    signature: Mapped[str] = mapped_column(String(16))
    size: Mapped[int]
    ids: Mapped[int]
    enabled: Mapped[bool] = mapped_column(default=False)
    categories: Mapped[str] = mapped_column(String(1000), default="")
    has_findings: Mapped[bool]
    findings: Mapped[list[Any]]
    imported_at: Mapped[float] = mapped_column(Float)
    search_text: Mapped[str] = mapped_column(Text, deferred=True)

    content: Mapped["DriverContentRow"] = relationship(cascade="all, delete-orphan")


class DriverContentRow(Row):
    """The large parts of a driver, in a table that lists do not scan.

    `package` is the value without its models, `models` are these as JSON text.
    """

    __tablename__ = "driver_contents"

    driver_id: Mapped[int] = mapped_column(
        ForeignKey("drivers.id", ondelete="CASCADE"), primary_key=True
    )
    package: Mapped[dict[str, Any]]
    models: Mapped[str] = mapped_column(Text)


class DriverTraitsRow(Row):
    """Extracts of the models for catalog-wide queries (netboot.store.drivers.entry.Traits).

    In a table of their own, so that such a query reads nothing else.
    """

    __tablename__ = "driver_traits"

    driver_id: Mapped[int] = mapped_column(
        ForeignKey("drivers.id", ondelete="CASCADE"), primary_key=True
    )
    services: Mapped[str] = mapped_column(Text)
    spans: Mapped[str] = mapped_column(Text)
    boards: Mapped[str] = mapped_column(Text)


class HardwareIdRow(Row):
    """One id that a driver claims. Catalogs have millions, so the key is the whole row."""

    __tablename__ = "hardware_ids"
    __table_args__ = (
        Index("ix_hardware_ids_driver", "driver_id"),
        {"sqlite_with_rowid": False},
    )

    hardware_id: Mapped[str] = mapped_column(PlainText, primary_key=True)
    driver_id: Mapped[int] = mapped_column(
        ForeignKey("drivers.id", ondelete="CASCADE"), primary_key=True
    )


class KnownPairRow(Row):
    """A driver conflict that an administrator added (netboot.images.drivers.known_pairs)."""

    __tablename__ = "known_pairs"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    trouble: Mapped[str] = mapped_column(String(16))
    first: Mapped[dict[str, Any]]
    second: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(String(1000))
    source: Mapped[str] = mapped_column(String(1000), default="")
    added_at: Mapped[float] = mapped_column(Float)


class ImageRow(Row):
    """A boot image: a source WIM, and the recipe of what is added to it.

    `slug` changes with the name; `address` is the name in the URLs of its files, which stays.
    `candidate` is a newer source that was examined, but is not used yet. `override` is who
    accepted which secrets and why. `source_altered_at` (epoch seconds) is when the stored source
    was found to be damaged, or 0.
    """

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)
    address: Mapped[str] = mapped_column(
        String(100), unique=True, default=lambda context: context.get_current_parameters()["slug"]
    )
    architecture: Mapped[str] = mapped_column(String(8))
    source_digest: Mapped[str] = mapped_column(String(71))
    source_size: Mapped[int]
    source_name: Mapped[str] = mapped_column(String(255))
    image_index: Mapped[int]
    facts: Mapped[dict[str, Any]]
    properties: Mapped[dict[str, Any]]
    comment: Mapped[str] = mapped_column(String(2000), default="")
    version_label: Mapped[str] = mapped_column(String(64), default="")
    is_lab: Mapped[bool] = mapped_column(default=False)
    candidate: Mapped[dict[str, Any]] = mapped_column(default=dict)
    override: Mapped[dict[str, Any]] = mapped_column(default=dict)
    source_altered_at: Mapped[float] = mapped_column(Float, default=0.0)
    created_at: Mapped[float] = mapped_column(Float)
    row_version: Mapped[int] = mapped_column(default=1)

    drivers: Mapped[list["ImageDriverRow"]] = relationship(
        order_by="ImageDriverRow.position", cascade="all, delete-orphan"
    )
    versions: Mapped[list["VersionRow"]] = relationship(
        order_by="VersionRow.number.desc()", cascade="all, delete-orphan"
    )

    __mapper_args__ = {"version_id_col": row_version}  # noqa: RUF012


class ImageDriverRow(Row):
    """A driver in the recipe of an image."""

    __tablename__ = "image_drivers"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    driver_digest: Mapped[str] = mapped_column(ForeignKey("drivers.digest"), primary_key=True)
    position: Mapped[int]


class VersionRow(Row):
    """A built version; `manifest` is the ContentVersion as JSON and never changes.

    `secrets` and `findings` are from the build. `altered` are damaged files: if there are any, the
    version is no longer served.
    """

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("image_id", "number"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    number: Mapped[int]
    recipe_digest: Mapped[str] = mapped_column(String(71))
    recipe: Mapped[dict[str, Any]]
    manifest: Mapped[dict[str, Any]]
    secrets: Mapped[list[Any]] = mapped_column(default=list)
    findings: Mapped[list[Any]] = mapped_column(default=list)
    altered: Mapped[list[Any]] = mapped_column(default=list)
    built_at: Mapped[float] = mapped_column(Float)


class MediaRow(Row):
    """A medium with a version.

    `carried` are the versions on it with the digests of their WIMs; `options` is the order without
    secrets; `firmware` are the kinds of machines that it starts.
    """

    __tablename__ = "media"
    __table_args__ = (Index("ix_media_version", "version_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))
    format: Mapped[str] = mapped_column(String(8))
    identity: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(String(16))
    file_name: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(71))
    size: Mapped[int]
    firmware: Mapped[list[Any]]
    carried: Mapped[list[Any]]
    options: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(Float)


class DefaultImageRow(Row):
    """The default image of an architecture."""

    __tablename__ = "default_images"

    architecture: Mapped[str] = mapped_column(String(8), primary_key=True)
    image_name: Mapped[str] = mapped_column(String(100))


class DeploymentRow(Row):
    """A machine with an image of its own: always the newest version on the point."""

    __tablename__ = "deployments"

    mac: Mapped[str] = mapped_column(String(17), primary_key=True)
    image_name: Mapped[str] = mapped_column(String(100), index=True)
    comment: Mapped[str] = mapped_column(String(2000), default="")
    changed_at: Mapped[float] = mapped_column(Float)


class MachineRow(Row):
    """A machine that booted, or whose device list was imported.

    `key` is its MAC address, or the name of the list. `devices` are lines for
    images.drivers.device. `authority` is the signer of the UEFI boot loader that it requires
    ("2011", "2023"), or empty.
    """

    __tablename__ = "machines"
    __table_args__ = (
        Index("ix_machines_order", "seen_at", "key"),
        Index("ix_machines_kinds", "source", "firmware", "architecture", "key"),
    )

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    devices: Mapped[list[Any]]
    architecture: Mapped[str] = mapped_column(String(8), default="")
    firmware: Mapped[str] = mapped_column(String(16), default="")
    image_name: Mapped[str] = mapped_column(String(100), default="", index=True)
    authority: Mapped[str] = mapped_column(String(4), default="")
    seen_at: Mapped[float] = mapped_column(Float)


class AccountRow(Row):
    """A user, who signs in by password, or by OIDC (`identity`: issuer and subject)."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(Float)
    disabled: Mapped[bool] = mapped_column(default=False)
    identity: Mapped[str | None] = mapped_column(String(500), index=True, unique=True, default=None)
    row_version: Mapped[int] = mapped_column(default=1)


class BootHourRow(Row):
    """The numbers of boots that began in an hour (counted since the epoch), online or not."""

    __tablename__ = "boot_hours"

    hour: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    online: Mapped[int] = mapped_column(default=0)
    other: Mapped[int] = mapped_column(default=0)


class BootRow(Row):
    """One boot of one machine; `attempt` is the value without its steps.

    `state` is an Outcome, first UNDER_WAY; after `quiet_at` (epoch seconds) such a boot has
    stalled. `rate` is in bytes per second, `search` is the searchable text.
    """

    __tablename__ = "boots"
    __table_args__ = (
        Index("ix_boots_began", "began", "state", "quiet_at"),
        Index("ix_boots_outcome", "state", "began", "quiet_at", "search"),
        Index("ix_boots_state", "state", "quiet_at"),
        Index("ix_boots_machine", "machine", "began"),
        Index("ix_boots_image", "image", "began", "state", "quiet_at", "search"),
        Index("ix_boots_way", "image", "version", "way", "began"),
        Index("ix_boots_search", "began", "search"),
    )

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    machine: Mapped[str] = mapped_column(String(64))
    began: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(16))
    quiet_at: Mapped[float] = mapped_column(Float)
    image: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column(Integer, default=0)
    way: Mapped[str] = mapped_column(String(16), default="")
    rate: Mapped[float] = mapped_column(Float)
    search: Mapped[str] = mapped_column(String(400))
    attempt: Mapped[dict[str, Any]]


class FactRow(Row):
    """Single values of the site, like the digest of the setup token."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]]


class OutlookRow(Row):
    """What becomes of a machine that boots, as the worker computed it (fleet_results).

    `network` and `storage` are Status values for the served version of `image_name`.
    """

    __tablename__ = "outlooks"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    image_name: Mapped[str] = mapped_column(String(100))
    network: Mapped[str] = mapped_column(String(16))
    storage: Mapped[str] = mapped_column(String(16))


class ComputedRow(Row):
    """A result about the fleet or catalog, computed by the worker at `computed_at` (epoch seconds).

    It is current while its `basis` (change counters and the like, as JSON) is.
    """

    __tablename__ = "computed_results"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    basis: Mapped[str] = mapped_column(Text)
    computed_at: Mapped[float] = mapped_column(Float)
    value: Mapped[dict[str, Any]]
