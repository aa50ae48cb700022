"""What is stored in rows is tested on both kinds of database."""

import pytest


@pytest.fixture
def site(any_site):
    """A new, empty site on each kind of database."""
    return any_site
