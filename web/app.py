"""The console as a Flask application: joins its pages, API and guards."""

import time
from contextlib import ExitStack, suppress

from flask import Flask, Response, g, request

from netboot.errors import DatabaseFault
from netboot.site import Site
from web.api.application import init_api, new_application
from web.assets import init_assets
from web.guard.access import check_every_route, init_access
from web.guard.audit_trail import init_audit_trail
from web.guard.public_address import init_outside, is_secure, outside_names
from web.guard.request_safety import init_safety
from web.live.streams import init_live
from web.pages.accounts import audit, own_account, users, webhooks
from web.pages.accounts.sign_in import init_accounts
from web.pages.accounts.single_sign_on import init_single_sign_on
from web.pages.boots import boots, network
from web.pages.drivers import drivers, known_pairs
from web.pages.images import images, lab_pe, wimboot
from web.pages.images import properties as images_custom
from web.pages.images import source as images_source
from web.pages.machines import coverage, machines
from web.pages.machines import test_machines as lab
from web.pages.points import points
from web.pages.site import api_guide, jobs, overview, settings
from web.pages.site.help_pages import init_help
from web.pages.site.metrics import init_metrics
from web.pages.versions import version as versions
from web.pages.versions import versions as images_versions
from web.responses import init_answers
from web.show.presentation import init_presentation
from web.uploads.tus import init_uploads

# Endpoint, label, icon, and the key that opens the page after `g`.
NAVIGATION = (
    ("overview.show", "Overview", "layout-dashboard", "o"),
    ("images.index", "Boot images", "disc", "i"),
    ("drivers.index", "Driver catalog", "cpu", "d"),
    ("machines.index", "Machines", "server", "m"),
    ("points.index", "Distribution points", "server-2", "p"),
    ("boots.index", "Boots", "activity", "b"),
    ("network.index", "Boot network", "network", "n"),
    ("lab.index", "Boot tests", "device-desktop", "t"),
    ("jobs.index", "Jobs", "list-check", "j"),
    ("audit.index", "Audit", "history", "a"),
    ("settings.index", "Settings", "settings", "s"),
)
# A blueprint for each subject.
SUBJECTS = (
    *(overview.overview, images.images, images_custom.images_custom, images_source.images_source),
    *(images_versions.images_versions, versions.versions, drivers.drivers, known_pairs.known_pairs),
    *(coverage.coverage, machines.machines, points.points, wimboot.wimboot, boots.boots, lab.lab),
    *(lab_pe.lab_pe, network.network, jobs.jobs, settings.settings, audit.audit, users.users),
    *(own_account.own_account, api_guide.api_guide, webhooks.webhooks),
)


def create_app(site: Site) -> Flask:
    """The console of a site. Raises RuntimeError if a route declares no permission."""
    configured = site.settings
    app = new_application()
    app.config["SECRET_KEY"] = site.secret
    app.extensions["netboot_site"] = site
    app.jinja_env.globals["navigation"] = NAVIGATION
    init_outside(app, configured)
    init_safety(
        app,
        [*configured.trusted_hosts, configured.web_address, *outside_names(configured)],
        site.web_folder,
        tls_is_trusted=configured.tls == "files" or configured.web_url.startswith("https:"),
    )
    _tell_times(app)
    _read_once(app, site)
    init_assets(app)
    init_access(app, secure=is_secure(configured))
    init_audit_trail(app)
    init_answers(app)
    init_presentation(app)
    init_accounts(app)
    init_single_sign_on(app, configured)
    init_live(app, site)
    init_uploads(app, site)
    init_metrics(app, site)
    init_help(app)
    init_api(app)
    for blueprint in SUBJECTS:
        app.register_blueprint(blueprint)
    check_every_route(app)
    return app


def _tell_times(app: Flask) -> None:
    """Measure each answer from `g.began` on, and report the time in the Server-Timing header."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        taken = 1000 * (time.perf_counter() - g.began) if "began" in g else 0.0
        response.headers["Server-Timing"] = f"app;dur={taken:.1f}"
        return response


def _read_once(app: Flask, site: Site) -> None:
    """Let each page read one state of the database, in one transaction."""

    @app.before_request
    def begin() -> None:
        if request.method in {"GET", "HEAD"}:
            with suppress(DatabaseFault):  # who reads it says so; some answers do without it
                g.snapshot = ExitStack()
                g.snapshot.enter_context(site.database.snapshot())

    @app.teardown_request
    def end(_fault: BaseException | None) -> None:
        snapshot: ExitStack | None = g.pop("snapshot", None)
        if snapshot is not None:
            snapshot.close()
