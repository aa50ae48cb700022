"""The driver catalog: search, details, enable and disable, import, add to an image."""

from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.images.architecture import Architecture
from netboot.images.driver import DriverKind
from netboot.operations import drivers as operations
from netboot.operations import images, jobs
from netboot.store.catalog_entry import DriverSummary
from web.access import Role, is_local_path, requires, site
from web.answers import done, wants_fragment
from web.topics import page
from web.uploads import shelf

drivers = Blueprint("drivers", __name__, url_prefix="/drivers")

PAGE_SIZE = 100
IDS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; an empty value does not narrow."""

    search: str = ""
    kind: str = ""
    architecture: str = ""
    state: str = ""

    @staticmethod
    def read() -> "Filters":
        """The filters of the address; values that mean nothing are dropped."""
        arguments = request.args
        kind, architecture, state = (
            arguments.get(name, "") for name in ("kind", "architecture", "state")
        )
        return Filters(
            search=arguments.get("search", "")[:200],
            kind=kind if kind in list(DriverKind) else "",
            architecture=architecture if architecture in list(Architecture) else "",
            state=state if state in {"enabled", "disabled"} else "",
        )

    def find(self) -> list[DriverSummary]:
        """The drivers that fit."""
        return operations.list_drivers(
            site(),
            search=self.search,
            kind=DriverKind(self.kind) if self.kind else None,
            architecture=Architecture(self.architecture) if self.architecture else None,
            enabled=self.state == "enabled" if self.state else None,
        )


@drivers.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """The catalog, narrowed by filters."""
    filters = Filters.read()
    found = filters.find()
    pages = max(1, -(-len(found) // PAGE_SIZE))
    wanted = request.args.get("page", "1")
    number = min(pages, max(1, int(wanted) if wanted.isdecimal() and len(wanted) < 9 else 1))
    values = {
        "drivers": found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
        "total": len(found),
        "number": number,
        "pages": pages,
        "filters": filters,
        "kinds": list(DriverKind),
        "architectures": list(Architecture),
    }
    if wants_fragment():
        return render_template("drivers/_list.html", **values, live=True)
    return page("drivers/index.html", **values)


@drivers.get("/<digest>")
@requires(Role.VIEWER)
def show(digest: str) -> str:
    """One driver."""
    driver = operations.get_driver(site(), f"sha256:{digest}")
    return page(
        "drivers/show.html",
        driver=driver,
        used_by=operations.images_using(site(), driver.digest),
        fitting=[
            image
            for image in images.list_images(site())
            if image.architecture in driver.architectures and driver not in image.drivers
        ],
        slugs={image.name: image.slug for image in images.list_images(site())},
        ids_shown=IDS_SHOWN,
    )


@drivers.post("/<digest>/enable")
@requires(Role.OPERATOR)
def enable(digest: str) -> ResponseReturnValue:
    """Let the driver be added to images."""
    driver = operations.enable_driver(site(), f"sha256:{digest}")
    return done(f"{driver.name} is enabled.", _page_after(digest))


@drivers.post("/<digest>/disable")
@requires(Role.OPERATOR)
def disable(digest: str) -> ResponseReturnValue:
    """Keep the driver from being added to more images."""
    driver = operations.disable_driver(site(), f"sha256:{digest}")
    return done(f"{driver.name} is disabled.", _page_after(digest))


@drivers.post("/<digest>/delete")
@requires(Role.ADMIN)
def delete(digest: str) -> ResponseReturnValue:
    """Remove the driver from the catalog."""
    driver = operations.get_driver(site(), f"sha256:{digest}")
    operations.delete_driver(site(), driver.digest)
    return done(f"{driver.name} was deleted from the catalog.", url_for("drivers.index"))


@drivers.get("/import")
@requires(Role.OPERATOR)
def import_page() -> str:
    """The form for new drivers."""
    return page("drivers/import.html")


@drivers.post("/import", endpoint="import_drivers")
@requires(Role.OPERATOR)
def import_drivers() -> ResponseReturnValue:
    """Hand an uploaded folder or archive to the worker."""
    batch = shelf().batch(request.form.get("upload", ""), owner=current_user.id)
    job = jobs.submit(
        site(),
        "import_drivers",
        {"path": str(batch.path)},
        title=f"Import drivers from {batch.label}",
    )
    shelf().hand_over(batch, job.id)
    return done("The import was started.", url_for("jobs.show", job_id=job.id))


def _page_after(digest: str) -> str:
    target = request.form.get("next", "")
    return target if is_local_path(target) else url_for("drivers.show", digest=digest)
