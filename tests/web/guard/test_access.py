"""Who may do what: every route times every identity."""

import pytest
from flask import Flask

from netboot.access import SCOPES
from netboot.operations.accounts import accounts as operations
from netboot.operations.accounts import tokens
from tests.web.conftest import IDENTITIES, age_session, sign_in
from web.app import create_app
from web.guard.access import Role, check_every_route, is_local_path, requires

# What each view needs. A new view fails the test below until somebody has thought about it.
NEEDS = {
    "accounts.setup": Role.PUBLIC,
    "accounts.setup_page": Role.PUBLIC,
    "accounts.sign_in": Role.PUBLIC,
    "accounts.sign_in_page": Role.PUBLIC,
    "accounts.sign_out": Role.VIEWER,
    "api_guide.show": Role.VIEWER,
    "assets.asset": Role.PUBLIC,
    "boots.codes": Role.VIEWER,
    "audit.index": Role.VIEWER,
    "audit.verify": Role.VIEWER,
    "metrics.read": Role.PUBLIC,  # it asks for more by itself, unless the settings open it
    "own_account.create_token": Role.VIEWER,
    "own_account.end_session": Role.VIEWER,
    "own_account.revoke_token": Role.VIEWER,
    "own_account.set_password": Role.VIEWER,
    "own_account.show": Role.VIEWER,
    "single_sign_on.begin": Role.PUBLIC,
    "single_sign_on.callback": Role.PUBLIC,
    "users.change": Role.ADMIN,
    "users.create": Role.ADMIN,
    "users.delete": Role.ADMIN,
    "users.unlock": Role.ADMIN,
    "users.index": Role.ADMIN,
    "users.set_password": Role.ADMIN,
    "users.show": Role.ADMIN,
    "webhooks.create": Role.ADMIN,
    "webhooks.delete": Role.ADMIN,
    "webhooks.index": Role.ADMIN,
    "webhooks.switch": Role.ADMIN,
    "webhooks.test": Role.ADMIN,
    "boots.index": Role.VIEWER,
    "boots.show": Role.VIEWER,
    "coverage.fix": Role.OPERATOR,
    "coverage.fix_all": Role.OPERATOR,
    "coverage.remove_unneeded": Role.OPERATOR,
    "coverage.show": Role.VIEWER,
    "drivers.add_chosen": Role.OPERATOR,
    "drivers.conflicts": Role.VIEWER,
    "drivers.delete": Role.ADMIN,
    "drivers.disable": Role.OPERATOR,
    "drivers.disable_chosen": Role.OPERATOR,
    "drivers.enable": Role.OPERATOR,
    "drivers.enable_chosen": Role.OPERATOR,
    "drivers.import_drivers": Role.OPERATOR,
    "drivers.import_page": Role.OPERATOR,
    "drivers.index": Role.VIEWER,
    "drivers.match": Role.VIEWER,
    "drivers.set_categories": Role.OPERATOR,
    "drivers.sort_chosen": Role.OPERATOR,
    "images.arrange_drivers": Role.OPERATOR,
    "known_pairs.add": Role.OPERATOR,
    "known_pairs.index": Role.VIEWER,
    "known_pairs.remove": Role.OPERATOR,
    "drivers.delete_chosen": Role.ADMIN,
    "drivers.show": Role.VIEWER,
    "images.add_driver": Role.OPERATOR,
    "images.assign": Role.OPERATOR,
    "images.build": Role.OPERATOR,
    "images.delete": Role.ADMIN,
    "images.driver_choices": Role.OPERATOR,
    "images.import_image": Role.OPERATOR,
    "images.import_page": Role.OPERATOR,
    "images.import_name": Role.OPERATOR,
    "images.index": Role.VIEWER,
    "images.windows_pe": Role.VIEWER,
    "images.remove_driver": Role.OPERATOR,
    "images.roll_back": Role.OPERATOR,
    "images.set_comment": Role.OPERATOR,
    "images.set_default": Role.OPERATOR,
    "images.show": Role.VIEWER,
    "images.update_distribution_points": Role.OPERATOR,
    "jobs.cancel": Role.OPERATOR,
    "jobs.dismiss": Role.OPERATOR,
    "jobs.retry": Role.OPERATOR,
    "jobs.index": Role.VIEWER,
    "jobs.screenshot": Role.VIEWER,
    "jobs.show": Role.VIEWER,
    "lab.boot": Role.OPERATOR,
    "lab_pe.build": Role.OPERATOR,
    "lab_pe.import_file": Role.OPERATOR,
    "lab_pe.show": Role.VIEWER,
    "lab.index": Role.VIEWER,
    "help_pages.show": Role.VIEWER,
    "live.part": Role.VIEWER,
    "live.stream": Role.VIEWER,
    "machines.assign": Role.OPERATOR,
    "machines.set_authority": Role.OPERATOR,
    "machines.forget": Role.OPERATOR,
    "machines.import_devices": Role.OPERATOR,
    "machines.index": Role.VIEWER,
    "machines.show": Role.VIEWER,
    "network.check": Role.OPERATOR,
    "network.index": Role.VIEWER,
    "network.read_capture": Role.OPERATOR,
    "overview.show": Role.VIEWER,
    "points.index": Role.VIEWER,
    "points.delete_altered": Role.ADMIN,
    "settings.back_up": Role.ADMIN,
    "settings.change": Role.ADMIN,
    "settings.index": Role.VIEWER,
    "versions.build_media": Role.OPERATOR,
    "versions.delete_medium": Role.OPERATOR,
    "versions.download": Role.OPERATOR,
    "versions.make_package": Role.OPERATOR,
    "versions.show": Role.VIEWER,
    "uploads.create": Role.OPERATOR,
    "uploads.head": Role.OPERATOR,
    "uploads.options": Role.OPERATOR,
    "images_custom.show": Role.VIEWER,
    "images_custom.set_details": Role.OPERATOR,
    "images_custom.set_properties": Role.OPERATOR,
    "images_custom.add_curl": Role.OPERATOR,
    "images_custom.add_file": Role.OPERATOR,
    "images_custom.remove_file": Role.OPERATOR,
    "images_source.show": Role.VIEWER,
    "images_source.examine": Role.OPERATOR,
    "images_source.take": Role.OPERATOR,
    "images_source.give_up": Role.OPERATOR,
    "images_source.accept_secrets": Role.OPERATOR,
    "images_versions.show": Role.VIEWER,
    "images_versions.verify": Role.OPERATOR,
    "uploads.patch": Role.OPERATOR,
    "uploads.terminate": Role.OPERATOR,
    "wimboot.remove": Role.OPERATOR,
    "wimboot.show": Role.VIEWER,
    "wimboot.supply": Role.OPERATOR,
}
SAMPLES = {
    "slug": "no-such-image",
    "digest": "0" * 64,
    "boot_id": "525400000000-1",
    "job_id": 999,
    "key": "52:54:00:00:00:99",
    "medium_id": 999,
    "file_name": "no-such.iso",
    "upload_id": "0" * 32 + "-" + "0" * 32,
    "name": "console.css",
    "number": 999,
    "driver": "no-such-driver",
    "mac": "52:54:00:00:00:99",
    "boot": "525400000000-1",
    "handle": "0" * 16,
    "purpose": "background",
    "token_id": 999,
    "code": "PXE-E55",
    "pair": "no-such-pair",
}
WHOLE_ACCOUNT = {"api_me.end_session"}
"""What a token may do to its own account only where it may do all that the account may."""

