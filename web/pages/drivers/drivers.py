"""The driver catalog: search, details, enable and disable, import, conflicts."""

from dataclasses import asdict, dataclass
from functools import partial

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput, NotBootCritical, sentence
from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.device import parse_devices
from netboot.images.drivers.driver import DriverKind, Signature
from netboot.operations.drivers import bulk as driver_sets
from netboot.operations.drivers import drivers as operations
from netboot.operations.drivers import importing as driver_import
from netboot.operations.drivers import known_pairs
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers.relations import ShownConflicts
from netboot.operations.drivers.search import DriverPage, search_drivers
from netboot.operations.images import images
from netboot.operations.machines import coverage
from netboot.operations.machines.fleet_results import stored_clashes, stored_conflicts
from web.guard.access import Role, is_local_path, requires, site
from web.live.parts import page
from web.responses import done, go_to, wants_fragment
from web.show.forms import asked_page
from web.show.presentation import label_of
from web.uploads.tus import all_handed_in

drivers = Blueprint("drivers", __name__, url_prefix="/drivers")

PAGE_SIZE = 50
IDS_SHOWN = 500
CHOSEN_AT_ONCE = 1000
REASONS_SHOWN = 10
SIGNATURES = {"catalog": Signature.CATALOG, "programs": Signature.SELF, "none": Signature.NONE}
SIGNATURE_WORDS = {
    Signature.CATALOG: "catalog file",
    Signature.SELF: "signed binaries",
    Signature.NONE: "not signed",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the list; an empty value does not filter."""

    search: str = ""
    kind: str = ""
    architecture: str = ""
    state: str = ""
    signature: str = ""
    findings: str = ""
    category: str = ""

    @staticmethod
    def read() -> "Filters":
        """The filters from the address; unknown values are dropped."""

        def chosen(name: str, *allowed: str) -> str:
            value = request.args.get(name, "")
            return value if value in allowed else ""

        return Filters(
            search=request.args.get("search", "")[:200],
            kind=chosen("kind", *DriverKind),
            architecture=chosen("architecture", *Architecture),
            state=chosen("state", "enabled", "disabled"),
            signature=chosen("signature", *SIGNATURES),
            findings=chosen("findings", "findings", "none"),
            category=request.args.get("category", "")[:40],
        )

    @property
    def address(self) -> dict[str, str]:
        """The active filters, as they appear in a URL."""
        return {name: value for name, value in asdict(self).items() if value}

    def find(self, limit: int, offset: int) -> DriverPage:
        wanted = DriverFilter(
            text=self.search,
            kind=DriverKind(self.kind) if self.kind else None,
            architecture=Architecture(self.architecture) if self.architecture else None,
            enabled=self.state == "enabled" if self.state else None,
            signature=SIGNATURES.get(self.signature),
            has_findings=self.findings == "findings" if self.findings else None,
            category=self.category,
        )
        return search_drivers(site(), wanted, limit=limit, offset=offset)


@drivers.get("/")
@requires(Role.VIEWER)
def index() -> str:
    filters = Filters.read()
    number = asked_page()
    found = filters.find(PAGE_SIZE, (number - 1) * PAGE_SIZE)
    pages = max(1, -(-found.total // PAGE_SIZE))
    if number > pages:
        number = pages
        found = filters.find(PAGE_SIZE, (number - 1) * PAGE_SIZE)
    values = {
        "drivers": found.drivers,
        "total": found.total,
        "counts": found.counts,
        "newer": driver_relations.newer_versions(site(), found.drivers),
        "number": number,
        "pages": pages,
        "filters": filters,
        "kinds": list(DriverKind),
        "architectures": list(Architecture),
        "signatures": SIGNATURES,
        "signature_words": SIGNATURE_WORDS,
        "images": operations.images_to_choose(site()),
        "kind_labels": {kind: label_of(kind) for kind in DriverKind},
    }
    if wants_fragment():
        return render_template("drivers/_found.html", **values, live=True)
    return page("drivers/index.html", **values, clashes=stored_clashes(site()))


@drivers.get("/<digest>")
@requires(Role.VIEWER)
def show(digest: str) -> str:
    driver = operations.get_driver(site(), f"sha256:{digest}")
    choices = operations.images_to_choose(site())
    used_by = operations.images_using(site(), driver.digest)
    return page(
        "drivers/show.html",
        driver=driver,
        others=driver_relations.relations(site(), driver.digest),
        partners=known_pairs.partners_of(site(), driver.digest),
        used_by=used_by,
        fitting=[
            image
            for image in choices
            if image.architecture in driver.architectures and image.name not in used_by
        ],
        slugs={image.name: image.slug for image in choices},
        ids_shown=IDS_SHOWN,
    )


@drivers.post("/<digest>/enable")
@requires(Role.OPERATOR)
def enable(digest: str) -> ResponseReturnValue:
    driver = operations.enable_driver(site(), f"sha256:{digest}")
    undo = (url_for("drivers.disable", digest=digest), {"next": request.form.get("next", "")})
    return done(f"{driver.name} is enabled.", _page_after(digest), undo=undo)


@drivers.post("/<digest>/disable")
@requires(Role.OPERATOR)
def disable(digest: str) -> ResponseReturnValue:
    driver = operations.disable_driver(site(), f"sha256:{digest}")
    undo = (url_for("drivers.enable", digest=digest), {"next": request.form.get("next", "")})
    return done(f"{driver.name} is disabled.", _page_after(digest), undo=undo)


@drivers.post("/<digest>/categories")
@requires(Role.OPERATOR)
def set_categories(digest: str) -> ResponseReturnValue:
    words = request.form.get("categories", "").split(",")
    before = ", ".join(operations.get_driver(site(), f"sha256:{digest}").categories)
    driver = operations.set_categories(site(), f"sha256:{digest}", words)
    categories = ", ".join(driver.categories) or "none"
    undo = (url_for("drivers.set_categories", digest=digest), {"categories": before})
    return done(f"Categories of {driver.name}: {categories}.", _page_after(digest), undo=undo)


@drivers.post("/<digest>/delete")
@requires(Role.ADMIN)
def delete(digest: str) -> ResponseReturnValue:
    driver = operations.get_driver(site(), f"sha256:{digest}")
    operations.delete_driver(site(), driver.digest)
    return done(f"{driver.name} deleted from the catalog.", url_for("drivers.index"))


@drivers.post("/chosen/enable")
@requires(Role.OPERATOR)
def enable_chosen() -> ResponseReturnValue:
    came = driver_sets.enable(site(), _chosen())
    return done(_result_of(came, "is enabled", "are enabled"), _page_after())


@drivers.post("/chosen/disable")
@requires(Role.OPERATOR)
def disable_chosen() -> ResponseReturnValue:
    came = driver_sets.disable(site(), _chosen())
    return done(_count(len(came.drivers), "is disabled", "are disabled"), _page_after())


@drivers.post("/chosen/categories")
@requires(Role.OPERATOR)
def sort_chosen() -> ResponseReturnValue:
    """Add the selected drivers to categories; existing categories stay."""
    words = request.form.get("categories", "").split(",")
    came = driver_sets.sort(site(), _chosen(), add=words)
    return done(_result_of(came, "updated", "updated"), _page_after())


@drivers.post("/chosen/delete")
@requires(Role.ADMIN)
def delete_chosen() -> ResponseReturnValue:
    """Delete the selected drivers; drivers in use by a boot image are kept."""
    came = driver_sets.delete(site(), _chosen())
    return done(_result_of(came, "deleted", "deleted"), _page_after())


@drivers.post("/chosen/add")
@requires(Role.OPERATOR)
def add_chosen() -> ResponseReturnValue:
    """Add the selected drivers to a recipe, or none.

    Drivers that are not for network or storage need confirmation.
    """
    chosen, slug = _chosen(), request.form.get("image", "")
    if not slug:
        raise InvalidInput(
            "no boot image was selected", hint="Select a boot image next to the Add button."
        )
    agreed = {name: request.form.get(name) == "yes" for name in ("confirmed", "enable")}
    try:
        image = images.add_drivers(site(), slug, chosen, **agreed)
    except NotBootCritical as fault:
        if not wants_fragment():
            raise
        values = {"fault": fault, "chosen": chosen, "slug": slug, "live": True}
        return render_template("drivers/_confirm_chosen.html", **values), 409
    return done(
        f"{_count(len(chosen), 'added', 'added')} to {image.name}."
        " Build a new version to apply the change.",
        url_for("images.show", slug=image.slug),
    )


@drivers.get("/conflicts")
@requires(Role.VIEWER)
def conflicts() -> str:
    """Conflicts between the drivers of a boot image, or between all enabled drivers."""
    slug = request.args.get("image", "")
    image = images.get_image(site(), slug) if slug else None
    stored = None if image else stored_conflicts(site())
    found = stored.value if stored else None
    if image:
        found = ShownConflicts.of(driver_relations.image_conflicts(site(), image.drivers))
    values = {"conflicts": found, "image": image, "stored": stored}
    if wants_fragment():
        return render_template("drivers/_conflicts.html", **values, live=True)
    return page(
        "drivers/conflicts.html",
        **values,
        images=operations.images_to_choose(site()),
        pair_count=len(known_pairs.list_pairs(site())),
    )


@drivers.get("/match")
@requires(Role.VIEWER)
def match() -> str:
    """Catalog drivers for a device, in the order in which Windows selects them."""
    text = request.args.get("device", "")[:400]
    wanted = request.args.get("architecture", "")
    architecture = Architecture(wanted) if wanted in list(Architecture) else Architecture.X64
    device = parse_devices(text).devices[0] if text.strip() else None
    return page(
        "drivers/match.html",
        text=text,
        device=device,
        architecture=architecture,
        architectures=list(Architecture),
        matches=coverage.candidates(site(), device, architecture) if device else [],
    )


@drivers.get("/import")
@requires(Role.OPERATOR)
def import_page() -> str:
    return page("drivers/import.html")


@drivers.post("/import", endpoint="import_drivers")
@requires(Role.OPERATOR)
def import_drivers() -> ResponseReturnValue:
    batch = request.form.get("upload", "")
    job = all_handed_in(batch, partial(driver_import.ask_import, site()))
    return go_to(url_for("jobs.show", job_id=job.id))


def _chosen() -> list[str]:
    """The selected drivers. Raises InvalidInput."""
    digests = list(dict.fromkeys(request.form.getlist("driver")))
    if not digests:
        raise InvalidInput("no driver was selected", hint="Select one or more drivers in the list.")
    if len(digests) > CHOSEN_AT_ONCE:
        raise InvalidInput(f"at most {CHOSEN_AT_ONCE} drivers can be selected at once")
    return digests


def _result_of(came: driver_sets.Treated, one: str, more: str) -> str:
    words = [_count(len(came.drivers), one, more)]
    words += [sentence(reason) for _, reason in came.refused[:REASONS_SHOWN]]
    return " ".join(words)


def _count(number: int, one: str, more: str) -> str:
    return f"{number} driver {one}" if number == 1 else f"{number} drivers {more}"


def _page_after(digest: str = "") -> str:
    target = request.form.get("next", "")
    if is_local_path(target):
        return target
    return url_for("drivers.show", digest=digest) if digest else url_for("drivers.index")
