"""Boot images on pages."""

import re

import pytest

from netboot.operations import jobs
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.images import properties as image_properties
from netboot.operations.images.properties import set_properties
from netboot.operations.points import points
from netboot.store.images.rows import find_image
from tests.web.conftest import htmx
from tests.web.support import seeding
from tests.web.support.seeding import add_image

PAGE = "/images/lab-pe-x64"


@pytest.fixture
def operator(furnished, make_client):
    return make_client(furnished, "operator")


def digest_of(site, name):
    return drivers.get_driver(site, name).digest


def test_the_list_says_what_machines_get_and_what_is_out_of_date(shared_site, make_client):
    """Version, drivers and state of each image."""
    text = make_client(shared_site, "viewer").get("/images/").text

    assert "Out of date" in text
    assert "Up to date" in text
    assert "Not yet distributed" in text
    assert "For production, import a Windows PE boot image" in text


def test_a_lab_image_says_that_it_is_one(shared_site, make_client):
    """Nobody should take it for Windows."""
    client = make_client(shared_site, "viewer")

    assert "import a Windows PE boot image</a>" in client.get(PAGE).text
    assert "import a Windows PE boot image</a>" not in client.get("/images/windows-pe-11").text


@pytest.mark.parametrize(
    ("slug", "button"),
    [
        ("lab-pe-x64", "Update Distribution Points"),
        ("windows-pe-11", "Build version 1"),
        ("lab-pe-x86", "Boot a test machine"),
    ],
)
def test_the_next_step_is_the_main_button(shared_site, make_client, slug, button):
    """Build what is not built, distribute what is built, then try it."""
    text = make_client(shared_site, "operator").get(f"/images/{slug}").text
    card = text.split('aria-label="Boot image state"')[1].split("</section>")[0]

    assert button in card


def test_update_distribution_points_stands_in_the_action_menu(shared_site, make_client):
    """Where administrators know it from."""
    text = make_client(shared_site, "operator").get(PAGE).text
    menu = text.split('class="dropdown-menu dropdown-menu-end">')[2].split("</div>")[0]

    assert "Update Distribution Points" in menu


def test_an_enabled_driver_is_added(furnished, operator):
    """The recipe changes, and the page says that a build is due."""
    response = operator.post(
        f"{PAGE}/drivers/remove", data={"driver": digest_of(furnished, "e1000")}
    )
    assert response.status_code == 303
    response = operator.post(
        f"{PAGE}/drivers/add", data={"driver": digest_of(furnished, "vioscsi")}
    )

    assert response.status_code == 303
    assert [d.name for d in images.get_image(furnished, "lab-pe-x64").drivers] == ["vioscsi"]
    assert "Build a new version" in operator.get(PAGE).text


@pytest.mark.parametrize(
    ("driver", "status", "words"),
    [
        ("netkvm", 409, "enabled"),
        ("rtl8139", 409, "x86"),
        ("e1000", 409, "already"),
    ],
)
def test_a_driver_that_does_not_fit_is_refused_with_the_reason(
    furnished, operator, driver, status, words
):
    """Not enabled, another architecture, there already."""
    before = images.get_image(furnished, "lab-pe-x64")
    response = operator.post(
        f"{PAGE}/drivers/add", data={"driver": digest_of(furnished, driver)}, headers=htmx()
    )

    assert status == response.status_code
    assert words in response.text
    assert before == images.get_image(furnished, "lab-pe-x64")


def test_a_driver_that_boots_nothing_needs_a_second_word(furnished, operator):
    """The refusal carries the button that says it."""
    data = {"driver": digest_of(furnished, "vga")}
    response = operator.post(f"{PAGE}/drivers/add", data=data, headers=htmx())

    assert response.status_code == 409
    assert "Add anyway" in response.text
    assert 'name="confirmed" value="yes"' in response.text
    again = operator.post(f"{PAGE}/drivers/add", data=data | {"confirmed": "yes"}, headers=htmx())
    assert again.status_code == 200
    assert "vga" in {d.name for d in images.get_image(furnished, "lab-pe-x64").drivers}