# The same for the verbs of the API.
API_NEEDS = {
    "api.openapi": Role.VIEWER,
    "api_accounts.change": Role.ADMIN,
    "api_accounts.create": Role.ADMIN,
    "api_accounts.delete": Role.ADMIN,
    "api_accounts.get_account": Role.ADMIN,
    "api_accounts.list_accounts": Role.ADMIN,
    "api_accounts.set_password": Role.ADMIN,
    "api_accounts.unlock": Role.ADMIN,
    "api_audit.list_audit": Role.VIEWER,
    "api_audit.verify_audit": Role.VIEWER,
    "api_boots.get_boot": Role.VIEWER,
    "api_boots.list_boots": Role.VIEWER,
    "api_boots.count_boots_by_hour": Role.VIEWER,
    "api_boots.explain_code": Role.VIEWER,
    "api_boots.list_boot_rates": Role.VIEWER,
    "api_boots.list_codes": Role.VIEWER,
    "api_images.get_recipients": Role.VIEWER,
    "api_jobs.dismiss": Role.OPERATOR,
    "api_jobs.retry": Role.OPERATOR,
    "api_images.list_pending_changes": Role.VIEWER,
    "api_coverage.fix_all": Role.OPERATOR,
    "api_coverage.get_coverage": Role.VIEWER,
    "api_coverage.remove_unneeded": Role.OPERATOR,
    "api_declaration.apply": Role.OPERATOR,
    "api_declaration.export_declaration": Role.VIEWER,
    "api_declaration.plan": Role.OPERATOR,
    "api_driver_sets.delete_chosen": Role.ADMIN,
    "api_driver_conflicts.get_driver_conflicts": Role.VIEWER,
    "api_driver_match.match_driver": Role.VIEWER,
    "api_known_pairs.add": Role.OPERATOR,
    "api_known_pairs.list_known_pairs": Role.VIEWER,
    "api_known_pairs.remove": Role.OPERATOR,
    "api_images.arrange_drivers": Role.OPERATOR,
    "api_driver_sets.disable_chosen": Role.OPERATOR,
    "api_driver_sets.enable_chosen": Role.OPERATOR,
    "api_driver_sets.get_driver_relations": Role.VIEWER,
    "api_driver_sets.sort_chosen": Role.OPERATOR,
    "api_overview.get_overview": Role.VIEWER,
    "api_stored.clean": Role.ADMIN,
    "api_stored.verify": Role.OPERATOR,
    "api_versions.compare_versions": Role.VIEWER,
    "api_versions.get_source": Role.VIEWER,
    "api_versions.get_version": Role.VIEWER,
    "api_deployments.deploy": Role.OPERATOR,
    "api_deployments.list_deployments": Role.VIEWER,
    "api_deployments.withdraw": Role.OPERATOR,
    "api_distribution_points.list_points": Role.VIEWER,
    "api_distribution_points.list_altered": Role.VIEWER,
    "api_distribution_points.delete_altered": Role.ADMIN,
    "api_distribution_points.verify_point": Role.OPERATOR,
    "api_drivers.delete": Role.ADMIN,
    "api_drivers.disable": Role.OPERATOR,
    "api_drivers.enable": Role.OPERATOR,
    "api_drivers.get_driver": Role.VIEWER,
    "api_drivers.import_drivers": Role.OPERATOR,
    "api_drivers.list_drivers": Role.VIEWER,
    "api_drivers.set_categories": Role.OPERATOR,
    "api_images.add_driver": Role.OPERATOR,
    "api_images.build": Role.OPERATOR,
    "api_images.delete": Role.ADMIN,
    "api_images.get_image": Role.VIEWER,
    "api_images.import_image": Role.OPERATOR,
    "api_images.list_images": Role.VIEWER,
    "api_images.list_versions": Role.VIEWER,
    "api_images.remove_driver": Role.OPERATOR,
    "api_images.roll_back": Role.OPERATOR,
    "api_images.set_comment": Role.OPERATOR,
    "api_images.set_default": Role.OPERATOR,
    "api_images.update_distribution_points": Role.OPERATOR,
    "api_jobs.cancel": Role.OPERATOR,
    "api_jobs.get_job": Role.VIEWER,
    "api_jobs.get_job_screenshot": Role.VIEWER,
    "api_jobs.list_jobs": Role.VIEWER,
    "api_machines.forget": Role.OPERATOR,
    "api_machines.get_machine": Role.VIEWER,
    "api_machines.get_machine_coverage": Role.VIEWER,
    "api_machines.import_devices": Role.OPERATOR,
    "api_machines.list_machines": Role.VIEWER,
    "api_machines.set_authority": Role.OPERATOR,
    "api_network.check": Role.OPERATOR,
    "api_network.get_network": Role.VIEWER,
    "api_network.list_decisions": Role.VIEWER,
    "api_network.list_networks": Role.VIEWER,
    "api_network.read_capture": Role.OPERATOR,
    "api_media.build_media": Role.OPERATOR,
    "api_media.delete_medium": Role.OPERATOR,
    "api_media.download": Role.OPERATOR,
    "api_media.get_medium": Role.VIEWER,
    "api_media.list_media": Role.VIEWER,
    "api_media.make_package": Role.OPERATOR,
    "api_me.create_token": Role.VIEWER,
    "api_me.end_session": Role.VIEWER,
    "api_me.get_me": Role.VIEWER,
    "api_me.list_sessions": Role.VIEWER,
    "api_me.set_password": Role.VIEWER,
    "api_me.list_tokens": Role.VIEWER,
    "api_me.revoke_token": Role.VIEWER,
    "api_lab_pe.build": Role.OPERATOR,
    "api_lab_pe.get_lab_pe": Role.VIEWER,
    "api_lab_pe.import_file": Role.OPERATOR,
    "api_test_machines.boot": Role.OPERATOR,
    "api_test_machines.get_lab": Role.VIEWER,
    "api_uploads.upload_file": Role.OPERATOR,
    "api_boot_chains.remove": Role.OPERATOR,
    "api_boot_chains.get_wimboot": Role.VIEWER,
    "api_boot_chains.supply": Role.OPERATOR,
    "api_boot_chains.prefer_chain": Role.OPERATOR,
    "api_customisation.accept_secrets": Role.OPERATOR,
    "api_customisation.add_curl": Role.OPERATOR,
    "api_customisation.add_file": Role.OPERATOR,
    "api_customisation.examine": Role.OPERATOR,
    "api_customisation.get_customisation": Role.VIEWER,
    "api_customisation.give_up": Role.OPERATOR,
    "api_customisation.remove_file": Role.OPERATOR,
    "api_customisation.reset_special_file": Role.OPERATOR,
    "api_customisation.set_details": Role.OPERATOR,
    "api_customisation.set_properties": Role.OPERATOR,
    "api_customisation.set_special_file": Role.OPERATOR,
    "api_customisation.take": Role.OPERATOR,
    "api_customisation.verify": Role.OPERATOR,
    "api_backups.back_up": Role.ADMIN,
    "api_backups.get_last_backup": Role.VIEWER,
    "api_settings.change": Role.ADMIN,
    "api_settings.list_settings": Role.VIEWER,
    "api_webhooks.change": Role.ADMIN,
    "api_webhooks.create": Role.ADMIN,
    "api_webhooks.delete": Role.ADMIN,
    "api_webhooks.get_webhook": Role.ADMIN,
    "api_webhooks.list_deliveries": Role.ADMIN,
    "api_webhooks.list_webhooks": Role.ADMIN,
    "api_webhooks.test": Role.ADMIN,
}
ROLE_OF = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}


