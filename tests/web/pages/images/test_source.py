"""The source of a boot image on its page: facts, secrets, and a newer one in its place."""

import pytest

from netboot.daemons import job_handlers
from netboot.operations import jobs
from netboot.operations.images import images
from netboot.operations.images import source as image_source
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.store.content.blobs import hash_file
from netboot.store.images.rows import find_image
from tests.samples.discs import make_iso, make_udf
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.conftest import htmx
from tests.web.support.uploading import send

PAGE = "/images/windows-pe-24h2"
NAME = "Windows PE 24H2"
ANSWERS = b"<unattend><Password><Value>hunter2</Value></Password></unattend>"

pytestmark = pytest.mark.wimlib


class Context:
    """What the worker hands to a handler."""

    def __init__(self, site, job):
        self.site, self.job = site, job

    def progress(self, part, stage):
        assert 0 <= part <= 1
        assert stage

    def check(self):
        pass


def work(site):
    """Do the newest job, as the worker does."""
    job = jobs.list_jobs(site)[0]
    return job_handlers.carry_out(Context(site, job))


@pytest.fixture(scope="module")
def wims(tmp_path_factory):
    """Two sources, the first of them with a password inside."""
    made = []
    for files in ({"/unattend.xml": ANSWERS}, {"/Windows/System32/new.dll": b"new"}):
        folder = tmp_path_factory.mktemp("wim")
        made.append(SyntheticWinPe(files=files).capture(folder))
    return made


@pytest.fixture
def operator(furnished, make_client, wims):
    """An operator, and a real image."""
    images.import_image(furnished, wims[0], name=NAME)
    return make_client(furnished, "operator")


def test_all_that_is_known_of_a_source_is_shown(operator):
    """Architecture, build, edition, boot index, boot files with signer, fonts, start-up."""
    text = operator.get(f"{PAGE}/source").text

    for words in (
        *("x64", "10.0.22621.1", "WindowsPE", "boot index 1", "LZX", "WinPE-WMI-Package"),
        *("bootmgfw.efi", "/Windows/Boot/EFI/bootmgfw.efi", "Fonts/wgl4_boot.ttf", "wpeinit"),
        *("/unattend.xml, line 1", "native, wimboot", "DEFAULT, SOFTWARE, SYSTEM"),
    ):
        assert words in text, words
    assert "hunter2" not in text


def test_what_is_missing_is_named_with_where_to_get_it(furnished, operator):
    """As the import found it."""
    with furnished.database.writing() as session:
        row = find_image(session, NAME)
        lacking = {"name": "boot.sdi", "needed_for": "boot managers", "source": "From media."}
        row.facts = {**row.facts, "missing": [lacking]}
    text = operator.get(f"{PAGE}/source").text

    assert "Needed for boot managers. From media." in text


def test_a_newer_source_is_examined_reported_and_taken(furnished, operator, wims):
    """Upload, job, report, one button; the next version holds the new file."""
    versions.build_version(furnished, NAME)
    form = {"upload": send(operator, "newer.wim", wims[1].read_bytes())}
    assert operator.post(f"{PAGE}/source/examine", data=form).status_code == 303
    assert work(furnished) == {"image": NAME, "conflicts": []}

    text = operator.get(f"{PAGE}/source").text
    assert "newer.wim needs your decision" in text
    assert "/Windows/System32/new.dll" in text
    told = f'A newer source needs your decision. <a href="{PAGE}/source">Review the changes</a>'
    assert told in operator.get(PAGE).text
    form = {"row_version": images.get_image(furnished, NAME).row_version}
    assert operator.post(f"{PAGE}/source/take", data=form).status_code == 303
    view = images.get_image(furnished, NAME)
    assert (view.source_name, view.candidate, view.needs_build) == ("newer.wim", None, True)
    versions.build_version(furnished, NAME)
    change = versions.compare(furnished, NAME, 1, 2)
    assert "/Windows/System32/new.dll" in change.inside.added


def test_a_newer_source_can_be_given_up(furnished, operator, wims):
    """The image keeps the one that it has."""
    image_source.examine_source(furnished, NAME, wims[1])
    assert operator.post(f"{PAGE}/source/give-up").status_code == 303

    assert "needs your decision" not in operator.get(f"{PAGE}/source").text
    response = operator.post(f"{PAGE}/source/take", data={"row_version": 1}, headers=htmx())
    assert response.status_code == 412
    assert "taken or discarded since you opened it" in response.text


def test_a_file_that_is_no_source_fails_the_job(furnished, operator):
    """And nothing of it is left."""
    form = {"upload": send(operator, "notes.wim", b"no WIM at all" * 50)}
    operator.post(f"{PAGE}/source/examine", data=form)

    from netboot.errors import InvalidInput

    with pytest.raises(InvalidInput, match="not a WIM"):
        work(furnished)
    assert None is images.get_image(furnished, NAME).candidate


def test_secrets_are_shown_and_accepted_with_a_reason(furnished, operator):
    """Until then the update is refused; afterwards everybody sees who said so."""
    versions.build_version(furnished, NAME)
    text = operator.get(PAGE).text
    assert "is built but contains secrets, so it is not published" in text
    operator.post(f"{PAGE}/update-distribution-points")

    from netboot.errors import SecretsFound

    with pytest.raises(SecretsFound):
        work(furnished)
    response = operator.post(f"{PAGE}/accept-secrets", data={"reason": " "}, headers=htmx())
    assert response.status_code == 400
    operator.post(f"{PAGE}/accept-secrets", data={"reason": "lab account"})
    assert points.update_distribution_points(furnished, NAME).changed
    assert "otto accepted them" in operator.get(PAGE).text
    assert "lab account" in operator.get(PAGE).text


def test_a_damaged_source_is_an_alarm(furnished, operator):
    """On the overview and on the source's own page."""
    with furnished.database.writing() as session:
        find_image(session, NAME).source_altered_at = 1_700_000_000.0

    for page in (PAGE, f"{PAGE}/source"):
        assert "source file was changed on disk" in operator.get(page).text


@pytest.mark.parametrize("make", [make_iso, make_udf])
def test_an_iso_is_imported_through_the_page(make, furnished, operator, wims, tmp_path):
    """Uploads are for their owner only; the tool that opens them is another user."""
    iso = make(tmp_path, {"sources/boot.wim": wims[1].read_bytes(), "boot/bcd": b"regf"})
    form = {"upload": send(operator, "Win11.iso", iso.read_bytes()), "name": "From a disc"}
    assert operator.post("/images/import", data=form, headers=htmx()).status_code < 400

    work(furnished)

    image = images.get_image(furnished, "From a disc")
    assert image.source_name == "Win11.iso: boot.wim"
    assert hash_file(wims[1]).digest == image.source_digest
