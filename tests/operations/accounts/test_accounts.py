import pytest

from netboot.errors import AlreadyExists, InvalidInput, OperatorFault
from netboot.operations.accounts import accounts

PASSWORD = "correct horse battery"


def test_the_first_administrator_needs_the_token_of_the_console(site):
    """A wrong token makes nobody; the right one makes an administrator, once."""
    token = accounts.issue_setup_token(site)

    assert accounts.setup_needed(site) is True
    with pytest.raises(InvalidInput, match="not this site's setup token"):
        accounts.create_first_administrator(site, "guess", "ada", PASSWORD)
    made = accounts.create_first_administrator(site, token, "ada", PASSWORD)
    assert (made.name, made.role) == ("ada", "admin")
    assert accounts.setup_needed(site) is False
    with pytest.raises(InvalidInput):
        accounts.create_first_administrator(site, token, "eve", PASSWORD)
    with pytest.raises(OperatorFault, match="administrator already"):
        accounts.issue_setup_token(site)


def test_a_newer_token_replaces_the_older(site):
    """After a restart only the token shown last is good."""
    old, new = accounts.issue_setup_token(site), accounts.issue_setup_token(site)

    with pytest.raises(InvalidInput):
        accounts.create_first_administrator(site, old, "ada", PASSWORD)
    assert accounts.create_first_administrator(site, new, "ada", PASSWORD).name == "ada"


def test_name_and_password_must_fit(site):
    """Only the right pair signs in; an unknown name is refused alike."""
    accounts.create_account(site, "ada", PASSWORD, "operator")

    assert accounts.authenticate(site, "ada", PASSWORD).role == "operator"
    assert accounts.authenticate(site, "ada", "wrong password") is None
    assert accounts.authenticate(site, "nobody", PASSWORD) is None


@pytest.mark.sqlite
def test_passwords_are_not_stored(site):
    """The database file holds neither the password nor the token."""
    token = accounts.issue_setup_token(site)
    accounts.create_first_administrator(site, token, "ada", PASSWORD)
    site.database.close()

    data = b"".join(path.read_bytes() for path in site.data.glob("site.db*"))
    assert PASSWORD.encode() not in data
    assert token.encode() not in data


def test_weak_or_odd_accounts_are_refused(site):
    """Short passwords, empty names, unknown roles and taken names each say what is wrong."""
    accounts.create_account(site, "ada", PASSWORD, "viewer")

    with pytest.raises(InvalidInput, match="at least 10"):
        accounts.create_account(site, "bob", "short", "viewer")
    with pytest.raises(InvalidInput, match="name"):
        accounts.create_account(site, " ", PASSWORD, "viewer")
    with pytest.raises(InvalidInput, match="no role"):
        accounts.create_account(site, "bob", PASSWORD, "king")
    with pytest.raises(AlreadyExists):
        accounts.create_account(site, "ada", PASSWORD, "viewer")


def test_a_password_can_be_replaced(site):
    """The old one stops working."""
    accounts.create_account(site, "ada", PASSWORD, "viewer")
    accounts.set_password(site, "ada", "another password")

    assert accounts.authenticate(site, "ada", PASSWORD) is None
    assert accounts.authenticate(site, "ada", "another password") is not None
