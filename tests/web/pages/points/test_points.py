"""Distribution points on pages."""

import pytest

from netboot.operations.accounts import audit
from netboot.operations.points.quarantine import list_altered


def test_each_image_has_its_state_and_the_button_that_mends_it(shared_site, make_client):
    """Only what is out of date has the button, and only for those who may."""
    text = make_client(shared_site, "operator").get("/distribution-points/").text

    assert "This site" in text
    assert text.count('action="/images/lab-pe-x64/update-distribution-points"') == 1
    assert "lab-pe-x86/update-distribution-points" not in text
    assert "Out of date" in text
    assert "Up to date" in text
    assert "It is the default for x64 machines; " in text


@pytest.fixture
def damaged(furnished):
    """Two files of damaged bytes, as the daily check leaves them."""
    for data in (b"one", b"two"):
        furnished.blobs.set_aside(furnished.blobs.add_bytes(data).digest)
    return furnished


def test_damaged_bytes_are_listed_and_only_an_administrator_deletes_them(damaged, make_client):
    """One of them, then all, and it stands in the audit log."""
    admin = make_client(damaged, "admin")
    text = admin.get("/distribution-points/").text
    assert "Quarantined files" in text
    first, second = (one.digest for one in list_altered(damaged))
    operator = make_client(damaged, "operator")
    assert "Quarantined files" in operator.get("/distribution-points/").text
    assert "altered/delete" not in operator.get("/distribution-points/").text
    place = "/distribution-points/altered/delete"
    assert operator.post(place, data={"all": "yes"}).status_code == 403

    assert admin.post(place).status_code == 400
    assert admin.post(place, data={"digest": first}).status_code == 303
    assert [second] == [one.digest for one in list_altered(damaged)]
    assert admin.post(place, data={"all": "yes"}).status_code == 303
    assert "Quarantined files" not in admin.get("/distribution-points/").text
    done = [entry for entry in audit.entries(damaged) if entry.action == "points.delete_altered"]
    assert [{"all": "yes"}, {"digest": first}] == [
        entry.details for entry in done if entry.outcome == audit.DONE
    ]
