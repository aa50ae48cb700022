"""The console as a Flask application: one page that joins its parts."""

import time

from flask import Flask, Response, g

from netboot.site import Site
from web.api.application import init_api, new_application
from web.assets import init_assets
from web.guard.access import check_every_route, init_access
from web.guard.audit_trail import init_audit_trail
from web.guard.public_address import init_outside, is_secure, outside_names
from web.guard.request_safety import init_safety
from web.live.streams import init_live
from web.live.turns import init_turns
from web.pages.accounts import audit, own_account, users, webhooks
from web.pages.accounts.sign_in import init_accounts
from web.pages.accounts.single_sign_on import init_single_sign_on
from web.pages.boots import boots, network
from web.pages.drivers import drivers, known_pairs
from web.pages.images import images, wimboot
from web.pages.images import properties as images_custom
from web.pages.images import source as images_source
from web.pages.machines import coverage, machines
from web.pages.machines import test_machines as lab
from web.pages.points import points
from web.pages.site import api_guide, jobs, overview, settings
from web.pages.site.metrics import init_metrics
from web.pages.versions import version as versions
from web.pages.versions import versions as images_versions
from web.responses import init_answers
from web.show.presentation import init_presentation
from web.uploads.tus import init_uploads

NAVIGATION = (
    ("overview.show", "Overview", "layout-dashboard"),
    ("images.index", "Boot images", "disc"),
    ("drivers.index", "Driver catalog", "cpu"),
    ("machines.index", "Machines", "server"),
    ("points.index", "Distribution points", "server-2"),
    ("boots.index", "Boots", "activity"),
    ("network.index", "Boot network", "network"),
    ("lab.index", "Boot tests", "device-desktop"),
    ("jobs.index", "Jobs", "list-check"),
    ("audit.index", "Audit", "history"),
    ("settings.index", "Settings", "settings"),
)
# What goes to a page after `g`, where its first letter is taken or nothing is said: none.
KEYS = {
    "overview.show": "o",
    "images.index": "i",
    "drivers.index": "d",
    "points.index": "p",
    "machines.index": "m",
    "boots.index": "b",
    "network.index": "n",
    "lab.index": "t",
    "jobs.index": "j",
    "audit.index": "a",
    "users.index": "u",
    "settings.index": "s",
}


SUBJECTS = (
    overview.overview,
    images.images,
    versions.versions,
    images_custom.images_custom,
    images_source.images_source,
    images_versions.images_versions,
    drivers.drivers,
    known_pairs.known_pairs,
    coverage.coverage,
    machines.machines,
    points.points,
    boots.boots,
    lab.lab,
    network.network,
    jobs.jobs,
    settings.settings,
    audit.audit,
    users.users,
    own_account.own_account,
    api_guide.api_guide,
    webhooks.webhooks,
    wimboot.wimboot,
)
"""The pages, a blueprint a subject."""


def create_app(site: Site) -> Flask:
    """The console of a site. Raises RuntimeError when a route declares no permission."""
    told = site.settings
    app = new_application()
    app.config["SECRET_KEY"] = site.secret
    app.extensions["netboot_site"] = site
    app.jinja_env.globals.update(navigation=NAVIGATION, navigation_keys=KEYS)
    init_outside(app, told)
    init_safety(
        app,
        [*told.trusted_hosts, told.web_address, *outside_names(told)],
        tls_is_trusted=told.tls == "files" or told.web_url.startswith("https:"),
    )
    _tell_times(app)
    init_turns(app)
    init_assets(app)
    init_access(app, secure=is_secure(told))
    init_audit_trail(app)
    init_answers(app)
    init_presentation(app)
    init_accounts(app)
    init_single_sign_on(app, told)
    init_live(app, site)
    init_uploads(app, site)
    init_metrics(app, site)
    init_api(app)
    for blueprint in SUBJECTS:
        app.register_blueprint(blueprint)
    check_every_route(app)
    return app


def _tell_times(app: Flask) -> None:
    """Say in each answer how long it took here, for browsers' tools and the benchmark."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        taken = 1000 * (time.perf_counter() - g.began) if "began" in g else 0.0
        response.headers["Server-Timing"] = f"app;dur={taken:.1f}"
        return response
