"""Sessions: begun, resumed, ended."""

import pytest
from sqlalchemy import func, select

from netboot.errors import NotFound
from netboot.operations.accounts import accounts, sessions
from netboot.store.database.account_records import SessionRow

NOW = 1_000_000.0
HOUR = 3600.0


@pytest.fixture
def ada(site):
    return accounts.create_account(site, "ada", "correct horse battery", "admin")


@pytest.mark.sqlite
def test_a_session_is_resumed_by_its_secret_alone(site, ada):
    """The database holds no secret that could be used."""
    secret = sessions.begin(site, ada.id, now=NOW)

    assert sessions.resume(site, secret, now=NOW).name == "ada"
    assert sessions.resume(site, secret + "x", now=NOW) is None
    assert secret.encode() not in (site.data / "site.db").read_bytes()
    assert sessions.resume(site, sessions.digest_of(secret), now=NOW) is None


def test_a_session_ends_by_age_and_by_idleness(site, ada):
    """Two hours without a use, twelve in all."""
    secret = sessions.begin(site, ada.id, now=NOW)
    assert sessions.resume(site, secret, now=NOW + 2 * HOUR + 1) is None
    for hours in range(1, 12):
        assert sessions.resume(site, secret, now=NOW + hours * HOUR)

    assert sessions.resume(site, secret, now=NOW + 12 * HOUR + 1) is None


def test_what_is_over_is_swept_away(site, ada):
    """By the next one that begins."""
    sessions.begin(site, ada.id, now=NOW)
    sessions.begin(site, ada.id, now=NOW + 13 * HOUR)
    with site.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(SessionRow)) == 1


def test_a_session_is_ended_by_its_owner_and_by_nobody_else(site, ada):
    """By the handle that the account's page shows."""
    otto = accounts.create_account(site, "otto", "correct horse battery", "viewer")
    secret = sessions.begin(site, ada.id, now=NOW, address="10.0.0.1", browser="Lynx")
    (shown,) = sessions.list_sessions(site, ada.id, now=NOW)

    assert (shown.address, shown.browser) == ("10.0.0.1", "Lynx")
    with pytest.raises(NotFound):
        sessions.end_one(site, otto.id, shown.handle)
    sessions.end_one(site, ada.id, shown.handle)
    assert sessions.resume(site, secret, now=NOW) is None


def test_a_new_password_signs_out_everywhere_else(site, ada):
    """Whoever knew the old one is out; who changed it stays."""
    mine, other = (sessions.begin(site, ada.id, now=NOW) for _ in range(2))
    accounts.set_password(
        site, "ada", "another horse battery", keep_session=sessions.digest_of(mine)
    )

    assert sessions.resume(site, mine, now=NOW)
    assert sessions.resume(site, other, now=NOW) is None
