"""Known pairs on pages: told where they matter, noted and forgotten by operators."""

import pytest

from netboot.operations.drivers import known_pairs
from netboot.operations.images import images
from tests.web.conftest import htmx
from tests.web.support import seeding

FORM = {
    "trouble": "apart",
    "first_inf": "e1000.inf",
    "second_inf": "netkvm.inf",
    "reason": "Both take the card.",
    "source": "https://tickets.example/17 of May",
}


def page_of(driver):
    return f"/drivers/{driver.digest.removeprefix('sha256:')}"


def test_the_table_is_shown_with_reasons_and_addresses(shared_site, make_client):
    """To everybody; only operators may add."""
    text = make_client(shared_site, "viewer").get("/drivers/pairs/").text

    assert "Load iaStorAC.inf" not in text  # the rule is told in columns
    assert "iaStorVD.inf" in text
    assert 'href="https://github.com/ipxe/ipxe/issues/1696"' in text
    assert "Add conflict" not in text
    assert "Add conflict" in make_client(shared_site, "operator").get("/drivers/pairs/").text


def test_a_pair_is_noted_shown_and_forgotten(furnished, make_client):
    """Its source as a link; the driver's page leads to the form with its own name in it."""
    operator = make_client(furnished, "operator")
    assert operator.post("/drivers/pairs/", data=FORM).status_code == 303

    text = operator.get("/drivers/pairs/").text
    assert "Both take the card." in text
    assert 'href="https://tickets.example/17"' in text
    assert ">custom<" in text
    filled = operator.get("/drivers/pairs/?first=e1000.inf&provider=Intel").text
    assert 'value="e1000.inf"' in filled
    assert operator.post("/drivers/pairs/own-1/remove").status_code == 303
    assert "Both take the card." not in operator.get("/drivers/pairs/").text


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"trouble": "maybe"}, 400),
        ({"reason": " "}, 400),
        ({"first_inf": "*"}, 400),
        ({"second_since": "new"}, 400),
    ],
)
def test_a_pair_that_says_nothing_is_told(furnished, make_client, change, status):
    """And nothing is noted."""
    operator = make_client(furnished, "operator")
    before = known_pairs.list_pairs(furnished)

    answer = operator.post("/drivers/pairs/", data={**FORM, **change}, headers=htmx())
    assert status == answer.status_code
    assert before == known_pairs.list_pairs(furnished)


def test_viewers_note_nothing(furnished, make_client):
    """It is for operators."""
    viewer = make_client(furnished, "viewer")

    assert viewer.post("/drivers/pairs/", data=FORM).status_code == 403
    assert make_client(furnished, "operator").post("/drivers/pairs/own-7/remove").status_code == 404


def test_a_pair_is_told_on_the_pages_where_it_matters(furnished, make_client, tmp_path):
    """Of both drivers, of the image that holds them, and among all conflicts."""
    operator = make_client(furnished, "operator")
    netkvm = seeding.add_driver(
        furnished, tmp_path, "netkvm2", ids=("PCI\\VEN_1AF4&DEV_1000",), enabled=True
    )
    operator.post("/drivers/pairs/", data={**FORM, "second_inf": "netkvm2.inf"})

    assert "Both take the card." in operator.get(page_of(netkvm)).text
    seeding.compute(furnished)
    assert "Both take the card." in operator.get("/drivers/conflicts").text
    assert "Enabled drivers with known conflicts" in operator.get("/drivers/").text
    assert "Driver conflicts in this boot image" not in operator.get("/images/lab-pe-x64").text
    images.add_driver(furnished, "lab-pe-x64", netkvm.digest)
    text = operator.get("/images/lab-pe-x64").text
    assert "Driver conflicts in this boot image" in text
    assert "Both take the card." in text
    assert "Both take the card." in operator.get("/drivers/conflicts?image=lab-pe-x64").text


def test_drivers_in_the_wrong_order_are_put_right_in_one_click(furnished, make_client, tmp_path):
    """From the image's page."""
    operator = make_client(furnished, "operator")
    late = seeding.add_driver(furnished, tmp_path, "late", ids=("PCI\\VEN_9",), enabled=True)
    images.add_driver(furnished, "lab-pe-x64", late.digest)
    operator.post(
        "/drivers/pairs/",
        data={**FORM, "trouble": "order", "first_inf": "late.inf", "second_inf": "e1000.inf"},
    )
    assert "Fix the order" in operator.get("/images/lab-pe-x64").text
    assert operator.post("/images/lab-pe-x64/drivers/arrange").status_code == 303

    held = [driver.name for driver in images.get_image(furnished, "lab-pe-x64").drivers]
    assert held == ["late", "e1000"]
    assert "Fix the order" not in operator.get("/images/lab-pe-x64").text


def test_several_versions_in_one_image_are_told(furnished, make_client, tmp_path):
    """With the reason, on the image's page and among its conflicts."""
    newer = seeding.add_driver(
        furnished, tmp_path, "e1000", maker="Intel", version="9.0.0.0", enabled=True
    )
    images.add_driver(furnished, "lab-pe-x64", newer.digest)
    viewer = make_client(furnished, "viewer")

    assert "is included in 2 versions" in viewer.get("/images/lab-pe-x64").text
    assert (
        "2 versions of one driver in the same boot image"
        in viewer.get("/drivers/conflicts?image=lab-pe-x64").text
    )
