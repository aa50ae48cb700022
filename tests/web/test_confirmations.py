"""Where it hurts, the pages ask first and say what is lost, or offer to take it back."""

import re
from pathlib import Path

import pytest

from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from web.app import create_app

TEMPLATES = Path(__file__).parents[2] / "web/templates"

ASKS = {
    "coverage.remove_unneeded",
    "drivers.delete",
    "drivers.delete_chosen",
    "drivers.disable_chosen",
    "images.delete",
    "images.roll_back",
    "images_custom.remove_file",
    "images_source.give_up",
    "images_source.take",
    "jobs.cancel",
    "machines.forget",
    "known_pairs.remove",
    "own_account.end_session",
    "own_account.revoke_token",
    "points.delete_altered",
    "users.delete",
    "users.set_password",
    "versions.delete_medium",
    "webhooks.delete",
}
"""What loses something: the question names it."""

TYPED = {"images.delete", "wimboot.remove"}
"""What machines get: its name has to be typed."""

TAKEN_BACK = {
    "drivers.disable": "drivers.enable",
    "drivers.enable": "drivers.disable",
    "drivers.set_categories": "drivers.set_categories",
    "images.assign": "images.assign",
    "images.remove_driver": "images.add_driver",
    "images.roll_back": "images.roll_back",
    "images.set_default": "images.set_default",
    "machines.assign": "machines.assign",
    "webhooks.switch": "webhooks.switch",
}
"""What is undone by a button on the next page, and the route that does it."""

HARMLESS = {
    "accounts.setup": "makes the first account",
    "accounts.sign_in": "begins a session",
    "accounts.sign_out": "one signs in again",
    "coverage.fix": "adds; what was added is removed driver by driver",
    "coverage.fix_all": "adds",
    "drivers.add_chosen": "adds",
    "drivers.enable_chosen": "allows; disabling them is beside it",
    "drivers.import_drivers": "adds, not enabled",
    "drivers.sort_chosen": "adds categories, those that are there stay",
    "images.add_driver": "adds",
    "images.arrange_drivers": "puts them in order, loses none",
    "images.build": "adds a version",
    "images.import_image": "adds",
    "images.set_comment": "refused where somebody else changed it",
    "images.update_distribution_points": "the version before stays for Roll back",
    "images_custom.add_curl": "adds; what was added is removed on the page of customisation",
    "images_custom.add_file": "refused where somebody else changed it",
    "images_custom.set_details": "refused where somebody else changed it",
    "images_custom.set_properties": "refused where somebody else changed it",
    "images_source.accept_secrets": "a reason has to be typed",
    "lab_pe.build": "adds",
    "lab_pe.import_file": "adds; all of the file is checked before",
    "settings.back_up": "makes a file, changes nothing",
    "images_source.examine": "the image keeps its source",
    "images_versions.verify": "reads",
    "jobs.dismiss": "the job stays in the list of jobs",
    "jobs.retry": "does again what was asked for",
    "known_pairs.add": "adds",
    "lab.boot": "a test machine keeps nothing",
    "machines.import_devices": "adds",
    "machines.set_authority": "a choice; the same form takes it back",
    "network.check": "asks",
    "network.read_capture": "reads",
    "own_account.create_token": "adds",
    "own_account.set_password": "the old password has to be typed",
    "settings.change": "refused where somebody else changed them; counts from the next start on",
    "uploads.create": "adds",
    "users.change": "refused where somebody else changed it; the same form takes it back",
    "users.create": "adds",
    "users.unlock": "allows to try again",
    "versions.build_media": "adds",
    "versions.make_package": "makes a link that works once",
    "webhooks.create": "adds",
    "webhooks.test": "sends a message",
    "wimboot.supply": "the one before stays where versions hold it",
}


def changing(app):
    """Endpoints of pages that are posted to."""
    return {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods and not rule.endpoint.startswith("api_")
    }


def places(endpoint):
    """Every place in the templates where a form or a button sends to the endpoint."""
    call = re.escape(endpoint)
    found = []
    for path in sorted(TEMPLATES.rglob("*.html")):
        text = path.read_text()
        found += re.findall(
            rf"{{{{ m\.(?:action|form_open)\(url_for\(\"{call}\"(?:[^}}]|}}(?!}}))*}}}}", text
        )
        found += re.findall(rf"<button[^>]*hx-post=\"{{{{ url_for\('{call}'\) }}}}\"[^>]*>", text)
    return found


def test_every_change_asks_is_taken_back_or_harms_nobody(shared_site):
    """A page that is new has to say which."""
    routed = changing(create_app(shared_site))

    assert set() == routed - ASKS - TYPED - set(TAKEN_BACK) - set(HARMLESS)
    assert set() == (ASKS | TYPED | set(TAKEN_BACK) | set(HARMLESS)) - routed
    assert set() == set(HARMLESS) & (ASKS | set(TAKEN_BACK))


@pytest.mark.parametrize("endpoint", sorted(ASKS))
def test_the_question_stands_wherever_the_button_does(endpoint):
    """And it says more than *really?*: it names what, and what becomes of it."""
    found = places(endpoint)

    assert found, "no template sends there"
    for place in found:
        question = re.search(r"confirm=(.*)", place)
        assert question, place
        assert "?" in question[1], place
        assert len(question[1]) > 40, place


@pytest.mark.parametrize("endpoint", sorted(TYPED))
def test_what_machines_get_is_deleted_by_the_one_dialog_that_has_its_name_typed(endpoint):
    call = rf"m\.typed_delete\(url_for\(\"{re.escape(endpoint)}\".*?%}}(.*?){{% endcall %}}"
    texts = "".join(path.read_text() for path in sorted(TEMPLATES.rglob("*.html")))
    (said,) = re.findall(call, texts)
    assert "served" in said


def test_what_can_be_taken_back_says_so(furnished, make_client):
    """The next page has a button, and the button brings back what was."""
    client = make_client(furnished)

    def undo_of(answer):
        page = client.get(answer.headers["Location"]).text
        url, inside = re.findall(
            r'<form[^>]*action="([^"]*)"[^>]*>((?:(?!</form>).)*Undo)', page, re.DOTALL
        )[-1]
        return url, dict(re.findall(r'name="([^"]*)" value="([^"]*)"', inside))

    digest = drivers.get_driver(furnished, "rtl8139").digest
    drivers.set_categories(furnished, digest, ["old"])
    address = f"/drivers/{digest[7:]}/categories"
    url, fields = undo_of(client.post(address, data={"categories": "new"}))
    assert drivers.get_driver(furnished, digest).categories == ("new",)
    client.post(url, data=fields)
    assert drivers.get_driver(furnished, digest).categories == ("old",)

    images.set_default(furnished, "lab-pe-x64")
    others = [
        one
        for one in images.list_images(furnished)
        if one.architecture == "x64" and one.slug != "lab-pe-x64"
    ]
    url, fields = undo_of(client.post(f"/images/{others[0].slug}/default"))
    assert images.get_image(furnished, others[0].slug).is_default
    client.post(url, data=fields)
    assert images.get_image(furnished, "lab-pe-x64").is_default
    assert policy.defaults(furnished)
