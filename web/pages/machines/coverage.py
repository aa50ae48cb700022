"""Driver coverage: which known machines a boot image supports, and which drivers are missing."""

from dataclasses import dataclass

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput
from netboot.images.coverage import Status
from netboot.images.drivers.driver import DriverKind
from netboot.operations.images import images
from netboot.operations.machines import coverage as operations
from netboot.operations.machines.fleet_results import FleetCoverage, stored_coverage
from web.guard.access import Role, is_local_path, requires, site
from web.live.parts import page
from web.responses import done
from web.show.forms import asked_page

coverage = Blueprint("coverage", __name__, url_prefix="/images/<slug>/coverage")

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class Shares:
    """The number of machines by coverage, for network or storage."""

    covered: int
    lacking: int
    unknown: int

    @property
    def whole(self) -> int:
        return self.covered + self.lacking + self.unknown

    @staticmethod
    def of(found: FleetCoverage, kind: DriverKind) -> "Shares":
        return Shares(*(found.shares[kind][status] for status in Status))


@coverage.get("")
@requires(Role.VIEWER)
def show(slug: str) -> str:
    everybody = request.args.get("machines") == "all"
    served = request.args.get("version") == "served"
    image = images.get_image(site(), slug)
    values = {"image": image, "everybody": everybody, "served": served}
    stored = stored_coverage(site(), image, everybody=everybody, served=served)
    if stored is None:
        return page("coverage/show.html", **values, stored=None, number=1)
    found = stored.value
    pages = max(1, -(-len(found.machines) // PAGE_SIZE))
    number = min(pages, asked_page())
    names = found.machines[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    return page(
        "coverage/show.html",
        **values,
        stored=stored,
        coverage=found,
        network=Shares.of(found, DriverKind.NETWORK),
        storage=Shares.of(found, DriverKind.STORAGE),
        machines=operations.machines_coverage(site(), image, names, served=served),
        number=number,
        pages=pages,
        added=sum(weight.size for _, weight in found.weights),
    )


@coverage.post("/fix")
@requires(Role.OPERATOR)
def fix(slug: str) -> ResponseReturnValue:
    """Enable drivers if necessary, and add them to the recipe."""
    chosen = list(dict.fromkeys(request.form.getlist("driver")))
    if not chosen:
        raise InvalidInput("no driver was selected")
    image = operations.fix(site(), slug, *chosen)
    names = [driver.name for driver in image.drivers if driver.digest in chosen]
    return done(_added(names, image.name), _page_after(slug))


@coverage.post("/fix-all")
@requires(Role.OPERATOR)
def fix_all(slug: str) -> ResponseReturnValue:
    """Add the best driver for each device without one."""
    everybody = request.form.get("machines") == "all"
    image = images.get_image(site(), slug)
    added = operations.fix_all(site(), slug, everybody=everybody)
    return done(_added([driver.name for driver in added], image.name), _page_after(slug))


@coverage.post("/remove-unneeded")
@requires(Role.OPERATOR)
def remove_unneeded(slug: str) -> ResponseReturnValue:
    """Remove drivers from the recipe that no known machine needs."""
    everybody = request.form.get("machines") == "all"
    removed = operations.remove_unneeded(site(), slug, everybody=everybody)
    names = ", ".join(driver.name for driver in removed)
    words = f"{names} removed. Build a new version to apply the change."
    return done(words if names else "All drivers may be needed.", _page_after(slug))


def _added(names: list[str], image: str) -> str:
    if not names:
        return f"The catalog has no driver that {image} lacks."
    return f"{', '.join(names)} added to {image}. Build a new version to apply the change."


def _page_after(slug: str) -> str:
    target = request.form.get("next", "")
    return target if is_local_path(target) else url_for("coverage.show", slug=slug)
