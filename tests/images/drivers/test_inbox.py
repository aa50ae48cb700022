"""netboot.images.drivers.inbox: what a Windows PE drives by itself."""

import pytest

from netboot.formats.inf.inf import parse
from netboot.images.architecture import Architecture
from netboot.images.coverage import ImageDrivers, Machine, Status
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import DriverKind
from netboot.images.drivers.inbox import inside, read_inbox
from netboot.images.drivers.matching import DriverIndex
from tests.images.drivers.packages import DISPLAY, SCSI, inf_text

NIC = "PCI\\VEN_8086&DEV_10D3"


def read(text, *, architecture=Architecture.X64, build=22621, programs=frozenset({"acme.sys"})):
    return read_inbox(
        parse(text.encode()), "acme.inf", architecture=architecture, build=build, programs=programs
    )


def test_an_inf_with_its_program_drives_its_devices():
    """Its ids and its class are kept."""
    found = read(inf_text())
    (driver,) = inside((found,), Architecture.X64)

    assert (found.hardware_ids, driver.kind) == ((NIC,), DriverKind.NETWORK)
    assert driver.digest == "inbox:acme.inf"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (inf_text(), {"programs": frozenset()}),
        (inf_text(), {"architecture": Architecture.ARM64}),
        (inf_text(kind=DISPLAY), {}),
        (inf_text(targets=("NTamd64.10.0...26100",)), {}),
        ('[Version]\nSignature="$Windows NT$"\n', {}),
    ],
)
def test_what_drives_nothing_there_is_not_counted(text, more):
    """Without its program, for another processor or Windows, or for neither network nor disk."""
    assert read(text, **more) is None


def test_a_newer_image_counts_what_an_older_one_does_not():
    """An INF may speak to some Windows builds only."""
    assert read(inf_text(targets=("NTamd64.10.0...26100",)), build=26100).hardware_ids == (NIC,)
    assert read(inf_text(targets=("NTamd64.10.0...26100",)), build=0).hardware_ids == (NIC,)


def test_a_machine_is_covered_by_what_the_image_brings_along():
    """A driver is not asked for where Windows PE has one."""
    own = inside(
        (read(inf_text()), read(inf_text(ids=("PCI\\CC_0106",), kind=SCSI))), Architecture.X64
    )
    machine = Machine("pc", (Device("8086", "10D3"), Device("8086", "2922", class_code="010601")))
    (found,) = ImageDrivers((), DriverIndex(own), Architecture.X64).cover([machine]).machines

    assert (found.network, found.storage, found.lacking) == (Status.COVERED, Status.COVERED, ())
