"""The driver catalog on pages."""

import pytest

from netboot.operations import drivers
from tests.web import seeding
from tests.web.conftest import htmx


def page_of(driver):
    return f"/drivers/{driver.digest.removeprefix('sha256:')}"


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("search=red+hat", {"vioscsi", "netkvm"}, {"e1000"}),
        ("search=DEV_1041", {"netkvm"}, {"vioscsi"}),
        ("kind=storage", {"vioscsi"}, {"netkvm", "e1000"}),
        ("architecture=x86", {"rtl8139"}, {"e1000"}),
        ("state=disabled", {"netkvm"}, {"e1000"}),
        ("state=enabled&kind=network", {"e1000", "rtl8139"}, {"netkvm", "vioscsi"}),
        ("kind=nonsense&state=maybe", {"e1000", "netkvm", "vioscsi"}, set()),
        ("page=99", {"e1000"}, set()),
        ("page=-1", {"e1000"}, set()),
    ],
)
def test_filters_narrow_the_list(shared_site, make_client, query, shown, hidden):
    """By name, maker, hardware id, kind, architecture and state."""
    text = make_client(shared_site, "viewer").get(f"/drivers/?{query}", headers=htmx()).text

    assert "<html" not in text
    assert {name for name in shown if f"{name}.inf" in text} == shown
    assert not {name for name in hidden if f"{name}.inf" in text}


def test_nothing_found_offers_a_way_back(shared_site, make_client):
    """An empty list says why it is empty."""
    text = make_client(shared_site, "viewer").get("/drivers/?search=nothing-like-it").text

    assert "No driver fits" in text
    assert "Show all" in text


def test_a_driver_shows_its_devices_and_files(shared_site, make_client):
    """Hardware ids, files, and the images that hold it."""
    driver = drivers.get_driver(shared_site, "e1000")
    text = make_client(shared_site, "viewer").get(page_of(driver)).text

    assert "PCI\\VEN_8086&amp;DEV_100E" in text
    assert "e1000.sys" in text
    assert "Lab PE x64" in text


def test_enable_and_disable(furnished, make_client):
    """And back to where the button was."""
    operator = make_client(furnished, "operator")
    driver = drivers.get_driver(furnished, "netkvm")
    response = operator.post(f"{page_of(driver)}/enable", data={"next": "/drivers/?kind=network"})

    assert response.headers["Location"] == "/drivers/?kind=network"
    assert drivers.get_driver(furnished, "netkvm").enabled is True
    response = operator.post(f"{page_of(driver)}/disable", data={"next": "//evil.example"})
    assert response.headers["Location"] == page_of(driver)
    assert drivers.get_driver(furnished, "netkvm").enabled is False


def test_a_driver_in_use_is_not_deleted(furnished, make_client):
    """The message names the image that holds it."""
    admin = make_client(furnished, "admin")
    response = admin.post(
        f"{page_of(drivers.get_driver(furnished, 'e1000'))}/delete", headers=htmx()
    )

    assert response.status_code == 409
    assert "Lab PE x64" in response.text
    free = drivers.get_driver(furnished, "vga")
    assert admin.post(f"{page_of(free)}/delete").status_code == 303
    assert admin.get(page_of(free)).status_code == 404


def test_an_image_says_that_it_holds_a_disabled_driver(furnished, make_client):
    """On its page, in the list, and on the overview."""
    operator = make_client(furnished, "operator")
    operator.post(f"{page_of(drivers.get_driver(furnished, 'e1000'))}/disable")

    assert "were disabled in the catalog since" in operator.get("/images/lab-pe-x64").text
    assert "1 disabled" in operator.get("/images/").text
    assert "holds drivers that were disabled" in operator.get("/").text


def test_a_long_catalog_comes_in_pages(site, make_client, tmp_path, monkeypatch):
    """With the filters kept from page to page."""
    monkeypatch.setattr("web.drivers.PAGE_SIZE", 2)
    seeding.add_accounts(site)
    for number in range(5):
        seeding.add_driver(site, tmp_path, f"driver{number}", ids=(f"PCI\\VEN_{number:04X}",))
    text = make_client(site, "viewer").get("/drivers/?kind=network&page=2").text

    assert "5 drivers" in text
    assert [n for n in range(5) if f"driver{n}.inf" in text] == [2, 3]
    assert "kind=network&amp;page=3" in text


def test_an_address_that_names_no_driver_is_absent(shared_site, make_client):
    """A short or foreign digest finds nothing."""
    client = make_client(shared_site, "viewer")

    assert client.get("/drivers/" + "0" * 64).status_code == 404
    assert client.get("/drivers/zz").status_code == 404
