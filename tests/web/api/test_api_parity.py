"""Every verb and every view of the pages has its operation in the API, by name."""

import pytest

from netboot.operations.accounts import accounts, tokens
from web.api.application import NAMES
from web.app import create_app

# What a browser needs and a script does otherwise, each with its reason.
ONLY_PAGES = {
    "accounts.sign_in_page": "a form; scripts bring a token with each request",
    "accounts.sign_in": "begins a browser's session; scripts bring a token",
    "accounts.sign_out": "ends a browser's session; `end_session` ends any by its handle",
    "accounts.setup_page": "a form, until there is an account",
    "accounts.setup": "before the first account nobody could have a token",
    "single_sign_on.begin": "leads a browser to the provider",
    "single_sign_on.callback": "takes a browser back from the provider",
    "assets.asset": "scripts and styles of the pages",
    "help_pages.show": "the documentation for people, not of this site",
    "live.part": "a piece of a page as HTML; scripts read the same by GET",
    "live.stream": "says which pieces of pages; scripts read the same by GET, or get webhooks",
    "metrics.read": "is for programs itself, in Prometheus' own form",
    "api.openapi": "is the API's own description",
    "uploads.options": "tus 1.0 is a protocol for programs already; it takes the same tokens",
    "uploads.create": "tus 1.0, as above; `upload_file` is the short way",
    "uploads.head": "tus 1.0, as above",
    "uploads.patch": "tus 1.0, as above",
    "uploads.terminate": "tus 1.0, as above",
    "drivers.import_page": "a form",
    "images.import_page": "a form",
    "images.windows_pe": "a guide, which docs/windows-pe.md holds too",
    "images.import_name": "asked by a form before its upload; scripts list the images",
}

OPERATIONS = {
    "overview.show": ("get_overview", "count_boots_by_hour"),
    "images.index": ("list_images",),
    "images.show": (
        *("get_image", "get_recipients", "list_pending_changes"),
        *("list_points", "list_jobs"),
    ),
    "images.assign": ("deploy_image", "withdraw_image"),
    "images.driver_choices": ("list_drivers",),
    "images.import_image": ("import_image",),
    "images.add_driver": ("add_drivers",),
    "images.remove_driver": ("remove_driver",),
    "images.build": ("build_version",),
    "images.update_distribution_points": ("update_distribution_points",),
    "images.roll_back": ("roll_back",),
    "images.set_comment": ("change_image",),
    "images.set_default": ("set_default_image",),
    "images.delete": ("delete_image",),
    "images_custom.show": ("get_customisation",),
    "images_custom.set_details": ("set_details",),
    "images_custom.set_properties": ("set_properties",),
    "images_custom.add_file": ("add_extra_file", "set_special_file"),
    "images_custom.add_curl": ("add_curl",),
    "images_custom.remove_file": ("remove_extra_file", "reset_special_file"),
    "images_source.show": ("get_source",),
    "images_source.examine": ("examine_source",),
    "images_source.take": ("take_source",),
    "images_source.give_up": ("give_up_source",),
    "images_source.accept_secrets": ("accept_secrets",),
    "images_versions.show": ("list_versions", "compare_versions"),
    "images_versions.verify": ("verify_image",),
    "lab_pe.show": ("get_lab_pe",),
    "lab_pe.build": ("build_lab_pe",),
    "lab_pe.import_file": ("import_lab_pe",),
    "versions.show": ("get_version", "list_media"),
    "versions.build_media": ("build_media",),
    "versions.make_package": ("make_package",),
    "versions.download": ("download_medium",),
    "versions.delete_medium": ("delete_medium",),
    "coverage.show": ("get_coverage",),
    "coverage.fix": ("add_drivers",),
    "coverage.fix_all": ("fix_coverage",),
    "coverage.remove_unneeded": ("remove_unneeded_drivers",),
    "drivers.index": ("list_drivers",),
    "drivers.show": ("get_driver", "get_driver_relations"),
    "drivers.enable": ("enable_driver",),
    "drivers.disable": ("disable_driver",),
    "drivers.set_categories": ("set_driver_categories",),
    "drivers.delete": ("delete_driver",),
    "drivers.enable_chosen": ("enable_drivers",),
    "drivers.disable_chosen": ("disable_drivers",),
    "drivers.sort_chosen": ("sort_drivers",),
    "drivers.delete_chosen": ("delete_drivers",),
    "drivers.add_chosen": ("add_drivers",),
    "drivers.conflicts": ("get_driver_conflicts",),
    "drivers.match": ("match_driver",),
    "drivers.import_drivers": ("import_drivers",),
    "machines.index": ("list_machines",),
    "machines.show": ("get_machine", "get_machine_coverage"),
    "machines.import_devices": ("import_machine_devices",),
    "machines.forget": ("forget_machine",),
    "machines.set_authority": ("set_authority",),
    "known_pairs.index": ("list_known_pairs",),
    "known_pairs.add": ("add_known_pair",),
    "known_pairs.remove": ("remove_known_pair",),
    "points.delete_altered": ("delete_altered",),
    "network.read_capture": ("read_capture",),
    "images.arrange_drivers": ("arrange_drivers",),
    "machines.assign": ("deploy_image", "withdraw_image"),
    "points.index": ("list_points", "list_altered"),
    "wimboot.show": ("get_wimboot",),
    "wimboot.supply": ("import_wimboot",),
    "wimboot.remove": ("forget_wimboot",),
    "boots.index": ("list_boots", "count_boots_by_hour", "list_boot_rates"),
    "boots.codes": ("list_codes", "explain_code"),
    "boots.show": ("get_boot",),
    "network.index": ("get_network", "list_networks", "list_decisions", "list_jobs"),
    "network.check": ("check_network",),
    "lab.index": ("get_lab", "list_jobs"),
    "lab.boot": ("boot_test_machine",),
    "jobs.index": ("list_jobs",),
    "jobs.show": ("get_job",),
    "jobs.cancel": ("cancel_job",),
    "jobs.dismiss": ("dismiss_job",),
    "jobs.retry": ("retry_job",),
    "jobs.screenshot": ("get_job_screenshot",),
    "audit.index": ("list_audit",),
    "audit.verify": ("verify_audit",),
    "settings.index": ("list_settings", "get_last_backup"),
    "settings.back_up": ("back_up",),
    "settings.change": ("change_settings",),
    "users.index": ("list_accounts",),
    "users.show": ("get_account", "list_audit"),
    "users.create": ("create_account",),
    "users.change": ("change_account",),
    "users.set_password": ("set_account_password",),
    "users.delete": ("delete_account",),
    "users.unlock": ("unlock_account",),
    "own_account.show": ("get_me", "list_sessions", "list_tokens"),
    "own_account.set_password": ("set_own_password",),
    "own_account.end_session": ("end_session",),
    "own_account.create_token": ("create_token",),
    "own_account.revoke_token": ("revoke_token",),
    "api_guide.show": ("get_me",),
    "webhooks.index": ("list_webhooks", "list_deliveries"),
    "webhooks.create": ("add_webhook",),
    "webhooks.test": ("test_webhook",),
    "webhooks.switch": ("change_webhook",),
    "webhooks.delete": ("remove_webhook",),
}


