"""Registers the API's subjects, its OpenAPI description and its permission check."""

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI

from web.api.accounts.accounts import accounts
from web.api.accounts.audit import audit
from web.api.accounts.me import me
from web.api.accounts.webhooks import webhooks
from web.api.backups import backups
from web.api.boots.boots import boots
from web.api.boots.network import network
from web.api.declaration import declaration
from web.api.drivers.bulk import driver_sets
from web.api.drivers.conflicts import driver_conflicts, driver_match
from web.api.drivers.drivers import drivers
from web.api.drivers.known_pairs import pairs
from web.api.images.boot_chains import boot_chains
from web.api.images.customisation import customisation
from web.api.images.images import images
from web.api.images.lab_pe import lab_pe
from web.api.jobs import jobs
from web.api.machines.coverage import coverage
from web.api.machines.deployments import deployments
from web.api.machines.machines import machines
from web.api.machines.test_machines import test_machines
from web.api.overview import overview
from web.api.points.points import points
from web.api.points.stored import stored
from web.api.settings import settings
from web.api.subject import PREFIX
from web.api.uploads import uploads
from web.api.versions.media import media
from web.api.versions.versions import versions
from web.guard.access import Role, refuse_below, requires
from web.problems import Problem, validation_problem

# In the order of the OpenAPI description.
SUBJECTS = (
    *(overview, images, versions, coverage, drivers, driver_conflicts, driver_match, pairs),
    *(driver_sets, uploads, points, deployments, machines, boots, network, test_machines, jobs),
    *(accounts, me, audit, webhooks, settings, boot_chains, media, customisation, declaration),
    *(stored, backups, lab_pe),
)

INFO = Info(
    title="netboot",
    version="1",
    description=(
        "Every verb of the console for scripts. Sign in with an API token "
        "(`Authorization: Bearer nb_…`); create one on the page *Your account* or with "
        "`netboot account token NAME`. Errors are returned as problem details (RFC 9457). "
        "A POST with an `Idempotency-Key` runs only once. Lists have `limit` and `offset`, "
        "and a `Link` to the next page. Objects with an `ETag` accept `If-Match`."
    ),
)
SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "netboot",
        "description": "The console's session; changes need its CSRF token as X-CSRFToken.",
    },
}

description = Blueprint("api", __name__, url_prefix=PREFIX)


@description.get("/openapi.json")
@requires(Role.VIEWER)
def openapi() -> Response:
    """Get the OpenAPI description of the API."""
    assert isinstance(current_app, OpenAPI)
    return jsonify(current_app.api_doc)


def new_application() -> OpenAPI:
    """A Flask application that can carry the API."""
    return OpenAPI(
        "web",
        static_folder=None,
        info=INFO,
        security_schemes=SECURITY_SCHEMES,  # type: ignore[arg-type]
        doc_ui=False,
        validation_error_status=422,
        validation_error_model=Problem,
        validation_error_callback=validation_problem,
    )


NAMES = {subject.name for subject in SUBJECTS}


def _guard() -> ResponseReturnValue | None:
    """Check the permission before the values, so a refused caller learns nothing about them."""
    if request.blueprint not in NAMES:
        return None
    view = current_app.view_functions[request.endpoint or ""]
    permission: Role = getattr(view, "permission")  # noqa: B009  # check_every_route saw it
    return refuse_below(permission)


def init_api(app: Flask) -> None:
    assert isinstance(app, OpenAPI)
    app.before_request(_guard)
    app.register_blueprint(description)
    for subject in SUBJECTS:
        app.register_api(subject)