def calls(app):
    """Every (endpoint, method, path) that the application answers."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: SAMPLES[name] for name in rule.arguments}
        path = adapter.build(rule.endpoint, values, method=max(rule.methods))
        for method in rule.methods - {"OPTIONS"} or {"OPTIONS"}:
            yield rule.endpoint, method, path


def test_the_table_names_every_view_and_no_other(shared_site):
    """A new view fails here until its permission was decided."""
    app = create_app(shared_site)

    assert set(NEEDS) | set(API_NEEDS) == {rule.endpoint for rule in app.url_map.iter_rules()}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_route_lets_in_whom_it_should_and_nobody_else(shared_site, make_client, identity):
    """Anonymous and expired are asked to sign in, lower roles are refused, others get through."""
    app = create_app(shared_site)
    client = make_client(shared_site, identity, app=app)
    for endpoint, method, path in calls(app):
        signs_out = endpoint == "accounts.sign_out"
        asking = make_client(shared_site, identity, app=app) if signs_out else client
        response = asking.open(
            path, method=method, headers={"Tus-Resumable": "1.0.0"}, buffered=False
        )
        allowed = (NEEDS | API_NEEDS)[endpoint] <= ROLE_OF.get(identity, Role.PUBLIC)
        where = f"{method} {path} as {identity}: {response.status_code}"
        response.close()
        if endpoint == "metrics.read":
            assert (response.status_code == 200) == (identity in ROLE_OF), where
            continue
        if allowed:
            assert response.status_code not in {401, 403} or endpoint == "accounts.sign_in", where
        elif identity in ROLE_OF:
            assert response.status_code == 403, where
        elif method in {"GET", "HEAD"}:
            to_sign_in = "/sign-in" in response.headers.get("Location", "")
            assert response.status_code == 401 or to_sign_in, where
        else:
            assert response.status_code == 401, where


@pytest.mark.parametrize("scope", ["read", "operate", "administer"])
def test_a_token_opens_what_its_scope_says_and_no_more(shared_site, make_client, scope):
    """Whatever the account may do: here it is an administrator's token each time."""
    app = create_app(shared_site)
    client = make_client(shared_site, "anonymous", app=app)
    ada = operations.get_account(shared_site, "ada")
    _, token = tokens.create_token(shared_site, ada, scope, scope=scope)
    for endpoint, method, path in calls(app):
        if endpoint in {"accounts.sign_in_page", "accounts.sign_out", "accounts.sign_in"}:
            continue  # a token has no session to begin or end
        headers = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token}"}
        response = client.open(path, method=method, headers=headers, buffered=False)
        response.close()
        allowed = (NEEDS | API_NEEDS)[endpoint] <= Role.named(SCOPES[scope])
        allowed &= endpoint not in WHOLE_ACCOUNT or scope == "administer"
        where = f"{method} {path} with {scope}: {response.status_code}"
        assert allowed == (response.status_code != 403), where
        assert response.status_code != 401, where