@pytest.fixture(scope="module")
def application(shared_site):
    return create_app(shared_site)


@pytest.fixture(scope="module")
def described(shared_site, application):
    """Every operation of the API: its name, its method and its role."""
    account = accounts.get_account(shared_site, "vera")
    _, token = tokens.create_token(shared_site, account, "parity", scope="read")
    answer = application.test_client().get(
        "/api/v1/openapi.json", headers={"Authorization": f"Bearer {token}"}
    )
    return {
        operation["operationId"]: (method.upper(), operation["x-role"])
        for methods in answer.json["paths"].values()
        for method, operation in methods.items()
    }


def pages(application):
    """What is routed and is no verb of the API: endpoint and methods."""
    found = {}
    for rule in application.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] not in NAMES:
            found.setdefault(rule.endpoint, set()).update(rule.methods - {"HEAD", "OPTIONS"})
    return found


def test_every_page_has_its_operation_or_a_reason(application):
    """A page that is new says which operation does the same; one that is gone leaves the list."""
    routed = set(pages(application))

    assert set() == routed - set(OPERATIONS) - set(ONLY_PAGES)
    assert set() == (set(OPERATIONS) | set(ONLY_PAGES)) - routed
    assert set() == set(OPERATIONS) & set(ONLY_PAGES)
    assert all(len(reason) > 5 for reason in ONLY_PAGES.values())


def test_the_operations_are_there_and_read_or_change_as_the_pages_do(application, described):
    """What shows something is a GET, what changes something is none."""
    routed = pages(application)
    for endpoint, names in OPERATIONS.items():
        reads = routed[endpoint] == {"GET"}
        for name in names:
            assert name in described, (endpoint, name)
            assert (described[name][0] == "GET") == reads, (endpoint, name)


def test_an_operation_wants_the_role_that_its_page_wants(application, described):
    """Who may do it on the page may do it by script, and nobody else."""
    wanted = {}
    for endpoint, names in OPERATIONS.items():
        role = application.view_functions[endpoint].permission.name.lower()
        for name in names:
            wanted.setdefault(name, set()).add(role)

    for name, roles in wanted.items():
        method, role = described[name]
        assert role in roles, name
        assert method == "GET" or {role} == roles, name


def test_every_operation_that_changes_something_stands_on_a_page_or_says_why_not(described):
    """The other way round: what scripts may do, people may do on the page."""
    on_pages = {name for names in OPERATIONS.values() for name in names}
    only_scripts = {
        "upload_file": "pages upload by tus, which goes on after a break",
        "prefer_chain": "stands among the properties on the customisation page",
        "verify_point": "pages queue the same as a job (verify_image)",
        "plan_declaration": "files for git come from a script or the command line",
        "apply_declaration": "as plan_declaration",
        "verify_stored": "happens daily by itself; scripts and command line may ask for it",
        "clean_stored": "as verify_stored",
    }

    changing = {name for name, (method, _role) in described.items() if method != "GET"}
    assert changing - on_pages == set(only_scripts)
