"""Requests that may come twice."""

import pytest
from sqlalchemy import update

from netboot.operations.accounts import accounts
from netboot.store.database import idempotency_keys as repeats
from netboot.store.database.account_records import RepeatRow
from netboot.store.database.idempotency_keys import Standing


@pytest.fixture
def owner(site):
    made = accounts.create_account(site, "ada", "correct horse battery", "admin")
    return made.id


def test_the_first_claims_the_key_and_the_second_gets_its_answer(site, owner):
    """Until there is an answer, the second one waits."""
    assert repeats.begin(site.database, owner, "k", "f").standing is Standing.NEW
    assert repeats.begin(site.database, owner, "k", "f").standing is Standing.UNDER_WAY
    assert repeats.begin(site.database, owner, "k", "other").standing is Standing.ANOTHER
    repeats.finish(site.database, owner, "k", status=201, headers={"A": "b"}, body="{}")
    found = repeats.begin(site.database, owner, "k", "f")

    assert (
        found.standing,
        found.status,
        found.headers,
        found.body,
    ) == (Standing.ANSWERED, 201, {"A": "b"}, "{}")


def test_a_key_that_was_given_up_is_new_again(site, owner):
    """Nothing came of the request."""
    repeats.begin(site.database, owner, "k", "f")
    repeats.give_up(site.database, owner, "k")

    assert repeats.begin(site.database, owner, "k", "other").standing is Standing.NEW


@pytest.mark.parametrize(("status", "age"), [(0, 301.0), (200, 24 * 3600 + 1.0)])
def test_old_keys_are_forgotten(site, owner, status, age):
    """An answer after a day, a request that died on its way after minutes."""
    repeats.begin(site.database, owner, "k", "f")
    with site.database.writing() as session:
        changed = {"status": status, "created_at": RepeatRow.created_at - age}
        session.execute(update(RepeatRow).values(**changed))

    assert repeats.begin(site.database, owner, "k", "f").standing is Standing.NEW
