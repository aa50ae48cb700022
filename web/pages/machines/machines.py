"""Known machines: their devices, the boot image of each and why, and the matching drivers."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput
from netboot.images.boot_image.uefi_loader import AUTHORITIES
from netboot.images.coverage import MachineCoverage
from netboot.images.drivers.device import MAX_TEXT
from netboot.operations.boots.boots import image_slugs
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers.drivers import images_to_choose
from netboot.operations.images import images
from netboot.operations.images.images import ImageView
from netboot.operations.machines import coverage
from netboot.operations.machines import machines as operations
from netboot.operations.machines.fleet_results import stored_lacking, stored_outlooks
from netboot.operations.machines.image_choice import Decision, boots_from_network, decider
from netboot.operations.machines.machines import KnownMachine
from netboot.store.boots.outlooks import StoredOutlook
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.show.forms import asked_page

machines = Blueprint("machines", __name__, url_prefix="/machines")

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A machine in the list; `outlook` is None without a boot image, or if not computed yet."""

    machine: KnownMachine
    decision: Decision
    outlook: StoredOutlook | None


@dataclass(frozen=True, slots=True)
class Held:
    """The coverage of a machine by a boot image: the served version, and the current recipe."""

    image: ImageView
    now: MachineCoverage | None
    next: MachineCoverage


@machines.get("/")
@requires(Role.VIEWER)
def index() -> str:
    search = request.args.get("search", "")[:100]
    number = asked_page()
    shown, total = _part(search, number)
    pages = max(1, -(-total // PAGE_SIZE))
    if number > pages:
        number = pages
        shown, total = _part(search, number)
    decide = decider(site(), shown)
    outlooks = stored_outlooks(site(), [one.key for one in shown])
    return page(
        "machines/index.html",
        rows=[_row(one, decide(one), outlooks.get(one.key)) for one in shown],
        total=total,
        lacking=stored_lacking(site()),
        slugs=image_slugs(site()),
        number=number,
        pages=pages,
        search=search,
        opened=request.args.get("add") == "list",
        name=request.args.get("name", "")[:100],
    )


@machines.get("/<key>")
@requires(Role.VIEWER)
def show(key: str) -> str:
    """One machine: devices, boot image, and the driver of each device."""
    machine = operations.get_machine(site(), key)
    decision = decider(site(), [machine])(machine)
    choices = images_to_choose(site())
    wanted = request.args.get("image", "")
    held = [
        one.name
        for one in choices
        if one.slug == wanted or (not wanted and one.name in decision.images)
    ]
    held = held or [one.name for one in choices if not boots_from_network(machine)]
    return page(
        "machines/show.html",
        machine=machine,
        decision=decision,
        boots=boots_from_network(machine),
        own=_own_image(machine),
        images=choices,
        authorities=AUTHORITIES,
        held=_held(_in_order(held, decision.images), machine),
    )


@machines.post("/")
@requires(Role.OPERATOR)
def import_devices() -> ResponseReturnValue:
    """Import a device list, pasted or uploaded."""
    text = request.form.get("devices", "")
    upload = request.files.get("file")
    if upload is not None and upload.filename:
        text += "\n" + _decoded(upload.stream.read(4 * MAX_TEXT))
    if not text.strip():
        raise InvalidInput("paste a device list or choose a file")
    found = operations.import_devices(site(), request.form.get("name", ""), text)
    words = " ".join((found.summary, *found.remarks))
    if found.unread:
        words += f" Not recognised: {'; '.join(line[:60] for line in found.unread[:5])}"
        words += f" and {len(found.unread) - 5} more lines." if len(found.unread) > 5 else "."
    return done(words, url_for("machines.show", key=found.machine.key))


@machines.post("/<key>/forget")
@requires(Role.OPERATOR)
def forget(key: str) -> ResponseReturnValue:
    operations.forget(site(), key)
    return done(f"{key} forgotten.", url_for("machines.index"))


@machines.post("/<key>/image")
@requires(Role.OPERATOR)
def assign(key: str) -> ResponseReturnValue:
    """Assign a boot image to the machine, or the default image again."""
    machine = operations.get_machine(site(), key)
    slug = request.form.get("image", "")
    before = image_slugs(site()).get(_own_image(machine), "")
    if slug:
        made = policy.deploy(site(), machine.key, slug)
        words = f"{machine.key} boots {made.image} from its next boot on."
    else:
        if _own_image(machine):
            policy.withdraw(site(), machine.key)
        words = f"{machine.key} boots the default image of its architecture."
    undo = (url_for("machines.assign", key=machine.key), {"image": before})
    return done(words, url_for("machines.show", key=machine.key), undo=undo)


@machines.post("/<key>/authority")
@requires(Role.OPERATOR)
def set_authority(key: str) -> ResponseReturnValue:
    known = operations.set_authority(site(), key, request.form.get("authority", ""))
    words = (
        f"the {known.authority} boot loader"
        if known.authority
        else "the boot loader set for the boot image or the site"
    )
    return done(f"{known.key} gets {words}.", url_for("machines.show", key=known.key))


def _row(machine: KnownMachine, decision: Decision, stored: StoredOutlook | None) -> Row:
    """Without an outlook that was computed for an image that it no longer gets."""
    as_decided = stored and decision.images[:1] == (stored.image,)
    return Row(machine, decision, stored if as_decided else None)


def _held(names: list[str], machine: KnownMachine) -> list[Held]:
    if len(names) == 1:
        views = [images.get_image(site(), names[0])]
    else:
        known = {view.name: view for view in images.list_images(site())} if names else {}
        views = [known[name] for name in names]
    shelf = coverage.Shelf(site(), [machine], views)

    def covered(view: ImageView, *, served: bool) -> MachineCoverage:
        return shelf.drivers_of(view, served=served).cover([machine.as_machine()]).machines[0]

    return [
        Held(
            view,
            covered(view, served=True) if view.served_version else None,
            covered(view, served=False),
        )
        for view in views
    ]


def _in_order(found: Iterable[str], names: tuple[str, ...]) -> list[str]:
    """Boot images in the order in which the machine would get them."""
    return sorted(found, key=lambda one: names.index(one) if one in names else 99)


def _own_image(machine: KnownMachine) -> str:
    made = policy.decided(site(), [machine.key]).deployments.get(machine.key)
    return made.image if made else ""


def _part(search: str, number: int) -> tuple[list[KnownMachine], int]:
    return operations.find_machines(
        site(), search, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE
    )


def _decoded(data: bytes) -> str:
    """PowerShell writes UTF-16 with a byte order mark, everything else ASCII or UTF-8."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")