def test_the_choices_are_drivers_of_the_architecture_that_the_image_lacks(furnished, operator):
    """Found by name, maker or hardware id; those that are not enabled offer to be."""
    everything = operator.get(f"{PAGE}/driver-choices").text
    by_id = operator.get(f"{PAGE}/driver-choices?search=ven_1af4%26dev_1004").text

    assert "vioscsi" in everything
    assert "netkvm" in everything
    assert "rtl8139" not in everything
    assert "e1000" not in everything
    assert "/enable" in everything
    assert "vioscsi" in by_id
    assert "netkvm" not in by_id


def test_build_and_distribution_are_jobs(furnished, operator):
    """The worker does them, the page shows how far they are."""
    images.remove_driver(furnished, "lab-pe-x64", "e1000")
    operator.post(f"{PAGE}/build")
    operator.post(f"{PAGE}/update-distribution-points")
    found = [(job.kind, job.arguments["image"]) for job in jobs.list_jobs(furnished)]

    assert found == [
        ("update_distribution_points", "Lab PE x64"),
        ("build_version", "Lab PE x64"),
    ]
    assert "waiting for the worker" in operator.get(PAGE).text


def test_what_was_never_built_cannot_be_distributed(furnished, operator):
    """And the page says what to do first."""
    response = operator.post("/images/windows-pe-11/update-distribution-points", headers=htmx())

    assert response.status_code == 409
    assert "has no version yet" in response.text
    assert not jobs.list_jobs(furnished)


def test_rolling_back_serves_the_version_before(furnished, operator):
    """Only what the point holds can be served again."""
    import time

    newest = images.get_image(furnished, "lab-pe-x64").current
    furnished.point.update(newest, furnished.blobs, now=time.time())
    assert "Roll back" in operator.get(PAGE).text
    response = operator.post(f"{PAGE}/roll-back", data={"number": "1"})

    assert response.status_code == 303
    assert images.get_image(furnished, "lab-pe-x64").served_version == 1
    assert operator.post(f"{PAGE}/roll-back", data={"number": "77"}).status_code == 404
    assert operator.post(f"{PAGE}/roll-back", data={"number": "x"}).status_code == 400


def test_two_administrators_do_not_overwrite_each_other(furnished, operator):
    """The second one is told, and what is there stays."""
    version = images.get_image(furnished, "lab-pe-x64").row_version
    first = operator.post(f"{PAGE}/comment", data={"comment": "one", "row_version": version})
    second = operator.post(
        f"{PAGE}/comment", data={"comment": "two", "row_version": version}, headers=htmx()
    )

    assert first.status_code == 303
    assert second.status_code == 412
    assert "Current value" in second.text
    assert "another user changed" in second.text.lower()
    assert images.get_image(furnished, "lab-pe-x64").comment == "one"


@pytest.mark.parametrize("chosen", ["one", "two"])
def test_a_conflict_is_settled_by_choosing_a_value(furnished, operator, chosen):
    """The answer is a form with both, which knows the newest version; no reload is needed."""
    seen = images.get_image(furnished, "lab-pe-x64")
    form = {"row_version": seen.row_version, "was.comment": seen.comment}
    operator.post(f"{PAGE}/comment", data={**form, "comment": "one"})
    late = operator.post(f"{PAGE}/comment", data={**form, "comment": "two"}, headers=htmx())
    assert late.status_code == 412
    assert re.findall(r'type="radio" name="comment" value="([^"]*)"', late.text) == ["two", "one"]
    again = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', late.text))
    settled = operator.post(f"{PAGE}/comment", data={**again, "comment": chosen}, headers=htmx())

    assert settled.status_code == 200
    assert images.get_image(furnished, "lab-pe-x64").comment == chosen


