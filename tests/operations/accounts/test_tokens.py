"""API tokens: made, used, over."""

import time

import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.operations.accounts import accounts, tokens


@pytest.fixture
def otto(site):
    return accounts.create_account(site, "otto", "correct horse battery", "operator")


def test_a_token_stands_for_its_account_with_its_scope(site, otto):
    """The role is the lesser of both, at the time of use."""
    _, read = tokens.create_token(site, otto, "read", scope="read")
    _, operate = tokens.create_token(site, otto, "operate", scope="operate")

    assert tokens.bearer(site, read, now=time.time()).role == "viewer"
    assert tokens.bearer(site, operate, now=time.time()).role == "operator"
    accounts.create_account(site, "ada", "correct horse battery", "admin")
    accounts.change_account(site, "otto", role="viewer")
    assert tokens.bearer(site, operate, now=time.time()).role == "viewer"


def test_a_token_ends_when_it_was_said_to(site, otto):
    """Not a second later."""
    view, text = tokens.create_token(site, otto, "short", days=1)

    assert tokens.bearer(site, text, now=view.expires_at - 1)
    assert tokens.bearer(site, text, now=view.expires_at) is None


@pytest.mark.sqlite
def test_a_token_that_is_not_quite_one_opens_nothing(site, otto):
    """Another secret with a known handle, other shapes, and what stands in the database."""
    view, text = tokens.create_token(site, otto, "x")
    _, other = tokens.create_token(site, otto, "y")
    now = time.time()

    mixed = f"nb_{view.handle}_{other.rpartition('_')[2]}"
    for wrong in (mixed, text[:-1], text + "A", text.upper(), "", "nb_", " " + text):
        if wrong != text:
            assert tokens.bearer(site, wrong, now=now) is None
    assert text.rpartition("_")[2].encode() not in (site.data / "site.db").read_bytes()


@pytest.mark.parametrize(
    "wrong",
    [{"name": " "}, {"scope": "king"}, {"scope": "administer"}, {"days": 0}, {"days": 731}],
)
def test_a_token_that_cannot_be_is_refused(site, otto, wrong):
    """No name, no such scope, more than the account may, no end."""
    with pytest.raises(InvalidInput):
        tokens.create_token(site, otto, wrong.pop("name", "x"), **wrong)


def test_a_token_is_listed_and_revoked_by_its_owner(site, otto):
    """When it was used stands there."""
    view, text = tokens.create_token(site, otto, "x")
    tokens.bearer(site, text, now=time.time())
    (shown,) = tokens.list_tokens(site, otto.id)

    assert shown.used_at > 0
    with pytest.raises(NotFound):
        tokens.revoke_token(site, otto.id + 1, view.id)
    tokens.revoke_token(site, otto.id, view.id)
    assert tokens.bearer(site, text, now=time.time()) is None
