import pytest

from netboot.errors import InvalidInput, NotFound, SecretsFound
from netboot.images.media.request import MediaKind, MediaOrder
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.media import media
from netboot.operations.points import points
from netboot.operations.versions import publication_gate as publication
from netboot.operations.versions import versions
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.support.seeding import add_image

NAME = "Windows PE"
ANSWERS = b"<unattend><AutoLogon><Password><Value>hunter2</Value></Password></AutoLogon></unattend>"

pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="module")
def wim(tmp_path_factory):
    files = {"/unattend.xml": ANSWERS}
    return SyntheticWinPe(files=files).capture(tmp_path_factory.mktemp("wim"))


@pytest.fixture
def built(site, wim):
    images.import_image(site, wim, name=NAME)
    versions.build_version(site, NAME)
    return site


def test_secrets_block_publication_until_they_are_accepted_with_a_reason(built):
    """The refusal names the file and never the secret; who accepted it is kept."""
    with pytest.raises(SecretsFound, match=r"/unattend\.xml, line 1: a password") as refusal:
        points.update_distribution_points(built, NAME)
    assert "hunter2" not in str(refusal.value)
    assert "accept-secrets" in refusal.value.hint
    assert None is images.get_image(built, NAME).served_version

    view = publication.accept_secrets(built, NAME, "the lab's account may do nothing", by="ada")
    assert (view.secrets, view.acceptance.by) == ((), "ada")
    assert points.update_distribution_points(built, NAME).changed


def test_secrets_that_come_later_block_it_again(built, tmp_path):
    """What was accepted covers what was known then, and nothing else."""
    publication.accept_secrets(built, NAME, "known", by="ada")
    script = tmp_path / "map.cmd"
    script.write_text("net use Z: \\\\server\\share Secret1 /user:lab\r\n")
    image_properties.add_file(built, NAME, script, "/Tools/map.cmd")
    versions.build_version(built, NAME)

    with pytest.raises(SecretsFound, match=r"/Tools/map\.cmd"):
        points.update_distribution_points(built, NAME)
    assert len(images.get_image(built, NAME).secrets) == 1
    publication.accept_secrets(built, NAME, "known, too", by="ada")
    assert points.update_distribution_points(built, NAME).changed


@pytest.mark.parametrize("reason", ["", "   ", "two\nlines", "x" * 501])
def test_a_reason_is_one_line_that_says_something(site, reason):
    """Nothing is accepted without one."""
    add_image(site, NAME)
    with pytest.raises(InvalidInput, match="give a reason"):
        publication.accept_secrets(site, NAME, reason, by="ada")


def test_where_no_secret_is_there_is_nothing_to_accept(site):
    """An acceptance in advance would cover whatever comes."""
    add_image(site, NAME)
    with pytest.raises(NotFound, match="no secret"):
        publication.accept_secrets(site, NAME, "in advance", by="ada")


def test_no_medium_is_made_of_what_may_not_be_published(built):
    """A stick carries secrets as far as the network does."""
    order = MediaOrder(kind=MediaKind.ISO)

    with pytest.raises(SecretsFound):
        media.ask_media(built, order, [(NAME, 1)])
    with pytest.raises(SecretsFound):
        media.build_media(built, order, [(NAME, 1)])
    publication.accept_secrets(built, NAME, "known", by="ada")
    assert NAME in media.ask_media(built, order, [(NAME, 1)]).title
