"""Accounts on the command line."""

import json
import subprocess
import sys

from netboot.operations.accounts import lockouts
from tests.web.support.seeding import add_accounts


def run(site, *words):
    command = [sys.executable, "-m", "netboot", "--data", str(site.data), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_locked_out_account_is_shown_and_unlocked(site):
    """The way in for the only administrator, from the server."""
    add_accounts(site)
    for _ in range(5):
        lockouts.begin_attempt(site, "ada", "203.0.113.9")

    assert "locked out from 203.0.113.9 for 15 minutes" in run(site, "account", "list").stdout
    assert run(site, "account", "unlock", "ada").stdout == (
        "ada can sign in again from 203.0.113.9.\n"
    )
    again = run(site, "account", "unlock", "ada", "--json")
    assert json.loads(again.stdout) == {"unlocked": []}
    unknown = run(site, "account", "unlock", "nobody")
    assert unknown.returncode == 2
