"""A machine that lacks a driver is foreseen, mended from its page, and boots online."""

import html
import re

import pytest

from netboot.errors import NotPermitted
from netboot.images.architecture import Architecture
from netboot.images.coverage import Status
from netboot.operations.images import images
from netboot.operations.machines import coverage
from netboot.site import Site
from tests.web.conftest import close, sign_in
from tests.web.support import seeding
from vm import labpe
from vm.machine.firmware import FirmwareKind, find_nic
from vm.machine.spec import MachineSpec
from vm.network.lab_network import Slot
from vm.proof import site_in_lab
from vm.testrun import try_boot
from vm.verdict import Result
from web.app import create_app

pytestmark = [pytest.mark.vm, pytest.mark.netns, pytest.mark.timeout(600)]

NAME = "Lab PE x64"
# What Windows' Device Manager would show of QEMU's "PC": its card, its bus and its disk.
DEVICES = r"""
PCI\VEN_8086&DEV_100E&SUBSYS_11001AF4&REV_03\3&13C0B0C5&0&18
PCI\VEN_8086&DEV_1237&SUBSYS_11001AF4&REV_02\3&13C0B0C5&0&00
PCI\VEN_8086&DEV_7010&SUBSYS_11001AF4&REV_00\3&13C0B0C5&0&09
"""


@pytest.fixture
def lab(tmp_path):
    """A site with the default images, served in a network of its own, and its pages."""
    try:
        with site_in_lab(tmp_path) as laboratory:
            site = Site.open(tmp_path / "data")
            seeding.add_accounts(site)
            yield laboratory, site
            close(site)
    except NotPermitted as refusal:
        pytest.skip(f"{refusal} {refusal.hint}")


@pytest.fixture
def operator(lab):
    """Somebody at the console."""
    app = create_app(lab[1])
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    sign_in(client, lab[1], "operator")
    return client


def boot(laboratory, number):
    spec = MachineSpec(FirmwareKind.BIOS_X64, find_nic("e1000"), Slot(0))
    return try_boot(
        spec,
        laboratory.network,
        laboratory.work / f"boot-{number}",
        reports=laboratory.reports(),
        accelerator=laboratory.accelerator(spec.firmware),
    ).verdict


def offered_fix(page):
    """Where the page's first button to mend something posts to, and what."""
    form = re.search(r'<form method="post" action="([^"]*lab-pe-x64/coverage/fix)".*?</form>', page,
                     re.DOTALL)  # fmt: skip
    fields = re.findall(r'name="(driver|next)" value="([^"]*)"', form[0])
    return form[1], {name: html.unescape(value) for name, value in fields}


def test_a_machine_without_a_driver_is_foreseen_mended_and_boots_online(lab, operator):
    """Told before it boots; offline as told; one click, a build and an update; online."""
    laboratory, site = lab
    administrator, mac = laboratory.site, Slot(0).mac
    for architecture in (Architecture.X64, Architecture.X86):
        folder = labpe.ensure().driver_folder("e1000", architecture)
        administrator.netboot("driver", "import", str(folder))
    machine = f"/machines/{mac}"
    operator.post("/machines/", data={"name": mac, "devices": DEVICES})
    foreseen = operator.get(machine).text
    assert f"With {NAME}, this machine would start without a network" in foreseen
    assert "NO DRIVER" in administrator.netboot("machine", "show", mac)

    verdict = boot(laboratory, 1)
    assert (verdict.result, verdict.missing) == (Result.OFFLINE, "net:8086:100e")

    address, fields = offered_fix(operator.get(machine).text)
    assert machine == operator.post(address, data=fields).headers["Location"]
    assert [driver.name for driver in images.get_image(site, NAME).drivers] == ["e1000"]
    administrator.build(Architecture.X64)
    administrator.update_points(Architecture.X64)
    assert f"With {NAME}, this machine would start with a network" in operator.get(machine).text
    assert Status.COVERED is coverage.outlook(site)[mac].coverage.network

    verdict = boot(laboratory, 2)
    assert (verdict.result, verdict.driver, verdict.version) == (Result.ONLINE, "e1000.inf", 2)
