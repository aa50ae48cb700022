"""What many tests share: a site of their own, and the Lab PE."""

import pytest

from netboot.site import Site


@pytest.fixture
def site(tmp_path):
    """A new, empty site in a folder of its own."""
    made = Site.open(tmp_path / "data")
    yield made
    if "database" in vars(made):
        made.database.close()
    if "journal" in vars(made):
        made.journal.close()


@pytest.fixture(scope="session")
def lab():
    """The Lab PE's images and driver packages, built once."""
    from vm import labpe

    return labpe.ensure()
