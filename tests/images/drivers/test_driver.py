from dataclasses import replace

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
    Signature,
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


@pytest.mark.parametrize(
    ("facts", "signature", "statement"),
    [
        (
            {"catalog_file": "a.cat", "catalog_checked": True, "self_signed": True},
            Signature.CATALOG,
            "Signed: the catalog file a.cat matches the driver files.",
        ),
        (
            {"self_signed": True},
            Signature.SELF,
            "Signed: each program has its own signature.",
        ),
        (
            {"self_signed": True, "catalog_file": "a.cat"},
            Signature.SELF,
            (
                "Signed: each program has its own signature. "
                "The catalog file a.cat cannot be used; see the warnings."
            ),
        ),
        (
            {"catalog_file": "a.cat", "catalog_named": "a.cat"},
            Signature.NONE,
            (
                "Not signed: the catalog file a.cat cannot be used; see the warnings. "
                "64-bit Windows rejects it."
            ),
        ),
        (
            {"catalog_named": "a.cat"},
            Signature.NONE,
            (
                "Not signed: the catalog file a.cat, which the INF names, is missing. "
                "64-bit Windows rejects it."
            ),
        ),
        (
            {},
            Signature.NONE,
            "Not signed: the INF names no catalog file. 64-bit Windows rejects it.",
        ),
    ],
)
def test_one_statement_about_the_signature(facts, signature, statement):
    """Whoever asks: pages, API, command line, ranks and builds."""
    one = replace(driver(NETWORK_CLASS), **facts)
    assert (one.signature, one.signed) == (signature, statement)
