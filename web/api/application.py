"""The API as a part of the application: its subjects, its description, its guard."""

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI

from web.access import Role, refuse_below, requires
from web.api.accounts import accounts
from web.api.audit import audit
from web.api.boot_chains import boot_chains
from web.api.boots import boots
from web.api.coverage import coverage
from web.api.customisation import customisation
from web.api.declaration import declaration
from web.api.deployments import deployments
from web.api.driver_conflicts import driver_conflicts, driver_match
from web.api.driver_sets import driver_sets
from web.api.drivers import drivers
from web.api.images import images
from web.api.jobs import jobs
from web.api.known_pairs import pairs
from web.api.machines import machines
from web.api.me import me
from web.api.media import media
from web.api.network import network
from web.api.overview import overview
from web.api.points import points
from web.api.settings import settings
from web.api.stored import stored
from web.api.subject import PREFIX
from web.api.test_machines import test_machines
from web.api.uploads import uploads
from web.api.versions import versions
from web.api.webhooks import webhooks
from web.problems import Problem, validation_problem

SUBJECTS = (
    overview,
    images,
    versions,
    coverage,
    drivers,
    driver_conflicts,
    driver_match,
    pairs,
    driver_sets,
    uploads,
    points,
    deployments,
    machines,
    boots,
    network,
    test_machines,
    jobs,
    accounts,
    me,
    audit,
    webhooks,
    settings,
    boot_chains,
    media,
    customisation,
    declaration,
    stored,
)

INFO = Info(
    title="netboot",
    version="1",
    description=(
        "Every verb of the console for scripts. Sign in with an API token "
        "(`Authorization: Bearer nb_…`), made on the page *Your account* or by "
        "`netboot account token NAME`. Faults come as problem details (RFC 9457). "
        "A POST with an `Idempotency-Key` is carried out once. Lists have `limit` and "
        "`offset`, and a `Link` to the following part. What has an `ETag` takes `If-Match`."
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
    """The API's description (OpenAPI)."""
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
    """Ask for the permission before the values: who may not, learns nothing about them."""
    if request.blueprint not in NAMES:
        return None
    view = current_app.view_functions[request.endpoint or ""]
    permission: Role = getattr(view, "permission")  # noqa: B009  # check_every_route saw it
    return refuse_below(permission)


def init_api(app: Flask) -> None:
    """Register all subjects."""
    assert isinstance(app, OpenAPI)
    app.before_request(_guard)
    app.register_blueprint(description)
    for subject in SUBJECTS:
        app.register_api(subject)