def test_a_change_elsewhere_in_the_image_does_not_stop_a_comment(furnished, operator):
    """Only what both changed is a conflict: a driver more is none."""
    seen = images.get_image(furnished, "lab-pe-x64")
    images.remove_driver(furnished, "lab-pe-x64", "e1000")
    form = {"row_version": seen.row_version, "was.comment": seen.comment, "comment": "mine"}

    assert operator.post(f"{PAGE}/comment", data=form).status_code == 303
    assert images.get_image(furnished, "lab-pe-x64").comment == "mine"


def test_deleting_is_for_administrators_and_asks_first(furnished, make_client):
    """The button carries the question."""
    assert "Delete boot image" not in make_client(furnished, "operator").get(PAGE).text
    admin = make_client(furnished, "admin")
    page = "/images/windows-pe-11"
    assert 'hx-confirm="Delete Windows PE 11' in admin.get(page).text
    assert admin.post(f"{page}/delete").status_code == 303
    assert admin.get(page).status_code == 404


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": ""}, "enter a name for the boot image"),
        ({"name": "PE", "architecture": "sparc"}, "unknown architecture"),
        ({"name": "PE", "index": "one"}, "not a number"),
        ({"name": "PE"}, "No file was uploaded"),
        ({"name": "PE", "upload": "../../etc"}, "No file was uploaded"),
    ],
)
def test_an_import_form_that_cannot_be_used_is_refused(furnished, operator, form, words):
    """No job is made of it."""
    response = operator.post("/images/import", data=form, headers=htmx())

    assert response.status_code == 400
    assert words.lower() in response.text.lower()
    assert not jobs.list_jobs(furnished)


def test_the_page_tells_of_the_boot_tests_that_came_up_with_the_image(furnished, make_client):
    """Of this image, not of others; each leads to its story."""
    for image, number in (("Lab PE x64", 1), ("Lab PE x86", 9)):
        job = jobs.submit(furnished, "boot_test_machine", {}, title=f"Test machine: {image}")
        result = {"result": "online", "image": image, "version": number}
        furnished.jobs.finish(job.id, "succeeded", result=result)
    text = make_client(furnished, "viewer").get(PAGE).text
    card = text.split('id="tests-title"')[1].split("</section>")[0]

    assert "v1 " in card
    assert "v9 " not in card
    assert "/jobs/1" in card


@pytest.fixture
def lacking(furnished):
    """An image that should report, but has no curl.exe."""
    image_properties.set_properties(
        furnished, "Windows PE 11", {"report_home": "http://192.0.2.1:8081"}
    )
    with furnished.database.writing() as session:
        row = find_image(session, "Windows PE 11")
        row.facts = {**row.facts, "programs": ["cmd.exe", "drvload.exe", "wpeinit.exe"]}
    return furnished


def test_what_an_image_cannot_do_is_on_its_page(lacking, make_client):
    text = make_client(lacking, "viewer").get("/images/windows-pe-11").text

    assert "cannot do all that its recipe asks for" in text
    assert "cannot report to this site" in text
    assert "Add curl.exe from" not in text  # no other image has it


def test_curl_is_offered_from_an_image_that_has_it(lacking, make_client):
    other = add_image(lacking, "Windows PE 12", is_lab=False)
    with lacking.database.writing() as session:
        row = find_image(session, other.name)
        row.facts = {**row.facts, "programs": ["curl.exe"]}
    text = make_client(lacking, "operator").get("/images/windows-pe-11").text

    assert "Add curl.exe from Windows PE 12" in text
    assert "/images/windows-pe-11/add-curl" in text


def test_curl_that_no_image_has_is_refused_with_a_way_out(lacking, make_client):
    client = make_client(lacking, "operator")
    response = client.post("/images/windows-pe-11/add-curl", headers=htmx())

    assert response.status_code == 404
    assert "netboot image add-file" in response.text


