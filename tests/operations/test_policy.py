import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.operations import policy


@pytest.mark.parametrize(
    "written",
    [
        "52:54:00:AB:CD:EF",
        "52-54-00-ab-cd-ef",
        "5254.00ab.cdef",
        "525400ABCDEF",
        " 52:54:00:ab:cd:ef",
    ],
)
def test_a_mac_address_may_be_written_as_people_write_it(written):
    """All the usual spellings are one address."""
    assert "52:54:00:ab:cd:ef" == policy.canonical_mac(written)


@pytest.mark.parametrize("written", ["", "52:54:00:ab:cd", "52:54:00:ab:cd:eg", "a" * 500])
def test_what_is_no_mac_address_is_refused_with_an_example(written):
    """The hint shows how one looks."""
    with pytest.raises(InvalidInput) as refusal:
        policy.canonical_mac(written)
    assert "52:54:00:ab:cd:ef" in refusal.value.hint


def test_a_deployment_needs_an_image_that_is_there(site):
    """Nothing is noted for an image that nobody knows."""
    with pytest.raises(NotFound):
        policy.deploy(site, "525400abcdef", "Nobody's image")
    assert [] == policy.deployments(site)


def test_what_was_never_assigned_cannot_be_withdrawn(site):
    """The address is named."""
    with pytest.raises(NotFound, match="52:54:00:ab:cd:ef"):
        policy.withdraw(site, "525400abcdef")
