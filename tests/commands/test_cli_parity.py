"""Every verb of the API has one of the command line; every verb tells scripts what it did."""

import subprocess
import sys

import click
import pytest

from netboot.cli import SUBJECTS, netboot
from web.app import create_app

VERBS = {
    "accept_secrets": "image accept-secrets",
    "add_drivers": "image add-driver",
    "add_curl": "image add-curl",
    "add_extra_file": "image add-file",
    "add_known_pair": "driver pair add",
    "add_webhook": "webhook add",
    "arrange_drivers": "image arrange",
    "apply_declaration": "apply",
    "back_up": "backup make",
    "boot_test_machine": "test-machine boot",
    "build_lab_pe": "lab-pe build",
    "build_media": "media build",
    "build_version": "image build",
    "cancel_job": "job cancel",
    "change_account": "account role",
    "change_image": "image set",
    "change_settings": "settings set",
    "change_webhook": "webhook set",
    "check_network": "check",
    "clean_stored": "site clean",
    "compare_versions": "image compare",
    "count_boots_by_hour": "boots hours",
    "create_account": "account create",
    "create_token": "account token",
    "delete_altered": "site altered",
    "delete_account": "account delete",
    "delete_driver": "driver delete",
    "delete_drivers": "driver delete",
    "delete_image": "image delete",
    "delete_medium": "media delete",
    "deploy_image": "deployment set",
    "dismiss_job": "job dismiss",
    "disable_driver": "driver disable",
    "disable_drivers": "driver disable",
    "download_medium": "media save",
    "enable_driver": "driver enable",
    "enable_drivers": "driver enable",
    "end_session": "account end-session",
    "examine_source": "image reload",
    "explain_code": "boots code",
    "export_declaration": "export",
    "fix_coverage": "image coverage",
    "forget_machine": "machine forget",
    "forget_wimboot": "wimboot remove",
    "get_account": "account show",
    "get_boot": "boots show",
    "get_coverage": "image coverage",
    "get_customisation": "image show",
    "get_driver": "driver show",
    "get_driver_relations": "driver show",
    "get_image": "image show",
    "get_job": "job show",
    "get_job_screenshot": "job screenshot",
    "get_lab": "test-machine choices",
    "get_lab_pe": "lab-pe show",
    "get_last_backup": "backup last",
    "get_machine": "machine show",
    "get_machine_coverage": "machine show",
    "get_medium": "media show",
    "get_network": "network servers",
    "get_recipients": "image show",
    "get_source": "image show",
    "get_version": "image versions",
    "get_webhook": "webhook show",
    "get_wimboot": "wimboot show",
    "give_up_source": "image reload",
    "import_drivers": "driver import",
    "import_image": "image import",
    "import_lab_pe": "lab-pe import",
    "import_machine_devices": "machine import",
    "import_wimboot": "wimboot import",
    "list_accounts": "account list",
    "list_altered": "site altered",
    "list_audit": "audit list",
    "list_boots": "boots",
    "list_codes": "boots code",
    "list_decisions": "network log",
    "list_deliveries": "webhook deliveries",
    "list_deployments": "deployment list",
    "get_driver_conflicts": "driver conflicts",
    "list_drivers": "driver list",
    "list_images": "image list",
    "list_jobs": "job list",
    "list_known_pairs": "driver pair list",
    "list_machines": "machine list",
    "list_media": "media list",
    "list_networks": "network list",
    "list_pending_changes": "image show",
    "list_points": "points status",
    "list_sessions": "account sessions",
    "list_settings": "settings list",
    "list_tokens": "account tokens",
    "list_versions": "image versions",
    "list_webhooks": "webhook list",
    "make_package": "media package",
    "match_driver": "driver match",
    "plan_declaration": "plan",
    "prefer_chain": "image chain",
    "read_capture": "check",
    "remove_known_pair": "driver pair remove",
    "remove_driver": "image remove-driver",
    "remove_extra_file": "image remove-file",
    "remove_unneeded_drivers": "image coverage",
    "remove_webhook": "webhook remove",
    "reset_special_file": "image set",
    "retry_job": "job retry",
    "revoke_token": "account revoke",
    "roll_back": "points rollback",
    "set_account_password": "account password",
    "set_authority": "machine set-authority",
    "set_default_image": "image set-default",
    "set_details": "image set",
    "set_driver_categories": "driver categories",
    "set_own_password": "account password",
    "set_properties": "image set",
    "set_special_file": "image set",
    "sort_drivers": "driver sort",
    "take_source": "image reload",
    "test_webhook": "webhook test",
    "unlock_account": "account unlock",
    "update_distribution_points": "points update",
    "verify_audit": "audit verify",
    "verify_image": "points verify",
    "verify_point": "points verify",
    "verify_stored": "site verify",
    "withdraw_image": "deployment remove",
}
ONLY_API = {
    "get_me": "whoever is at the keyboard has no account here",
    "get_overview": "made for one look; the lists it is made of are verbs of their own",
    "list_boot_rates": "`boots --json` has each boot's rate",
    "upload_file": "the command line reads files where they lie",
}
TALK_FOR_THEMSELVES = {
    "run",
    "boot",
    "http",
    "web",
    "projector",
    "worker",
    "lab",
    "check",
    "completion",
}
"""Services, a program of its own that has --json, and a script for a shell."""