@pytest.fixture
def rescue(furnished):
    """A served image that no machine gets: another one is the default."""
    seeding.add_image(furnished, "Rescue")
    furnished.point.update(seeding.add_version(furnished, "Rescue"), furnished.blobs, now=1.0)
    return furnished


def state_of(client, slug):
    text = client.get(f"/images/{slug}").text
    return text.split('aria-label="Boot image state"')[1].split("</section>")[0]


def test_an_image_that_no_machine_gets_says_so_and_offers_to_change_that(rescue, operator):
    """Served is not the same as used: both ways to give it to machines stand there."""
    card = state_of(operator, "rescue")
    assert "Version 1 is served, but no machine gets it" in card
    assert "Lab PE x64 is the default for x64" in card
    assert 'action="/images/rescue/default"' in card
    assert 'data-bs-target="#assign-image"' in card
    assert "no machine gets it" in operator.get("/images/").text

    operator.post("/images/rescue/default")
    card = state_of(operator, "rescue")
    assert "Version 1 is served and up to date" in card
    assert "It is the default for x64 machines" in card


def test_an_image_is_assigned_from_its_own_page_and_that_is_taken_back(rescue, operator):
    """Addresses in any notation; what the machines had before comes back."""
    macs = {"macs": "52-54-00-12-34-56\n525400aabbcc"}
    answer = operator.post("/images/rescue/assign", data=macs)
    assert {one.mac: one.image for one in policy.deployments(rescue)} == {
        "52:54:00:12:34:56": "Rescue",
        "52:54:00:aa:bb:cc": "Rescue",
    }
    page = operator.get(answer.headers["Location"]).text
    assert "2 machines get Rescue from the next boot on" in page
    assert 'name="withdraw" value="yes"' in page
    assert "It is assigned to 2 machines" in state_of(operator, "rescue")

    operator.post("/images/lab-pe-x64/assign", data=macs)
    operator.post("/images/rescue/assign", data={**macs, "withdraw": "yes"})
    assert {one.image for one in policy.deployments(rescue)} == {"Lab PE x64"}
    operator.post("/images/lab-pe-x64/assign", data={**macs, "withdraw": "yes"})
    assert policy.deployments(rescue) == []


@pytest.mark.parametrize(
    ("macs", "words"),
    [("", "at least one"), ("52:54:00:12:34:56 nonsense", "nonsense"), ("aa " * 501, "too many")],
)
def test_addresses_that_are_none_assign_nothing(rescue, operator, macs, words):
    answer = operator.post("/images/rescue/assign", data={"macs": macs}, headers=htmx())

    assert answer.status_code == 400
    assert words in answer.text
    assert policy.deployments(rescue) == []


def test_pending_changes_are_listed_line_by_line(furnished, operator, tmp_path):
    """On the page, over the API, and nothing once they are built."""
    assert "Pending changes" not in operator.get(PAGE).text
    images.remove_driver(furnished, "lab-pe-x64", "e1000")
    set_properties(furnished, "lab-pe-x64", {"menu_seconds": 30})
    card = state_of(operator, "lab-pe-x64")
    lines = re.findall(r"<li[^>]*>([^<]*)</li>", card)
    assert lines == ["Driver removed: e1000 1.2.3.4", "Boot menu timeout (seconds): 30"]
    answer = operator.get("/api/v1/images/lab-pe-x64/pending-changes").json
    assert [one["words"] for one in answer["items"]] == lines


def test_building_with_nothing_to_build_says_so_and_starts_nothing(furnished, operator):
    answer = operator.post(f"{PAGE}/build")

    assert (
        "Nothing to build: Lab PE x64 v2 already has all changes."
        in operator.get(answer.headers["Location"]).text
    )
    assert not jobs.list_jobs(furnished)


