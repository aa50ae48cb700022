"""netboot.images.driver: what a driver is for, how large it is, what it claims."""

import pytest

from netboot.images.architecture import Architecture
from netboot.images.driver import (
    HDC_CLASS,
    NETWORK_CLASS,
    SCSI_CLASS,
    SYSTEM_CLASS,
    Driver,
    DriverFile,
    DriverKind,
    Model,
)


def driver(class_guid=NETWORK_CLASS, models=(), files=()):
    return Driver("d", "n", "n.inf", "p", "c", class_guid, "1", "", frozenset(), models, files)


@pytest.mark.parametrize(
    ("class_guid", "kind"),
    [
        (NETWORK_CLASS, DriverKind.NETWORK),
        (f"{{{NETWORK_CLASS.upper()}}}", DriverKind.NETWORK),
        (SCSI_CLASS, DriverKind.STORAGE),
        (HDC_CLASS, DriverKind.STORAGE),
        (SYSTEM_CLASS, DriverKind.SYSTEM),
        ("4d36e968-e325-11ce-bfc1-08002be10318", DriverKind.OTHER),
        ("", DriverKind.OTHER),
    ],
)
def test_the_class_tells_what_a_driver_is_for(class_guid, kind):
    """Braces and case do not matter."""
    assert kind == driver(class_guid).kind


def test_the_size_is_that_of_all_files():
    """A driver weighs what its files weigh together."""
    assert 12 == driver(files=(DriverFile("a", "x", 5), DriverFile("b", "y", 7))).size


def test_ids_are_named_once():
    """Hardware and compatible ids of all models, each once, in the INF's order."""
    one = Model(Architecture.X64, "", ("A", "B"), ("C",))
    two = Model(Architecture.X86, "", ("B",), ("D", "A"))
    assert ("A", "B", "C", "D") == driver(models=(one, two)).hardware_ids
