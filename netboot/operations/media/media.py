"""Bootable media of built versions: make, list, hand out, delete.

A medium belongs to its version and is deleted with it. The same order is not made twice.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.boot.files.ipxe_script import KERNEL_ARGUMENTS
from netboot.errors import AlreadyExists, InvalidInput, NotFound, OperatorFault
from netboot.images.boot_image.description import ImageFacts
from netboot.images.media import request as rules
from netboot.images.media.plan import BIOS_PARTS, LOADERS, Carried, MediumPlan, plan_medium
from netboot.images.media.request import NATIVE, DiskFormat, MediaKind, MediaOrder, file_name
from netboot.images.versions.content_version import ContentVersion
from netboot.operations import jobs
from netboot.operations.jobs import JobKind
from netboot.operations.versions.publication_gate import require_publishable
from netboot.pe_reports import ReportTokens
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.content.disk_faults import disk_fault
from netboot.store.database.records import ImageRow, MediaRow, VersionRow
from netboot.store.images.rows import find_image, version_row, version_value
from netboot.store.media.builder import MadeMedium, build_medium
from netboot.store.wim import sandbox
from netboot.store.wim.sandbox import WorkerDied, WorkerRefused

SALT_BYTES = 32
COPY_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CarriedView:
    """A version on a medium; `wim` is the digest of its boot.wim, as on the network."""

    image: str
    number: int
    architecture: str
    wim: str

    @property
    def label(self) -> str:
        """`Lab PE x64 v7`."""
        return f"{self.image} v{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumView:
    """A medium as pages and CLI show it; it reports to `home`, or nowhere if that is empty."""

    id: int
    kind: MediaKind
    format: DiskFormat
    label: str
    file_name: str
    digest: str
    size: int
    firmware: tuple[str, ...]
    carried: tuple[CarriedView, ...]
    expires: str
    has_password: bool
    home: str
    created_at: float


def hashed(password: str) -> str:
    """The hash of a start password. Raises InvalidInput."""
    return rules.hash_password(password, secrets.token_bytes(SALT_BYTES)) if password else ""


def home_of(site: Site, text: str) -> str:
    """The address to report to; `site` means the site's own. Raises InvalidInput if it has none."""
    if text != "site":
        return text.rstrip("/")
    if not site.settings.told_address:
        raise InvalidInput(
            "this site has no fixed address that media could report to",
            hint="Name one, like http://192.0.2.1:8081, or set `address` in netboot.toml.",
        )
    return f"http://{site.settings.told_address}:{site.settings.http_port}"


def ask_media(site: Site, order: MediaOrder, wanted: Sequence[tuple[str, int]]) -> jobs.JobView:
    """Queue a medium of these versions, by image and number (0 is the newest).

    Raises NotFound, SecretsFound, InvalidInput.
    """
    versions = _checked(site, order, wanted)
    return jobs.submit(
        site,
        JobKind.BUILD_MEDIA,
        {
            "image": versions[0].image,
            "order": order.to_json(),
            "versions": [(version.image, version.number) for version in versions],
        },
        title=f"Make {_words(order)} of {' and '.join(version.label for version in versions)}",
    )


def _checked(
    site: Site, order: MediaOrder, wanted: Sequence[tuple[str, int]]
) -> list[ContentVersion]:
    versions = [find_version(site, image, number) for image, number in wanted]
    rules.check_order(order, versions)
    for version in versions:
        require_publishable(site, version.image, version.number)
    return versions


def build_media(
    site: Site, order: MediaOrder, wanted: Sequence[tuple[str, int]], *, progress: Progress = silent
) -> MediumView:
    """Make a medium of these versions, by image and number, unless the same exists.

    Raises InvalidInput, NotFound, MissingTool, and ContentFault if stored bytes are damaged.
    """
    _checked(site, order, wanted)
    with site.blobs.staging_folder() as work:
        carried = [_carried(site, order, image, number, work) for image, number in wanted]
        plan = plan_medium(order, carried)
        made_before = _find_made(site, plan, wanted[0])
        if made_before is not None:
            return made_before
        made = build_medium(plan, site.blobs, work, progress)
        progress(0.95, "storing")
        digest = site.blobs.add_file(made.path, move=True).digest
    return _record(site, plan, carried, made, digest)


def find_version(site: Site, image: str, number: int) -> ContentVersion:
    """A built version; number 0 means the newest. Raises NotFound."""
    with site.database.transaction() as session:
        return version_value(find_image(session, image), _version_row(session, image, number))


def list_media(site: Site, image: str = "", number: int = 0) -> list[MediumView]:
    """Media, newest first: all, those of one image, or of one version."""
    query = select(MediaRow).order_by(MediaRow.created_at.desc(), MediaRow.id.desc())
    with site.database.transaction() as session:
        if image:
            row = find_image(session, image)
            versions = [v.id for v in row.versions if number in {0, v.number}]
            query = query.where(MediaRow.version_id.in_(versions))
        return [_view(row) for row in session.scalars(query)]


def get_medium(site: Site, medium_id: int) -> MediumView:
    """Raises NotFound."""
    with site.database.transaction() as session:
        return _view(_row(session, medium_id))


def medium_path(site: Site, medium_id: int) -> tuple[MediumView, Path]:
    """A medium and the file with its bytes. Raises NotFound, BlobMissing."""
    view = get_medium(site, medium_id)
    return view, site.blobs.require(view.digest)


