"""The customisation of a boot image on its page."""

import html
import re

import pytest

from netboot.operations.images import images
from netboot.store.images.rows import find_image
from tests.samples.pictures import jpeg
from tests.web.conftest import htmx
from tests.web.support.uploading import send

PAGE = "/images/windows-pe-11"
USUAL = {
    "scratch_space_mb": "0",
    "menu_seconds": "0",
    "tftp_block_size": "1456",
    "tftp_window_size": "4",
}


@pytest.fixture
def operator(furnished, make_client):
    """An operator, and an image that takes every property."""
    with furnished.database.writing() as session:
        row = find_image(session, "windows-pe-11")
        row.facts = {**row.facts, "hives": ["DEFAULT", "SYSTEM"], "has_background": True}
    return make_client(furnished, "operator")


def now(site):
    return images.get_image(site, "windows-pe-11")


def test_properties_are_saved_and_shown(furnished, operator):
    """All of the form at once; the page shows them again."""
    form = {
        **USUAL,
        "row_version": now(furnished).row_version,
        "scratch_space_mb": "512",
        "prestart_command": r"%SystemRoot%\Prestart\ask.cmd",
        "command_shell": "yes",
        "keyboard": "00000407",
        "locale": "de-DE",
        "menu_seconds": "30",
    }
    response = operator.post(f"{PAGE}/properties", data=form)

    assert response.status_code == 303
    found = now(furnished).properties
    assert (
        found.scratch_space_mb,
        found.command_shell,
        found.keyboard,
        found.locale,
        found.menu_seconds,
    ) == (512, True, "00000407", "de-DE", 30)
    text = operator.get(f"{PAGE}/customisation").text
    assert re.search(r'<option value="512" selected>', text)
    assert "ask.cmd" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scratch_space_mb": "77"}, "cannot be 77 MB"),
        ({"keyboard": "german"}, "keyboard layout"),
        ({"tftp_block_size": "many"}, "is not a number"),
        ({"tftp_block_size": "8"}, "between 512 and 65464"),
        ({"prestart_command": "ä"}, "batch file"),
        ({"row_version": "0", "locale": "de-DE"}, "another user changed"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(furnished, operator, change, words):
    """The message comes back beside what was typed, and nothing changes."""
    before = now(furnished)
    form = {**USUAL, "row_version": before.row_version, **change}
    response = operator.post(f"{PAGE}/properties", data=form, headers=htmx())

    assert response.status_code in {400, 412}
    assert words.lower() in response.text.lower()
    assert before == now(furnished)


def test_what_the_image_cannot_take_is_closed_on_the_page(furnished, operator):
    """With the reason beside it."""
    with furnished.database.writing() as session:
        row = find_image(session, "windows-pe-11")
        row.facts = {**row.facts, "hives": []}
    text = operator.get(f"{PAGE}/customisation").text

    assert re.search(r'id="scratch"[^>]* disabled', text)
    assert "the SYSTEM hive of this image cannot be read" in text
    assert "the DEFAULT hive of this image cannot be read" in text


def test_version_and_comment_are_saved(furnished, operator):
    """The image's head shows the version from then on."""
    form = {"row_version": now(furnished).row_version, "version_label": "24H2", "comment": "new"}
    operator.post(f"{PAGE}/details", data=form)

    assert (now(furnished).version_label, now(furnished).comment) == ("24H2", "new")
    assert "24H2" in operator.get(PAGE).text


@pytest.mark.parametrize(
    ("wanted", "data", "found"),
    [
        (("prestart", ""), b"echo", "/Windows/Prestart/file.bin"),
        (("extra", "/Tools/"), b"tool", "/Tools/file.bin"),
        (("background", ""), jpeg(640, 480), "custom,"),
    ],
)
def test_a_file_is_put_in_and_taken_out(furnished, operator, wanted, data, found):
    """It comes by the same upload as a WIM, and nothing of the upload is left."""
    purpose, target = wanted
    form = {
        "row_version": now(furnished).row_version,
        "upload": send(operator, "file.bin", data),
        "purpose": purpose,
        "target": target,
    }
    assert operator.post(f"{PAGE}/files/add", data=form).status_code == 303
    assert found in operator.get(f"{PAGE}/customisation").text
    assert list((furnished.data / "uploads").iterdir()) == []
    gone = {"purpose": "background" if purpose == "background" else "extra", "target": found}
    assert operator.post(f"{PAGE}/files/remove", data=gone).status_code == 303
    assert found not in operator.get(f"{PAGE}/customisation").text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"purpose": "background"}, "Windows PE shows JPEG pictures only"),
        ({"purpose": "boot_sdi"}, "cannot be boot.sdi"),
        ({"purpose": "extra"}, "enter the path of the file in the image"),
        ({"purpose": "extra", "target": "/Windows/System32/startnet.cmd"}, "by netboot itself"),
        ({"purpose": "virus"}, "select the purpose of the file"),
        ({"purpose": "extra", "target": "/a", "upload": "none"}, "No file was uploaded"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(furnished, operator, form, words):
    """The upload stays, so that the form can be sent again with another purpose."""
    upload = send(operator, "file.bin", b"some bytes")
    form = {"upload": upload, "row_version": now(furnished).row_version, **form}
    response = operator.post(f"{PAGE}/files/add", data=form, headers=htmx())

    assert response.status_code == 400
    assert words.lower() in response.text.lower()
    assert (furnished.data / "uploads" / upload).is_dir()


def test_a_file_that_is_not_there_cannot_be_removed(operator):
    """Nor one that nobody names."""
    gone = {"purpose": "extra", "target": "/nowhere"}
    assert operator.post(f"{PAGE}/files/remove", data=gone, headers=htmx()).status_code == 404
    for purpose in ("", "prestart"):
        data = {"purpose": purpose}
        assert operator.post(f"{PAGE}/files/remove", data=data, headers=htmx()).status_code == 400


def test_an_image_is_renamed_on_its_page(furnished, operator):
    """The answer leads to its new address, and the old one still finds it."""
    seen = now(furnished)
    form = {"row_version": seen.row_version, "name": "Windows PE, autumn", "comment": ""}
    answer = operator.post(f"{PAGE}/details", data=form)

    assert answer.headers["Location"].endswith("/images/windows-pe-autumn/customisation")
    assert "Windows PE, autumn" in operator.get("/images/windows-pe-autumn").text
    assert "Windows PE, autumn" in operator.get(PAGE).text
    late = operator.post(f"{PAGE}/details", data=form | {"name": "Windows PE, winter"})
    assert late.status_code == 412
    twin = {"row_version": now(furnished).row_version, "name": "Lab PE x64"}
    assert operator.post(f"{PAGE}/details", data=twin).status_code == 409


def test_the_page_says_which_loaders_there_are_and_what_they_are_for(furnished, operator):
    """What the image does not hold cannot be chosen, and is refused when sent all the same."""
    with furnished.database.writing() as session:
        row = find_image(session, "windows-pe-11")
        file = {"name": "bootmgfw.efi", "path": "/x", "size": 1, "sha1": "0" * 40, "signer": "2011"}
        row.facts = {**row.facts, "boot_files": [file]}
    text = operator.get(f"{PAGE}/customisation").text
    assert re.search(r'<option value="2011">2011: signed by Microsoft Windows Production', text)
    assert re.search(r'<option value="2023" disabled>', text)
    assert "Get-SecureBootUEFI db" in text
    form = {"row_version": now(furnished).row_version, "uefi_authority": "2023"}
    refused = operator.post(f"{PAGE}/properties", data=form)

    assert refused.status_code == 400
    assert "signed by Windows UEFI CA 2023. Available: 2011" in refused.text
    operator.post(f"{PAGE}/properties", data=form | {"uefi_authority": "2011"})
    assert now(furnished).properties.uefi_authority == "2011"


def form_of(page, address):
    """The fields of the form that posts to this address, as a browser would send them."""
    inside = page.split(f'action="{address}"')[1].split("</form>")[0]
    fields = dict(re.findall(r'<input[^>]* name="([^"]*)" value="([^"]*)"', inside))
    fields |= dict(re.findall(r'<input[^>]* id="[^"]*" name="([^"]*)" value="([^"]*)"', inside))
    for name, options in re.findall(
        r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', inside, re.DOTALL
    ):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else re.search(r'value="([^"]*)"', options)[1]
    fields.pop("command_shell", None)
    return {name: html.unescape(value) for name, value in fields.items()}


def test_two_people_who_change_different_properties_both_succeed(furnished, operator):
    """The second form keeps what the first one changed, and says so."""
    page = operator.get(f"{PAGE}/customisation").text
    first, second = (form_of(page, f"{PAGE}/properties") for _ in range(2))
    operator.post(f"{PAGE}/properties", data={**first, "locale": "de-DE", "command_shell": "yes"})
    answer = operator.post(f"{PAGE}/properties", data={**second, "menu_seconds": "30"})

    assert answer.status_code == 303
    found = now(furnished).properties
    assert (found.locale, found.command_shell, found.menu_seconds) == ("de-DE", True, 30)
    said = operator.get(answer.headers["Location"]).text
    assert "kept: " in said
    assert "Locale" in said.split("kept: ")[1].split("<")[0]


def test_only_what_both_changed_has_to_be_chosen(furnished, operator):
    """The rest of the second form is not lost, whatever is chosen."""
    page = operator.get(f"{PAGE}/customisation").text
    first, second = (form_of(page, f"{PAGE}/properties") for _ in range(2))
    operator.post(f"{PAGE}/properties", data={**first, "locale": "de-DE"})
    mine = {**second, "locale": "fr-FR", "menu_seconds": "30"}
    late = operator.post(f"{PAGE}/properties", data=mine, headers=htmx())
    assert late.status_code == 412
    assert set(re.findall(r'type="radio" name="([^"]*)"', late.text)) == {"locale"}
    again = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', late.text))
    operator.post(f"{PAGE}/properties", data={**again, "locale": "fr-FR"})

    found = now(furnished).properties
    assert (found.locale, found.menu_seconds) == ("fr-FR", 30)


def test_a_picture_that_another_user_replaced_is_not_replaced_unseen(furnished, operator):
    """Sending it again replaces it; files beside it are no conflict."""
    page = operator.get(f"{PAGE}/customisation").text
    seen = form_of(page, f"{PAGE}/files/add")
    picture = {**seen, "purpose": "background"}
    first = {**picture, "upload": send(operator, "first.jpg", jpeg(8, 8))}
    mine = {**picture, "upload": send(operator, "mine.jpg", jpeg(9, 9))}
    assert operator.post(f"{PAGE}/files/add", data=first).status_code == 303
    theirs = now(furnished).properties.background
    late = operator.post(f"{PAGE}/files/add", data=mine, headers=htmx())

    assert late.status_code == 412
    assert theirs == now(furnished).properties.background
    again = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', late.text))
    assert operator.post(f"{PAGE}/files/add", data=again).status_code == 303
    assert theirs != now(furnished).properties.background
