"""netboot.store.database.version_listings: the files inside a version's WIM, as a row."""

from netboot.store.database import version_listings
from netboot.store.images.rows import find_image
from tests.web.support.seeding import add_image, add_version

NAME = "Lab PE x64"
FILES = {"/Windows/System32/größe – 画像.dll": "ab" * 20, "/half a pair \ud800": "cd" * 20}


def _id(session):
    return find_image(session, NAME).versions[0].id


def test_a_listing_comes_back_as_it_was_kept(any_site):
    """The newer one takes its place; paths may hold what is no text elsewhere."""
    add_image(any_site, NAME)
    add_version(any_site, NAME)
    with any_site.database.writing() as session:
        version_listings.keep(session, _id(session), {"/old": "00" * 20})
        version_listings.keep(session, _id(session), FILES)

    with any_site.database.transaction() as session:
        number = _id(session)
        assert {number: FILES} == version_listings.find(session, [number, number + 1])


def test_a_listing_goes_with_its_version(any_site):
    """A deleted version leaves no listing behind."""
    add_image(any_site, NAME)
    add_version(any_site, NAME)
    with any_site.database.writing() as session:
        number = _id(session)
        version_listings.keep(session, number, FILES)
    with any_site.database.writing() as session:
        session.delete(find_image(session, NAME))

    with any_site.database.transaction() as session:
        assert version_listings.find(session, [number]) == {}
