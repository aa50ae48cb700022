import pytest

from netboot.errors import NotFound
from netboot.images.secrets import SecretFinding
from netboot.operations.image_view import get_image, list_images
from netboot.store.image_rows import find_image
from tests.web.seeding import add_image, add_version

NAME = "Lab PE x64"


@pytest.fixture
def site(site):
    add_image(site, NAME)
    add_version(site, NAME)
    return site


def test_an_image_is_found_by_name_or_slug(site):
    """Both give the same view; the list holds it, too."""
    assert get_image(site, NAME) == get_image(site, "lab-pe-x64") == list_images(site)[0]
    with pytest.raises(NotFound) as refusal:
        get_image(site, "nobody")
    assert NAME in refusal.value.hint


def test_a_version_is_found_by_its_number(site):
    """Or it is None."""
    view = get_image(site, NAME)
    assert (view.current, None) == (view.version(1), view.version(2))


def test_secrets_of_source_and_version_stand_once_and_those_accepted_not_at_all(site):
    """What was accepted with a reason is not shown as open any more."""
    secrets = [{"path": "/a.cmd", "line": n, "kind": "a password"} for n in (1, 2)]
    with site.database.writing() as session:
        row = find_image(session, NAME)
        row.facts = {**row.facts, "secrets": secrets[:1]}
        row.versions[0].secrets = secrets
        row.override = {"accepted": [], "by": "ada", "at": 5.0, "reason": "lab only"}
    view = get_image(site, NAME)
    assert tuple(SecretFinding(**secret) for secret in secrets) == view.secrets
    assert ("ada", 5.0, "lab only") == (
        view.acceptance.by,
        view.acceptance.at,
        view.acceptance.reason,
    )
    with site.database.writing() as session:
        row = find_image(session, NAME)
        row.override = {**row.override, "accepted": [view.secrets[0].sentence]}
    assert view.secrets[1:] == get_image(site, NAME).secrets


def test_a_version_out_of_service_must_be_built_again(site):
    """Its files are named, and the image is altered, not current."""
    with site.database.writing() as session:
        find_image(session, NAME).versions[0].altered = ["boot.wim"]
    view = get_image(site, NAME)

    assert ({1: ("boot.wim",)}, "ALTERED", True) == (
        view.altered,
        view.distribution,
        view.needs_build,
    )
