"""The coverage of a boot image on pages: what machines lack before they boot, and the fix."""

import pytest
from sqlalchemy import delete

from netboot.boot.told.events import Discovered
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.machines import machines
from netboot.store.database.records import ComputedRow
from tests.web.conftest import htmx
from tests.web.support import seeding

PAGE = "/images/lab-pe-x64/coverage"
MAC = "52:54:00:77:00:01"


@pytest.fixture
def lacking(furnished):
    """A machine that would get the image, with a card that only the catalog has a driver for."""
    seeding.tell(
        furnished,
        Discovered(
            at=1.0, mac=MAC, architecture="x64", firmware="uefi", stage="ipxe", nic="1af4:1000"
        ),
    )
    seeding.compute(furnished)
    return furnished


@pytest.fixture
def current_page(lacking, make_client):
    """`current_page(query)`: the page as an operator sees it once the worker has caught up."""

    def get(query=""):
        seeding.compute(lacking)
        return make_client(lacking, "operator").get(PAGE + query).text

    return get


def test_a_machine_that_lacks_a_driver_is_shown_with_the_driver_that_would_mend_it(
    lacking, make_client
):
    """The machine, its device, the catalog's driver and why it fits."""
    text = make_client(lacking, "operator").get(PAGE).text

    assert MAC in text
    assert "1AF4:1000" in text
    assert "no driver" in text
    assert "netkvm" in text
    assert "Enable and add" in text


def test_one_click_enables_and_adds_the_driver(lacking, make_client, current_page):
    """Afterwards the machine is covered by the recipe, and the page says what comes next."""
    operator = make_client(lacking, "operator")
    digest = drivers.get_driver(lacking, "netkvm").digest
    response = operator.post(f"{PAGE}/fix", data={"driver": digest})

    assert (response.status_code, response.headers["Location"]) == (303, PAGE)
    assert "netkvm" in [d.name for d in images.get_image(lacking, "lab-pe-x64").drivers]
    assert drivers.get_driver(lacking, "netkvm").enabled
    text = current_page()
    assert "Missing drivers" not in text
    assert "This page shows the coverage of the next version" in text
    assert "Missing drivers" not in current_page("?version=served")


def test_all_that_is_lacking_is_added_at_once(lacking, make_client):
    """For all machines that are known, lists by hand included."""
    machines.import_devices(lacking, "servers", "PCI\\VEN_1AF4&DEV_1004&CC_010000")
    operator = make_client(lacking, "operator")
    response = operator.post(f"{PAGE}/fix-all", data={"next": f"{PAGE}?machines=all"})

    assert f"{PAGE}?machines=all" == response.headers["Location"]
    held = {driver.name for driver in images.get_image(lacking, "lab-pe-x64").drivers}
    assert {"e1000", "netkvm", "vioscsi"} == held
    assert (
        "The catalog has no driver that Lab PE x64 lacks"
        in operator.post(f"{PAGE}/fix-all", follow_redirects=True).text
    )


def test_what_nobody_needs_is_named_and_taken_out(lacking, make_client, current_page):
    """As soon as the cards of all machines are known; until then it may be needed."""
    operator = make_client(lacking, "operator")
    assert "some machines have no known network device" in current_page()
    text = operator.post(f"{PAGE}/remove-unneeded", follow_redirects=True).text
    assert "All drivers may be needed" in text
    for machine in machines.list_machines(lacking):
        machines.import_devices(lacking, machine.key, "1af4:1000:0200")
    assert "no known machines" in current_page()
    operator.post(f"{PAGE}/remove-unneeded")

    assert images.get_image(lacking, "lab-pe-x64").drivers == ()


def test_without_machines_the_page_says_how_one_becomes_known(shared_site, make_client):
    """An image that no known machine would get."""
    text = make_client(shared_site, "viewer").get("/images/windows-pe-11/coverage").text

    assert "No known machines yet" in text


def test_what_has_changed_since_is_told_and_fetched_again(lacking, make_client, current_page):
    """The page shows the result there is, with its time, until the worker has a newer one."""
    policy.deploy(lacking, MAC, "Windows PE 11")
    text = make_client(lacking, "viewer").get(PAGE).text

    assert MAC in text
    assert "Something has changed since" in text
    assert f'hx-get="{PAGE}" hx-trigger="load delay:2s" hx-select="#coverage"' in text
    text = current_page()
    assert "Computed <time" in text
    assert "hx-select" not in text
    assert MAC not in text


def test_before_the_first_result_the_page_asks_again(lacking, make_client, current_page):
    """It computes nothing itself: a large fleet takes a while."""
    with lacking.database.writing() as session:
        session.execute(delete(ComputedRow))
    text = make_client(lacking, "viewer").get(PAGE).text

    assert "Coverage is being computed" in text
    assert 'hx-select="#coverage"' in text
    assert 'aria-label="Network"' in current_page()


def test_a_machine_that_was_forgotten_is_left_out_at_once(lacking, make_client):
    """Its devices are known no more."""
    machines.forget(lacking, MAC)
    page = make_client(lacking, "viewer").get(PAGE)

    assert (page.status_code, MAC in page.text) == (200, False)


@pytest.mark.parametrize("query", ["page=99", "page=x", "machines=nonsense&version=nonsense"])
def test_odd_addresses_show_the_page_all_the_same(lacking, make_client, query):
    """A number too large is the last page."""
    assert MAC in make_client(lacking, "viewer").get(f"{PAGE}?{query}").text


def test_a_driver_that_is_not_there_is_told(lacking, make_client):
    """And nothing is added where none was named."""
    operator = make_client(lacking, "operator")
    gone = operator.post(f"{PAGE}/fix", data={"driver": "sha256:" + "0" * 64}, headers=htmx())
    none = operator.post(f"{PAGE}/fix", headers=htmx())

    assert (gone.status_code, none.status_code) == (404, 400)
    assert [d.name for d in images.get_image(lacking, "lab-pe-x64").drivers] == ["e1000"]


def test_viewers_are_offered_no_fix(lacking, make_client):
    """They see what is lacking, without buttons."""
    text = make_client(lacking, "viewer").get(PAGE).text

    assert "netkvm" in text
    assert "Enable and add" not in text