@pytest.mark.parametrize("token", ["", "nb_x", "nb_" + "0" * 12 + "_" + "A" * 43, "Ä"])
def test_a_token_that_is_none_is_told_so_and_not_led_to_a_page(shared_site, make_client, token):
    """Even where a session would have opened the door: the token speaks."""
    client = make_client(shared_site, "admin")
    response = client.get("/api/v1/images", headers={"Authorization": f"Bearer {token}"})

    assert (response.status_code, response.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert response.content_type == "application/problem+json"


def test_a_view_without_a_permission_stops_the_start():
    """The application does not start with an open door."""
    app = Flask("doors", static_folder=None)
    app.add_url_rule("/safe", "safe", requires(Role.VIEWER)(lambda: "safe"))
    app.add_url_rule("/open", "open", lambda: "open")

    with pytest.raises(RuntimeError, match="do not declare a permission: open"):
        check_every_route(app)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/images/", True),
        ("/images/?page=2", True),
        ("//evil.example/", False),
        ("/\\evil.example", False),
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        ("", False),
        ("/a\nb", False),
    ],
)
def test_only_paths_of_this_site_are_gone_back_to(target, expected):
    """`next` cannot lead anywhere else."""
    assert is_local_path(target) == expected


def test_a_copied_cookie_is_worth_nothing_after_signing_out(furnished, make_client):
    """Signing out ends the session itself, not only this browser's copy of it."""
    app = create_app(furnished)
    client = make_client(furnished, "viewer", app=app)
    copy = app.test_client()
    value = client.get_cookie("netboot").value
    copy.set_cookie("netboot", value)

    assert copy.get("/").status_code == 200
    client.post("/sign-out")
    assert copy.get("/").status_code == 303
    copy = create_app(furnished).test_client()  # as after a restart of the server
    copy.set_cookie("netboot", value)
    assert copy.get("/").status_code == 303


def test_an_idle_session_ends(furnished, make_client):
    """Two hours without a request end a session."""
    client = make_client(furnished, "viewer")
    with client.session_transaction() as session:
        age_session(furnished, session["id"], 2 * 3600 + 1, only_seen=True)

    assert client.get("/").status_code == 303


def test_a_role_that_is_taken_away_counts_at_once(furnished, make_client):
    """The role is read at each request, not kept in the cookie."""
    from netboot.store.database.records import AccountRow

    client = make_client(furnished, "admin")
    assert client.get("/images/import").status_code == 200
    with furnished.database.writing() as session:
        account = next(a for a in operations.list_accounts(furnished) if a.role == "admin")
        session.get(AccountRow, account.id).role = "viewer"

    assert client.get("/images/import").status_code == 403


def test_a_deleted_account_is_signed_out(furnished, make_client):
    """A cookie of an account that is gone opens nothing."""
    client = make_client(furnished, "anonymous")
    sign_in(client, furnished, "viewer")
    with client.session_transaction() as session:
        session["_user_id"] = "4711"

    assert client.get("/").status_code == 303