def command(words):
    """The command of these words."""
    found, context = netboot, click.Context(netboot)
    for word in words.split():
        assert isinstance(found, click.Group), words
        found = found.get_command(context, word)
        assert found is not None, words
    return found


def leaves(group, words=()):
    """Every command that does something, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from leaves(found, (*words, name))
            if found.invoke_without_command:
                yield (*words, name), found
        else:
            yield (*words, name), found


def test_every_verb_of_the_api_has_one_of_the_command_line(site):
    """Or a reason; and the table names nothing that is gone."""
    paths = create_app(site).api_doc["paths"]
    named = {one["operationId"] for methods in paths.values() for one in methods.values()}

    assert len(named) > 90
    assert set() == named - set(VERBS) - set(ONLY_API)
    assert set() == (set(VERBS) | set(ONLY_API)) - named
    for words in VERBS.values():
        command(words)


def test_every_verb_has_help_and_json():
    """A sentence for people, and JSON for scripts, whatever the verb prints."""
    for words, found in leaves(netboot):
        assert found.help, words
        assert found.help.partition("\n")[0].rstrip().endswith((".", ":")), words
        if words[0] not in TALK_FOR_THEMSELVES:
            options = {option for one in found.params for option in one.opts}
            assert "--json" in options, words
        for one in found.params:
            if isinstance(one, click.Option) and one.name in {"limit", "yes", "force", "all_"}:
                assert one.help or one.show_default, (words, one.name)


def test_the_list_of_subjects_says_what_the_subject_says_of_itself():
    """The list is written apart from the subjects: importing them all would be slow."""
    for subject, (_, summary) in SUBJECTS.items():
        found = command(subject)
        if isinstance(found, click.Group) and not found.invoke_without_command:
            assert summary == found.help, subject


@pytest.mark.parametrize("words", ["--help", "--version", "completion bash"])
def test_the_command_line_answers_without_the_page_and_the_database(words):
    """What is slow to import is imported by what needs it."""
    code = (
        "import sys; from netboot.cli import main; main(sys.argv[1:]);"
        "slow = {'flask', 'sqlalchemy', 'alembic', 'pydantic', 'structlog', 'rich', 'httpcore',"
        " 'cryptography', 'asyncio', 'netboot.site', 'netboot.store'} & set(sys.modules);"
        "sys.exit('imported ' + ', '.join(sorted(slow)) if slow else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "netboot" in done.stdout


def test_the_help_of_subjects_loads_no_database():
    """Nobody waits half a second for a list of verbs, and completion asks for it at each key."""
    code = (
        "import contextlib, io, sys; from netboot.cli import SUBJECTS, main\n"
        "for subject in SUBJECTS:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as told: main([subject, '--help'])\n"
        "    assert 'Usage: netboot ' + subject in told.getvalue(), subject\n"
        "    slow = {'flask', 'sqlalchemy', 'alembic', 'scapy', 'rich'} & set(sys.modules)\n"
        "    assert not slow, f'{subject} loads {slow}'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
