import pytest

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import (
    COMPONENT_CLASS,
    EXTENSION_CLASS,
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
    return Driver(
        digest="sha256:" + "1" * 64,
        name="e1000",
        inf_name="e1000.inf",
        provider="Lab",
        class_name="Net",
        class_guid=class_guid,
        version="1.0",
        date="",
        architectures=frozenset({Architecture.X64}),
        models=models,
        files=files,
    )


@pytest.mark.parametrize(
    ("class_guid", "kind"),
    [
        (NETWORK_CLASS, DriverKind.NETWORK),
        (f"{{{NETWORK_CLASS.upper()}}}", DriverKind.NETWORK),
        (SCSI_CLASS, DriverKind.STORAGE),
        (HDC_CLASS, DriverKind.STORAGE),
        (SYSTEM_CLASS, DriverKind.SYSTEM),
        ("4d36e968-e325-11ce-bfc1-08002be10318", DriverKind.OTHER),
        (f"{{{EXTENSION_CLASS}}}", DriverKind.EXTENSION),
        (COMPONENT_CLASS.upper(), DriverKind.COMPONENT),
        ("", DriverKind.OTHER),
    ],
)
def test_the_class_says_what_a_driver_is_for(class_guid, kind):
    """With braces or without, in capitals or not; display adapters are neither net nor disk."""
    assert kind is driver(class_guid).kind


def test_every_id_is_named_once_in_the_order_of_the_inf():
    """Hardware ids of a model come before its compatible ids; repetitions are left out."""
    models = (
        Model(Architecture.X64, "first", ("A", "B"), ("C",)),
        Model(Architecture.X86, "second", ("B", "D"), ("C", "E")),
    )

    assert driver(models=models).hardware_ids == ("A", "B", "C", "D", "E")


def test_a_package_is_as_large_as_its_files():
    """Size is the sum of all files, none for a package without any."""
    files = (DriverFile("a.sys", "sha256:1", 70), DriverFile("a.inf", "sha256:2", 7))

    assert (driver(files=files).size, driver().size) == (77, 0)


def test_a_package_comes_in_disabled():
    """Nobody uses a driver that nobody has enabled."""
    assert driver().enabled is False


def test_extensions_and_components_say_what_they_are():
    """The other kinds need no words."""
    silent = {kind for kind in DriverKind if not kind.about}

    assert {kind for kind in DriverKind if kind.drives} == silent
    assert "extension INF" in DriverKind.EXTENSION.about
    assert "software component" in DriverKind.COMPONENT.about
