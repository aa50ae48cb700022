import pytest

from netboot.operations import remembered as facts


@pytest.fixture
def site(any_site):
    return any_site


def test_what_is_remembered_is_recalled(site):
    """A fact outlives the process; a newer one of the same name takes its place."""
    assert facts.recall(site, "colour") is None
    facts.remember(site, "colour", {"is": "blue"})
    facts.remember(site, "colour", {"is": "grün"})

    assert facts.recall(site, "colour") == {"is": "grün"}
    assert facts.recall(site, "size") is None
