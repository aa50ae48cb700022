"""What the command line changes is in the audit log; what it only reads is not."""

import json

import click
import pytest

from netboot.cli import netboot as root
from netboot.commands.recorded import Verb, Verbs, _without_secrets
from netboot.operations.accounts import audit
from netboot.site import Site
from tests.commands.test_cli_parity import leaves
from tests.support.command_line import STAYING
from tests.support.media_versions import add_lab_version
from tests.web.support.seeding import add_driver

NAME = "Lab PE x64"
PAIR = ("--first", "early.inf", "--second", "late.inf", "--reason", "It hangs.")


@pytest.fixture
def furnished(data, tmp_path):
    """A site with an image, its version and a driver."""
    site = Site.open(data)
    add_lab_version(site)
    add_driver(site, tmp_path, "early", enabled=True)
    yield site
    site.database.close()


def test_every_command_says_whether_it_changes_something():
    """There is no default, and options by which it does are options that it has."""
    found = list(leaves(root))

    assert len(found) > 80
    for words, command in found:
        assert isinstance(command, Verb | Verbs), words
        if isinstance(command, Verb) and not isinstance(command.changes, bool):
            assert set(command.changes) <= {one.name for one in command.params}, words
    with pytest.raises(TypeError, match="changes"):
        Verbs("image").command("forgetful")(lambda: None)


def reading():
    """The words of every command that only reads and needs no argument."""
    for words, command in leaves(root):
        needs = any(isinstance(one, click.Argument) and one.required for one in command.params)
        changes = isinstance(command, Verb) and command.changes is True
        if not changes and not needs and words[0] not in STAYING:
            yield words


def test_commands_that_only_read_leave_no_entry(netboot, furnished):
    """Each that needs no argument, and those that show one thing."""
    told = [*reading(), ("image", "show", NAME), ("image", "versions", NAME),
            ("image", "coverage", NAME), ("driver", "show", "early"), ("points", "verify", NAME),
            ("media", "list", NAME), ("driver", "match", "8086:100e")]  # fmt: skip
    assert {("driver", "pair", "list"), ("image", "list"), ("boots",)} <= set(told)
    for words in told:
        netboot(*words)

    assert audit.entries(furnished) == []


@pytest.mark.parametrize(
    ("words", "action", "subject"),
    [
        (("driver", "pair", "add", "order", *PAIR), "known_pairs.add", "known_pairs/order"),
        (("driver", "disable", "early"), "drivers.disable", "drivers/early"),
        (("driver", "delete", "early"), "drivers.delete", "drivers/early"),
        (("image", "arrange", NAME), "images.arrange", "images/lab-pe-x64"),
        (("image", "add-driver", NAME, "early", "--confirm"), "images.add_driver",
         "images/lab-pe-x64"),
        (("image", "coverage", NAME, "--fix"), "images.coverage", "images/lab-pe-x64"),
        (("image", "set", "--comment", "new", NAME), "images.set", "images/lab-pe-x64"),
        (("image", "delete", NAME, "--yes"), "images.delete", "images/lab-pe-x64"),
        (("points", "update", NAME), "images.update", "images/lab-pe-x64"),
        (("deployment", "set", "52:54:00:12:34:56", NAME), "deployments.set",
         "deployments/52:54:00:12:34:56"),
        (("webhook", "add", "https://chat.example/x", "boot.*"), "webhooks.add",
         "webhooks/https://chat.example/x"),
        (("account", "create", "ada", "--password", "correct horse"), "accounts.create",
         "accounts/ada"),
        (("settings", "set", "oidc_client_secret=hush"), "settings.set",
         "settings/oidc_client_secret=…"),
        (("site", "clean"), "site.clean", "site"),
    ],
)  # fmt: skip
def test_commands_that_change_something_leave_an_entry(netboot, furnished, words, action, subject):
    """One, with who did it and to what; and no secret."""
    netboot(*words)
    (entry,) = audit.entries(furnished)

    assert (action, subject, "cli") == (entry.action, entry.subject, entry.via)
    assert "horse" not in json.dumps(entry.details)
    assert "hush" not in json.dumps(entry.details)


def test_a_removed_pair_and_an_applied_declaration_are_recorded(netboot, furnished, tmp_path):
    """What can only be done after something else."""
    netboot("driver", "pair", "add", "order", *PAIR)
    netboot("driver", "pair", "remove", "own-1")
    netboot("export", tmp_path / "declared")
    netboot("plan", tmp_path / "declared")
    netboot("apply", tmp_path / "declared", "--yes")

    assert [entry.action for entry in audit.entries(furnished)] == [
        "declaration.apply",
        "known_pairs.remove",
        "known_pairs.add",
    ]


def test_a_command_that_was_refused_leaves_no_entry(netboot, furnished):
    """Nothing was changed."""
    netboot("driver", "pair", "remove", "own-7", code=2)

    assert audit.entries(furnished) == []


def test_secrets_of_settings_do_not_reach_the_log():
    """Whether they are written with a space or with an equals sign."""
    told = _without_secrets(
        ["oidc_client_secret=abc", "web_port=1", "--password", "x", "--token=y",
         "database_url=postgresql://a:b@c"]
    )  # fmt: skip

    assert told == ["oidc_client_secret=…", "web_port=1", "--password", "…", "--token=…",
            "database_url=…"]  # fmt: skip
