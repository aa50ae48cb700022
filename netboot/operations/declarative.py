"""The site as files for git: export it, plan what files would change, apply them.

`plan` changes nothing. `apply` first imports sources that are missing, then does the rest in one
transaction. It builds nothing and changes nothing that machines get.
"""

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import Difference, EditConflict, InvalidInput, NetbootError, OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.boot_image import boot_image
from netboot.images.boot_image.boot_image import BootImage
from netboot.images.declared import (
    Assignment,
    Change,
    Declaration,
    DeclaredDriver,
    DeclaredImage,
    compare,
)
from netboot.images.drivers import catalog
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers.drivers import find_driver
from netboot.operations.images import images
from netboot.operations.served import require_name
from netboot.progress import Progress, silent
from netboot.protocols.mac import require_mac
from netboot.site import Site
from netboot.store.database.records import DefaultImageRow, DeploymentRow, DriverRow, ImageRow
from netboot.store.drivers.rows import driver_value, split_words
from netboot.store.images.declared_files import (
    DeclaredFiles,
    DriverRef,
    ImageEntry,
    read_files,
    read_texts,
    texts_of,
    write_files,
)
from netboot.store.images.rows import find_image, image_value, keep_drivers


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying the files would change, in order; `sources` are WIMs to import first."""

    changes: tuple[Change, ...]
    sources: tuple[Path, ...]

    @property
    def removes_served(self) -> tuple[str, ...]:
        """The images to delete that machines get; `apply` wants each by name."""
        return tuple(one.key for one in self.changes if one.removes_image and one.details)

    @property
    def digest(self) -> str:
        """Identifies the plan: other files or another site have another digest."""
        content = repr((self.changes, self.sources)).encode()
        return f"sha256:{hashlib.sha256(content).hexdigest()}"


Declared = Path | Mapping[str, str]
"""A folder of files, or the texts of such files by name."""


def export(site: Site, folder: Path) -> tuple[Path, ...]:
    """Write the site into the folder; returns the files. Raises NotPermitted."""
    with site.database.transaction() as session:
        declared = _now(session)
    return write_files(folder, declared)


def exported(site: Site) -> dict[str, str]:
    """The texts that `export` would write, by file name."""
    with site.database.transaction() as session:
        return texts_of(_now(session))


def plan(site: Site, declared: Declared, *, prune: bool = False) -> Plan:
    """What applying these would change. Raises InvalidInput."""
    return _plan(site, _read(declared), prune=prune)


def _read(declared: Declared) -> DeclaredFiles:
    return read_files(declared) if isinstance(declared, Path) else read_texts(declared)


def _plan(site: Site, files: DeclaredFiles, *, prune: bool) -> Plan:
    with site.database.transaction() as session:
        now = _now(session)
        wanted = _wanted(session, files, now)
        with_sources = {one.name for one in files.images or () if one.source_file}
        _check(now, wanted, with_sources)
    _require_blobs(site, wanted)
    served = site.point.numbers()
    changes = (one.with_served(served) for one in compare(now, wanted, prune=prune))
    return Plan(tuple(changes), tuple(_missing_sources(files, now)))


def apply(
    site: Site,
    declared: Declared,
    *,
    prune: bool = False,
    delete_served: Collection[str] = (),
    planned: str = "",
    progress: Progress = silent,
) -> Plan:
    """Change the site to match these; returns what was changed.

    `planned` is the digest of the plan that the administrator saw: if the plan is another now,
    nothing is done. `delete_served` names the images that may be deleted although machines get
    them. Raises InvalidInput, InUse, EditConflict, and what importing a source raises.
    """
    files = _read(declared)
    done = _plan(site, files, prune=prune)
    if planned and planned != done.digest:
        raise EditConflict(
            "the site was changed since this was planned",
            hint="Look at the new plan, then apply that.",
            difference=tuple(
                Difference(f"{one.subject} {one.label}", one.kind.value, "; ".join(one.details))
                for one in done.changes
            ),
        )
    named = {name: name for name in delete_served}
    for name in done.removes_served:
        hint = f'If it may go, name it: --delete-served "{name}", or `delete_served` over the API.'
        require_name(name, named.get(name, ""), hint=hint)
    _take_in(site, files, progress)
    progress(0.9, "changing recipes and assignments")
    with site.database.writing() as session:
        now = _now(session)
        wanted = _wanted(session, files, now)
        _check(now, wanted, ())
        for change in compare(now, wanted):
            _carry_out(session, change, wanted)
    for change in done.changes:
        if change.removes_image:
            images.delete_image(site, change.key, typed=named.get(change.key, ""))
    policy.publish(site)
    return done


def _now(session: Session) -> Declaration:
    """The site as a declaration."""
    drivers = {
        row.digest: DeclaredDriver(
            row.digest, row.name, row.version, row.enabled, tuple(split_words(row.categories))
        )
        for row in session.scalars(select(DriverRow))
    }
    found = {}
    for row in session.scalars(select(ImageRow).order_by(ImageRow.name)):
        value = image_value(session, row)
        found[row.name] = DeclaredImage(
            name=row.name,
            architecture=row.architecture,
            source_digest=row.source_digest,
            source_index=row.image_index,
            drivers=tuple(driver.digest for driver in value.drivers),
            properties=value.properties,
            comment=row.comment,
            labels={driver.digest: f"{driver.name} {driver.version}" for driver in value.drivers},
        )
    defaults = {
        row.architecture: row.image_name for row in session.scalars(select(DefaultImageRow))
    }
    machines = {
        row.mac: Assignment(row.image_name, row.comment)
        for row in session.scalars(select(DeploymentRow))
    }
    return Declaration(drivers, found, defaults, machines)


def _wanted(session: Session, files: DeclaredFiles, now: Declaration) -> Declaration:
    """The files as a declaration: drivers found in the catalog, MAC addresses in one spelling."""
    known = now.drivers or {}
    drivers = None
    if files.drivers is not None:
        drivers = {}
        for entry in files.drivers:
            row = _driver(session, entry.ref, None)
            enabled = known[row.digest].enabled if entry.enabled is None else entry.enabled
            drivers[row.digest] = DeclaredDriver(
                row.digest, row.name, row.version, enabled, entry.categories
            )
    found = None
    if files.images is not None:
        found = {entry.name: _image(session, entry, now) for entry in files.images}
        if len(found) < len(files.images):
            raise InvalidInput("two files declare an image of the same name")
    machines = None
    if files.machines is not None:
        machines = {require_mac(mac): made for mac, made in files.machines.items()}
    return Declaration(drivers, found, files.defaults, machines)


def _image(session: Session, entry: ImageEntry, now: Declaration) -> DeclaredImage:
    try:
        architecture = Architecture(entry.architecture)
    except ValueError:
        choices = ", ".join(Architecture)
        raise InvalidInput(
            f"{entry.path}: there is no architecture {entry.architecture!r}",
            hint=f"There are {choices}.",
        ) from None
    rows = [_driver(session, ref, architecture, entry.path) for ref in entry.drivers]
    known = (now.images or {}).get(entry.name)
    return DeclaredImage(
        name=entry.name,
        architecture=entry.architecture,
        source_digest=entry.source_digest or (known.source_digest if known else ""),
        source_index=entry.source_index,
        drivers=tuple(row.digest for row in rows),
        properties=entry.properties,
        comment=entry.comment,
        labels={row.digest: f"{row.name} {row.version}" for row in rows},
    )


def _driver(
    session: Session, ref: DriverRef, architecture: Architecture | None, path: Path | None = None
) -> DriverRow:
    """The driver that a file means. Raises InvalidInput with the name of the file."""
    where = f"{path}: " if path else ""
    if ref.digest:
        row = session.scalar(select(DriverRow).where(DriverRow.digest == ref.digest))
        if row is None:
            raise InvalidInput(
                f"{where}the driver {ref.name or ref.digest} {ref.version} is not in the catalog",
                hint="Import it first: netboot driver import FOLDER",
            )
        return row
    if ref.version:
        query = select(DriverRow).where(
            DriverRow.name == ref.name, DriverRow.version == ref.version
        )
        rows = session.scalars(query).all()
        if len(rows) == 1:
            return rows[0]
    try:
        return find_driver(session, ref.name, architecture=architecture)
    except OperatorFault as fault:
        raise InvalidInput(f"{where}{fault}", hint=fault.hint) from fault


def _hint_for_missing(image: DeclaredImage, now: Declaration, wanted: Declaration) -> str:
    """An image whose source belongs to an undeclared image was probably renamed."""
    for known in (now.images or {}).values():
        if known.source_digest == image.source_digest and known.name not in (wanted.images or {}):
            return (
                f'It has the source of "{known.name}", which no file names: if that is its new'
                " name, write it into the files."
            )
    return 'Add `file = "path/to/boot.wim"` to its [source], or import it first.'


def _check(now: Declaration, wanted: Declaration, importable: Collection[str]) -> None:
    """Refuse what cannot be done, before anything is done."""
    for architecture in wanted.defaults or {}:
        if architecture not in set(Architecture):
            raise InvalidInput(f"there is no architecture {architecture!r} to have a default")
    images_then = {*(now.images or {}), *(wanted.images or {})}
    named = [*(wanted.defaults or {}).values()]
    named += [made.image for made in (wanted.machines or {}).values()]
    for image in named:
        if image not in images_then:
            raise InvalidInput(
                f'a file assigns "{image}", but there is no such image',
                hint="Declare it in images/, or import it first.",
            )
    for name, declared in (wanted.images or {}).items():
        known = (now.images or {}).get(name)
        if known is None and name not in importable:
            raise InvalidInput(
                f'the image "{name}" does not exist, and its file names no source for it',
                hint=_hint_for_missing(declared, now, wanted),
            )
        if known and declared.architecture != known.architecture:
            raise InvalidInput(f'"{name}" is {known.architecture}, not {declared.architecture}')
        if known and declared.source_digest != known.source_digest:
            raise InvalidInput(
                f'"{name}" has another source than its file says: {known.source_digest}',
                hint="Change an image's source on its page, or make a new image.",
            )


def _require_blobs(site: Site, wanted: Declaration) -> None:
    """The files that properties name by digest must be in the store."""
    for image in (wanted.images or {}).values():
        properties = image.properties
        named = [properties.background, properties.boot_sdi]
        named += [file.digest for file in properties.extra_files]
        for digest in filter(None, named):
            if not site.blobs.holds(digest):
                raise InvalidInput(
                    f"{image.name} needs a file that is not in the store: {digest}",
                    hint="Add it to the image on its page once, then apply again.",
                )


def _missing_sources(files: DeclaredFiles, now: Declaration) -> Iterable[Path]:
    for entry in files.images or ():
        if entry.name not in (now.images or {}) and entry.source_file:
            if not entry.source_file.is_file():
                raise InvalidInput(f"{entry.path}: there is no file {entry.source_file}")
            yield entry.source_file


def _take_in(site: Site, files: DeclaredFiles, progress: Progress) -> None:
    """Import the sources of images that do not exist yet."""
    with site.database.transaction() as session:
        there = set(session.scalars(select(ImageRow.name)))
    new = [one for one in files.images or () if one.name not in there and one.source_file]
    for place, entry in enumerate(new):
        progress(0.9 * place / len(new), f"importing {entry.name}")
        made = images.import_image(
            site,
            entry.source_file or Path(),
            name=entry.name,
            architecture=Architecture(entry.architecture),
            index=entry.source_index,
        )
        if entry.source_digest and made.source_digest != entry.source_digest:
            images.delete_image(site, entry.name)
            raise InvalidInput(
                f"{entry.source_file} is another file than {entry.path} says",
                hint=f"It has the digest {made.source_digest}.",
            )


def _carry_out(session: Session, change: Change, wanted: Declaration) -> None:
    match change.subject:
        case "driver":
            _change_driver(session, (wanted.drivers or {})[change.key])
        case "image":
            _change_image(session, (wanted.images or {})[change.key])
        case "default":
            image = (wanted.defaults or {}).get(change.key)
            if image is None:
                session.delete(session.get_one(DefaultImageRow, change.key))
            else:
                session.merge(DefaultImageRow(architecture=change.key, image_name=image))
        case "machine":
            made = (wanted.machines or {}).get(change.key)
            if made is None:
                session.delete(session.get_one(DeploymentRow, change.key))
            else:
                row = DeploymentRow(mac=change.key, image_name=made.image, comment=made.comment)
                row.changed_at = time.time()
                session.merge(row)


def _change_driver(session: Session, driver: DeclaredDriver) -> None:
    row = session.scalars(select(DriverRow).where(DriverRow.digest == driver.digest)).one()
    if driver.enabled and not row.enabled:
        catalog.check_enable(driver_value(row))
    row.enabled = driver.enabled
    if driver.categories is not None:
        row.categories = "\n".join(catalog.clean_categories(driver.categories))


def _change_image(session: Session, image: DeclaredImage) -> None:
    """Every driver is checked as when it is added on the page."""
    row = find_image(session, image.name)
    value = image_value(session, row)
    held = {driver.digest: driver for driver in value.drivers}
    made = BootImage(
        name=value.name,
        slug=value.slug,
        architecture=value.architecture,
        source=value.source,
        properties=image.properties,
        comment=image.comment,
    )
    try:
        for digest in image.drivers:
            driver = held.get(digest) or driver_value(find_driver(session, digest))
            if digest in held and not made.holds(driver):
                # It may have been disabled since it was added; the image keeps it.
                made = replace(made, drivers=(*made.drivers, driver))
            else:
                made = boot_image.with_driver(made, driver, confirmed=True)
    except NetbootError as fault:
        raise InvalidInput(f"{image.name}: {fault}", hint=getattr(fault, "hint", "")) from fault
    row.properties = image.properties.to_json()
    row.comment = image.comment
    keep_drivers(row, made)