def save_medium(site: Site, medium_id: int, target: Path) -> MediumView:
    """Copy a medium to a new file. Raises InvalidInput, AlreadyExists, DiskFault."""
    view, source = medium_path(site, medium_id)
    target = target / view.file_name if target.is_dir() else target
    created = False
    try:
        with source.open("rb") as reader, target.open("xb") as writer:
            created = True
            while chunk := reader.read(COPY_CHUNK):
                writer.write(chunk)
    except FileExistsError as fault:
        raise AlreadyExists(
            f"{target} already exists", hint="Name another file; nothing was overwritten."
        ) from fault
    except OSError as fault:
        if created:
            target.unlink(missing_ok=True)
        if explained := disk_fault(fault, target.parent):
            raise explained from fault
        raise InvalidInput(
            f"{target} cannot be written: {fault.strerror}",
            hint=f"The medium is kept; copy it with: netboot media save {view.id} FILE",
        ) from fault
    return view


def delete_medium(site: Site, medium_id: int) -> MediumView:
    """Delete a medium; the next clean-up frees its space. Raises NotFound."""
    with site.database.writing() as session:
        row = _row(session, medium_id)
        view = _view(row)
        session.delete(row)
    return view


def _version_row(session: Session, image: str, number: int) -> VersionRow:
    row = find_image(session, image)
    if not row.versions:
        raise NotFound(
            f"{row.name} has no version yet",
            hint=f'Build one first: netboot image build "{row.name}"',
        )
    return version_row(row, number or row.versions[0].number)


def _carried(site: Site, order: MediaOrder, image: str, number: int, work: Path) -> Carried:
    """The version with what the medium needs in addition to its files."""
    with site.database.transaction() as session:
        row = find_image(session, image)
        version = version_value(row, _version_row(session, image, number))
        facts = ImageFacts.from_json(row.facts)
        index = row.image_index
    if NATIVE not in version.chains or rules.LINUX in version.chains:
        arguments = KERNEL_ARGUMENTS
        if order.home:
            token = ReportTokens(site.secret).issue_lasting(version, order.kind.value)
            arguments += f" labpe.report={order.home}/report/{token}"
        return Carried(version=version, arguments=arguments)
    return Carried(
        version=version,
        loaders=(facts.loader(".exe") or LOADERS[0], facts.loader(".efi") or LOADERS[1]),
        parts=_parts(site, version, index, work / version.architecture.value),
        site_authority=site.settings.uefi_authority,
    )


def _parts(site: Site, version: ContentVersion, index: int, work: Path) -> dict[str, bytes]:
    """Microsoft's files for BIOS media that the version's WIM has."""
    wim = version.file("boot.wim")
    if wim is None:
        return {}
    work.mkdir()
    try:
        answer = sandbox.run(
            "take",
            {"index": index, "paths": list(BIOS_PARTS)},
            wim=site.blobs.require(wim.digest),
            workdir=work,
        )
    except (WorkerRefused, WorkerDied) as fault:
        raise OperatorFault(
            f"the boot files of {version.label} cannot be taken out of its WIM: {fault}",
            hint="Build the version again; if that fails too, import its source again.",
        ) from fault
    paths = [work / "files" / path.lstrip("/") for path in answer.result["extracted"]]
    return {path.name.lower(): path.read_bytes() for path in paths if not path.is_symlink()}


def _find_made(site: Site, plan: MediumPlan, first: tuple[str, int]) -> MediumView | None:
    """The medium, if the same was made before and its bytes exist."""
    with site.database.transaction() as session:
        rows = session.scalars(
            select(MediaRow).where(
                MediaRow.version_id == _version_row(session, *first).id,
                MediaRow.identity == plan.identity,
                MediaRow.format == plan.order.format.value,
            )
        )
        same = (row for row in rows if row.options["size"] == plan.order.size)
        found = next((row for row in same if site.blobs.holds(row.digest)), None)
        return _view(found) if found is not None else None


def _record(
    site: Site, plan: MediumPlan, carried: Sequence[Carried], made: MadeMedium, digest: str
) -> MediumView:
    order, first = plan.order, carried[0].version
    with site.database.writing() as session:
        image: ImageRow = find_image(session, first.image)
        row = MediaRow(
            version_id=_version_row(session, first.image, first.number).id,
            kind=order.kind.value,
            format=order.format.value,
            identity=plan.identity,
            label=order.label,
            file_name=file_name(order, image.slug, first.number),
            digest=digest,
            size=made.size,
            firmware=list(made.firmware),
            carried=[_carried_json(each.version) for each in carried],
            options={
                "expires": order.expires,
                "password": bool(order.password_hash),
                "home": order.home,
                "size": order.size,
            },
            created_at=time.time(),
        )
        session.add(row)
        session.flush()
        return _view(row)


def _carried_json(version: ContentVersion) -> dict[str, object]:
    wim = version.file("boot.wim")
    return {
        "image": version.image,
        "number": version.number,
        "architecture": version.architecture.value,
        "wim": wim.digest if wim else "",
    }


def _row(session: Session, medium_id: int) -> MediaRow:
    row = session.get(MediaRow, medium_id)
    if row is None:
        raise NotFound(
            f"there is no medium {medium_id}", hint="`netboot media list` shows all media."
        )
    return row


def _view(row: MediaRow) -> MediumView:
    return MediumView(
        id=row.id,
        kind=MediaKind(row.kind),
        format=DiskFormat(row.format),
        label=row.label,
        file_name=row.file_name,
        digest=row.digest,
        size=row.size,
        firmware=tuple(row.firmware),
        carried=tuple(CarriedView(**each) for each in row.carried),
        expires=row.options["expires"],
        has_password=row.options["password"],
        home=row.options["home"],
        created_at=row.created_at,
    )


def _words(order: MediaOrder) -> str:
    match order.kind:
        case MediaKind.ISO:
            return "an ISO"
        case MediaKind.USB:
            return "a USB image"
        case _:
            return f"a disk image ({order.format})"
