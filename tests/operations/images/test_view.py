import pytest

from netboot.errors import NotFound
from netboot.images.architecture import Architecture
from netboot.images.boot_image.secrets import SecretFinding
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.images.view import get_image, list_images
from netboot.site import Site
from netboot.store.images.rows import find_image
from tests.web.support.seeding import add_driver, add_image, add_version

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
    assert (
        view.acceptance.by,
        view.acceptance.at,
        view.acceptance.reason,
    ) == ("ada", 5.0, "lab only")
    with site.database.writing() as session:
        row = find_image(session, NAME)
        row.override = {**row.override, "accepted": [view.secrets[0].sentence]}
    assert view.secrets[1:] == get_image(site, NAME).secrets


def test_a_version_out_of_service_must_be_built_again(site):
    """Its files are named, and the image is altered, not current."""
    with site.database.writing() as session:
        find_image(session, NAME).versions[0].altered = ["boot.wim"]
    view = get_image(site, NAME)

    assert (
        view.altered,
        view.distribution,
        view.needs_build,
    ) == ({1: ("boot.wim",)}, "ALTERED", True)


# --- what is kept is never wrong -------------------------------------------------------------


@pytest.fixture
def lab(any_site, tmp_path):
    """An image with a version and a driver."""
    add_image(any_site, NAME)
    add_version(any_site, NAME)
    driver = add_driver(any_site, tmp_path, enabled=True)
    images.add_driver(any_site, NAME, driver.digest)
    return any_site


@pytest.fixture
def other(lab):
    """Another process's site on the same data folder."""
    made = Site.open(lab.data)
    yield made
    made.database.close()


def edit_comment(site):
    with site.database.writing() as session:
        find_image(session, NAME).comment = "for lecture halls"


CHANGES = {
    "a property": edit_comment,
    "a version": lambda site: add_version(site, NAME),
    "a driver that is disabled": lambda site: drivers.disable_driver(site, "nb1000"),
    "a recipe": lambda site: images.remove_driver(site, NAME, "nb1000"),
    "another default": lambda site: policy.drop(site, NAME),
    "another image": lambda site: add_image(site, "Other PE", Architecture.X86),
    "what is served": lambda site: site.point.update(
        get_image(site, NAME).current, site.blobs, now=1.0
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_view_shows_every_change_at_once(lab, other, change):
    """Also one that another process makes; and both processes see the same."""
    before = (get_image(lab, NAME), list_images(lab))
    assert before == (get_image(lab, NAME), list_images(lab))
    change(other)
    found = (get_image(lab, NAME), list_images(lab))

    assert before != found
    assert found == (get_image(other, NAME), list_images(other))