def test_the_notice_of_an_update_follows_the_job_and_offers_to_undo_it(furnished, operator):
    """First its progress, then whom it reaches; live, by the part of the page."""
    answer = operator.post(f"{PAGE}/update-distribution-points")
    job = jobs.list_jobs(furnished)[0]
    page = operator.get(answer.headers["Location"]).text
    notice = page.split('id="live-notice"')[1].split('id="messages"')[0]
    assert "Update Distribution Points with Lab PE x64 v2" in notice
    assert f"notice:{job.id}" in page
    part = f"/live/part?topic=notice:{job.id}"
    assert "waiting for the worker" in operator.get(part).text

    points.update_distribution_points(furnished, "Lab PE x64")
    reach = "It is the default for x64 machines; 2 machines get it."
    result = {"image": "Lab PE x64", "version": 2, "changed": True, "before": 1, "reach": reach}
    furnished.jobs.finish(job.id, "succeeded", result=result)
    done = operator.get(part).text
    assert f"Lab PE x64 v2 is served. {reach}" in done
    assert 'name="number" value="1"' in done
    operator.post(f"{PAGE}/roll-back", data={"number": "1"})
    assert images.get_image(furnished, "lab-pe-x64").served_version == 1


def test_a_job_that_fails_is_no_success_on_the_page_that_started_it(furnished, operator):
    operator.post(f"{PAGE}/update-distribution-points")
    job = jobs.list_jobs(furnished)[0]
    furnished.jobs.finish(job.id, "failed", message="the disk is full\nFree some space.")
    text = operator.get(f"/live/part?topic=notice:{job.id}").text

    assert "alert-danger" in text
    assert "The disk is full" in text


def test_deleting_what_is_served_needs_its_name_typed(furnished, make_client):
    """On the page and over the API; an image that is not served is deleted as before."""
    admin = make_client(furnished, "admin")
    assert 'data-bs-target="#delete-image"' in admin.get(PAGE).text
    for data in ({}, {"typed": "Lab PE"}):
        refused = admin.post(f"{PAGE}/delete", data=data, headers=htmx())
        assert refused.status_code == 400
        assert "Type Lab PE x64." in refused.text
    assert admin.delete("/api/v1/images/lab-pe-x86").status_code == 400
    assert admin.delete("/api/v1/images/lab-pe-x86?name=Lab PE x86").status_code == 204
    assert admin.post(f"{PAGE}/delete", data={"typed": "Lab PE x64"}).status_code == 303
    assert admin.post("/images/windows-pe-11/delete").status_code == 303
    assert images.list_images(furnished) == []


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("lab pe X64", 409, "already"),
        ("Another PE", 200, ""),
        ("", 200, ""),
        ("x" * 80, 409, "64"),
    ],
)
def test_a_taken_name_is_refused_before_anything_is_uploaded(operator, name, status, words):
    answer = operator.get("/images/import/name", query_string={"name": name})

    assert answer.status_code == status
    assert words in answer.text


def test_where_windows_pe_comes_from_is_said(furnished, make_client):
    """Every source, each architecture and all steps; only operators are sent to the import."""
    words = (
        "A Windows ISO",
        "winpe.wim",
        "ConfigMgr",
        "10.1.19041",
        "WinPE-PowerShell",
        "Make default",
    )
    text = make_client(furnished, "viewer").get("/images/import/windows-pe").text
    link = 'href="/images/import"'

    assert [word for word in words if word not in text] == []
    assert link not in text
    assert link in make_client(furnished, "operator").get("/images/import/windows-pe").text


def test_the_page_says_what_the_image_does(furnished, make_client):
    """Of an image with nothing in it."""
    text = make_client(furnished, "viewer").get(PAGE).text
    card = text.partition('id="abilities-title"')[2].partition("</section>")[0]

    assert "no: it lacks pxeboot.n12, bootmgr.exe, boot.sdi" in card
    assert "no: it has no boot manager signed by Windows UEFI CA 2023" in card
    assert "none listed in the image" in card
