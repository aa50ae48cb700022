"""Sites with something in them, on either database."""

import pytest

from tests.support.kept_sites import keep_something


@pytest.fixture
def kept(any_site, tmp_path):
    """A site with something of everything."""
    keep_something(any_site, tmp_path / "drivers")
    return any_site


@pytest.fixture
def small(site, tmp_path):
    """As `kept`, on SQLite only: where the database makes no difference."""
    keep_something(site, tmp_path / "drivers")
    return site


@pytest.fixture
def store(tmp_path):
    """A folder for backups."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder
