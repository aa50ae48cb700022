"""Machines on pages: lists by hand, what each gets and why, and what it lacks."""

import io

import pytest

from netboot.boot.told.events import Discovered
from netboot.operations.deployments import deployments as policy
from netboot.operations.machines import machines
from tests.web.conftest import htmx
from tests.web.support import seeding

MAC = "52:54:00:77:00:01"
LSPCI = (
    "00:1f.6 Ethernet controller [0200]: Intel Corporation Ethernet Connection I219"
    " [8086:15be] (rev 11)\n"
)


@pytest.fixture
def known(furnished):
    """A machine that asked for a boot, with a card that no image drives."""
    seeding.tell(
        furnished,
        Discovered(
            at=1.0, mac=MAC, architecture="x64", firmware="uefi", stage="ipxe", nic="1af4:1000"
        ),
    )
    seeding.compute(furnished)
    return furnished


def test_the_list_shows_what_each_machine_will_get(known, make_client):
    """Its image, and whether that has a driver for its card."""
    text = make_client(known, "viewer").get("/machines/").text

    assert MAC in text
    assert "no driver" in text
    assert "would start without a network:" in text
    found = make_client(known, "viewer").get("/machines/?search=1AF4").text
    assert (MAC in found, "52:54:00:aa:bb:cc" in found) == (True, False)


def test_a_machine_shows_its_image_the_reasons_and_the_fix(known, make_client):
    """Before it boots."""
    text = make_client(known, "operator").get(f"/machines/{MAC}").text

    assert "This machine would start without a network" in text
    assert "is the default for x64" in text
    assert "netkvm" in text
    assert "Enable and add" in text


def test_a_machine_may_be_held_against_any_image(known, make_client):
    """Whether it would get it or not."""
    text = make_client(known, "viewer").get(f"/machines/{MAC}?image=windows-pe-11").text

    assert 'Drivers in <a href="/images/windows-pe-11">Windows PE 11</a>' in text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_may_be_uploaded(furnished, make_client, encoding):
    """As PowerShell or lspci write it."""
    data = {"name": "new laptops", "file": (io.BytesIO(LSPCI.encode(encoding)), "devices.txt")}
    response = make_client(furnished, "operator").post("/machines/", data=data)

    assert response.headers["Location"] == "/machines/new%20laptops"
    (device,) = machines.get_machine(furnished, "new laptops").devices
    assert (device.vendor, device.device, device.revision) == ("8086", "15BE", "11")


def test_a_pasted_list_says_what_was_not_understood(furnished, make_client):
    """The rest counts."""
    operator = make_client(furnished, "operator")
    text = operator.post(
        "/machines/",
        data={"name": "pool", "devices": "PCI\\VEN_8086&DEV_15BE\nnot a device 7\n"},
        follow_redirects=True,
    ).text

    assert "pool has 1 device: " in text
    assert "not a device 7" in text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "x", "devices": "hello"}, "The list contains no devices"),
        ({"name": "x", "devices": ""}, "Paste a device list or choose a file"),
        ({"name": "", "devices": LSPCI}, "needs a name"),
        ({"name": "a/b", "devices": LSPCI}, "needs a name"),
        ({"name": "..", "devices": LSPCI}, "needs a name"),
    ],
)
def test_a_list_that_cannot_be_taken_is_told(furnished, make_client, data, words):
    """A message into the dialog; nothing is kept."""
    before = machines.list_machines(furnished)
    response = make_client(furnished, "operator").post("/machines/", data=data, headers=htmx())

    assert response.status_code == 400
    assert words in response.text
    assert before == machines.list_machines(furnished)


def test_a_machine_gets_an_image_of_its_own_and_the_default_again(known, make_client):
    """The page says which it is now."""
    operator = make_client(known, "operator")
    operator.post(f"/machines/{MAC}/image", data={"image": "windows-pe-11"})
    assert [(m.mac, m.image) for m in policy.deployments(known)] == [(MAC, "Windows PE 11")]
    assert "not published here" in operator.get(f"/machines/{MAC}").text

    for _ in range(2):
        assert operator.post(f"/machines/{MAC}/image", data={"image": ""}).status_code == 303
    assert policy.deployments(known) == []


def test_a_forgotten_machine_is_gone_from_the_list(known, make_client):
    """Until it boots again."""
    operator = make_client(known, "operator")
    operator.post(f"/machines/{MAC}/forget")

    assert MAC not in operator.get("/machines/?search=52").text.replace(f"{MAC} forgotten.", "")
    assert operator.get(f"/machines/{MAC}").status_code == 404


def test_many_machines_come_in_pages(site, make_client, monkeypatch):
    """With the search kept."""
    monkeypatch.setattr("web.pages.machines.machines.PAGE_SIZE", 2)
    seeding.add_accounts(site)
    for number in range(5):
        machines.import_devices(site, f"pool {number}", f"PCI\\VEN_8086&DEV_{number:04X}")
    text = make_client(site, "viewer").get("/machines/?search=pool&page=2").text

    assert "5 machines" in text
    assert [n for n in (4, 3, 2, 1, 0) if f"pool {n}</a>" in text] == [2, 1]
    assert "search=pool&amp;page=3" in text


def test_a_machine_is_given_the_loader_that_its_firmware_trusts(known, make_client):
    """And what image and site say again."""
    client = make_client(known, "operator")
    assert "Required boot loader" in client.get(f"/machines/{MAC}").text
    client.post(f"/machines/{MAC}/authority", data={"authority": "2023"})
    assert dict(known.point.load().authorities) == {MAC: "2023"}
    assert '<option value="2023" selected>' in client.get(f"/machines/{MAC}").text
    assert client.post(f"/machines/{MAC}/authority", data={"authority": "x"}).status_code == 400
    client.post(f"/machines/{MAC}/authority", data={"authority": ""})

    assert dict(known.point.load().authorities) == {}
