"""The driver catalog on pages."""

import pytest
from sqlalchemy import delete

from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.store.database.records import ComputedRow
from tests.web.conftest import htmx
from tests.web.support import seeding


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

    assert "No matching drivers" in text
    assert "Show all drivers" in text


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

    assert (
        "This boot image contains drivers that are disabled in the catalog:"
        in operator.get("/images/lab-pe-x64").text
    )
    assert "1 disabled" in operator.get("/images/").text
    assert "contains disabled drivers:" in operator.get("/").text


def test_a_long_catalog_comes_in_pages(site, make_client, tmp_path, monkeypatch):
    """With the filters kept from page to page."""
    monkeypatch.setattr("web.pages.drivers.drivers.PAGE_SIZE", 2)
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


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("signature=catalog", {"e1000", "netkvm"}, set()),
        ("signature=none", set(), {"e1000"}),
        ("findings=none", set(), {"e1000"}),
        ("category=Lab+3", {"e1000"}, {"netkvm"}),
        ("signature=forged&findings=maybe", {"e1000", "netkvm"}, set()),
    ],
)
def test_more_filters(furnished, make_client, query, shown, hidden):
    """By what vouches for a driver, by doubts and by the operator's own categories."""
    drivers.set_categories(furnished, "e1000", ["Lab 3"])
    text = make_client(furnished, "viewer").get(f"/drivers/?{query}", headers=htmx()).text

    assert {name for name in shown if f"{name}.inf" in text} == shown
    assert not {name for name in hidden if f"{name}.inf" in text}


def test_filters_say_how_many_another_choice_would_show(shared_site, make_client):
    """All other filters staying as they are."""
    text = make_client(shared_site, "viewer").get("/drivers/?architecture=x64").text

    assert "network (2)" in text
    assert "x86 (1)" in text


def test_an_older_version_is_marked_and_leads_to_the_newer(furnished, make_client, tmp_path):
    """In the list, and on its own page."""
    older = drivers.get_driver(furnished, "e1000")
    newer = seeding.add_driver(
        furnished, tmp_path, "e1000", device="Intel PRO/1000", maker="Intel", version="2.0.0.0"
    )
    viewer = make_client(furnished, "viewer")

    assert "older" in viewer.get("/drivers/?search=e1000", headers=htmx()).text
    text = viewer.get(page_of(older)).text
    assert "supports all devices of this driver. Use the newer version" in text
    assert page_of(newer) in text
    assert (
        "supports all devices of this driver. Use the newer version"
        not in viewer.get(page_of(newer)).text
    )


def test_rivals_and_conflicts_are_shown(furnished, make_client, tmp_path):
    """Two makers' drivers for one device: on the driver's page, and among all conflicts."""
    rival = seeding.add_driver(furnished, tmp_path, "pro1000", maker="Acme", enabled=True)
    seeding.compute(furnished)
    viewer = make_client(furnished, "viewer")

    assert "Drivers for the same devices" in viewer.get(page_of(rival)).text
    text = viewer.get("/drivers/conflicts").text
    assert "PCI\\VEN_8086&amp;DEV_100E" in text
    assert page_of(rival) in text
    assert (
        "No two drivers support the same device"
        in viewer.get("/drivers/conflicts?image=lab-pe-x64").text
    )


def test_conflicts_are_shown_as_they_were_computed_last(furnished, make_client, tmp_path):
    """With their time; while they are out of date the page asks again."""
    seeding.add_driver(furnished, tmp_path, "pro1000", maker="Acme", enabled=True)
    viewer = make_client(furnished, "viewer")
    text = viewer.get("/drivers/conflicts").text
    assert "Something has changed since" in text
    assert 'hx-get="/drivers/conflicts"' in text
    assert "pro1000" not in text
    seeding.compute(furnished)

    part = viewer.get("/drivers/conflicts", headers=htmx()).text
    assert "pro1000" in part
    assert "hx-get" not in part
    assert "<html" not in part


def test_before_conflicts_were_ever_computed_the_page_asks_again(furnished, make_client):
    """It computes nothing itself: a large catalog takes a while."""
    with furnished.database.writing() as session:
        session.execute(delete(ComputedRow))
    text = make_client(furnished, "viewer").get("/drivers/conflicts").text

    assert "Conflicts are being computed" in text
    assert 'hx-get="/drivers/conflicts"' in text


def test_categories_are_saved(furnished, make_client):
    """With commas between them; one that is too long is told."""
    operator = make_client(furnished, "operator")
    address = page_of(drivers.get_driver(furnished, "e1000"))
    operator.post(f"{address}/categories", data={"categories": "Lab 3, Laptops, "})

    assert drivers.get_driver(furnished, "e1000").categories == ("Lab 3", "Laptops")
    refused = operator.post(f"{address}/categories", data={"categories": "x" * 50}, headers=htmx())
    assert refused.status_code == 400


def digests(site, *names):
    return [drivers.get_driver(site, name).digest for name in names]


def test_several_drivers_are_enabled_and_disabled_at_once(furnished, make_client, tmp_path):
    """One that lacks its program is told of, and the others are enabled all the same."""
    write = seeding.write_driver(tmp_path / "broken", "broken")
    (write / "broken.sys").unlink()
    driver_import.import_drivers(furnished, write)
    operator = make_client(furnished, "operator")
    chosen = digests(furnished, "netkvm", "broken")
    text = operator.post(
        "/drivers/chosen/enable", data={"driver": chosen}, follow_redirects=True
    ).text

    assert "1 driver is enabled" in text
    assert "broken.sys" in text
    assert tuple(drivers.get_driver(furnished, name).enabled for name in ("netkvm", "broken")) == (
        True,
        False,
    )
    operator.post("/drivers/chosen/disable", data={"driver": digests(furnished, "netkvm", "e1000")})
    assert not drivers.get_driver(furnished, "e1000").enabled


def test_a_set_is_added_whole_and_other_classes_need_a_second_word(furnished, make_client):
    """First nothing is added and the page asks; with the second word all are."""
    operator = make_client(furnished, "operator")
    chosen = {"driver": digests(furnished, "vioscsi", "vga"), "image": "lab-pe-x64"}
    asked = operator.post("/drivers/chosen/add", data=chosen, headers=htmx())

    assert asked.status_code == 409
    assert "Add all 2 anyway" in asked.text
    assert [d.name for d in images.get_image(furnished, "lab-pe-x64").drivers] == ["e1000"]
    operator.post("/drivers/chosen/add", data={**chosen, "confirmed": "yes"})
    assert [driver.name for driver in images.get_image(furnished, "lab-pe-x64").drivers] == [
        "e1000",
        "vioscsi",
        "vga",
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({}, 400),
        ({"driver": ["sha256:" + "0" * 64]}, 400),
        ({"driver": ["sha256:" + "0" * 64], "image": "lab-pe-x64"}, 404),
        ({"driver": ["sha256:" + "0" * 64], "image": "no-such"}, 404),
    ],
)
def test_a_choice_that_means_nothing_is_told(furnished, make_client, data, status):
    """No driver, no image, or one that is gone."""
    operator = make_client(furnished, "operator")

    assert status == operator.post("/drivers/chosen/add", data=data, headers=htmx()).status_code


def test_a_device_is_matched_as_windows_does_it(furnished, make_client, tmp_path):
    """The newer driver first, with the reason; another architecture has none."""
    newer = seeding.add_driver(furnished, tmp_path, "pro1000", maker="Acme", version="9.0.0.0")
    viewer = make_client(furnished, "viewer")
    address = "/drivers/match?device=PCI%5CVEN_8086%26DEV_100E%26SUBSYS_11001AF4"
    text = viewer.get(address).text

    assert text.index(page_of(newer)) < text.index(page_of(drivers.get_driver(furnished, "e1000")))
    assert "a compatible ID of the device, listed as hardware ID in the INF" in text
    assert "No driver for 8086:100E" in viewer.get(f"{address}&architecture=x86").text
    assert viewer.get("/drivers/match?architecture=nonsense").status_code == 200
    assert "The list contains no devices" in viewer.get("/drivers/match?device=hello").text
