from dataclasses import replace

from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim, recipe
from netboot.images.boot_image.properties import NO_PROPERTIES
from netboot.images.versions.content_version import ContentVersion, DriverInVersion
from netboot.images.versions.pending import pending_changes
from netboot.images.versions.version_change import Change
from tests.samples.drivers import make_driver

ONE, TWO, THREE = ("sha256:" + digit * 64 for digit in "123")


def image(*drivers, **changes):
    made = BootImage("PE", "pe", Architecture.X64, SourceWim(ONE, 9, 1), drivers, NO_PROPERTIES)
    return replace(made, **changes)


def version(of):
    held = tuple(DriverInVersion(one.digest, one.name, one.version) for one in of.drivers)
    return ContentVersion(
        image=of.name, number=1, architecture=of.architecture, recipe_digest=ONE, built_at=0.0,
        files=(), chains=(), drivers=held,
    )  # fmt: skip


def pending(before, after):
    return pending_changes(version(before), recipe(before), after)


def test_an_unchanged_recipe_has_no_pending_changes():
    one = image(make_driver("e1000"))

    assert pending(one, one) == ()


def test_drivers_are_named_with_their_versions():
    """Added, removed, and one that is there in another version."""
    old, other = make_driver("e1000"), make_driver("vioscsi")
    newer = replace(old, digest=THREE, version="9.9")
    added = make_driver("netkvm")
    lines = [change.words for change in pending(image(old, other), image(newer, added))]

    assert lines == [
        f"Driver e1000: {old.version} → 9.9",
        f"Driver added: netkvm {added.version}",
        f"Driver removed: vioscsi {other.version}",
    ]


def test_another_order_of_the_drivers_is_a_change():
    one, two = make_driver("e1000"), make_driver("vioscsi")
    (change,) = pending(image(one, two), image(two, one))

    assert change == Change("Order of the drivers", "e1000, vioscsi", "vioscsi, e1000")


def test_properties_source_and_name_are_lines_of_their_own():
    after = image(
        name="PE 2",
        source=SourceWim(TWO, 9, 2),
        properties=replace(NO_PROPERTIES, scratch_space_mb=512, command_shell=True),
    )
    lines = [change.words for change in pending(image(), after)]

    assert lines == [
        "Scratch space (MB): 512",
        "Command prompt at startup: no → yes",
        "Source: 111111111111, image 1 → 222222222222, image 2",
        "Name: PE → PE 2",
    ]


def test_a_property_that_is_reset_is_shown_as_none():
    before = image(properties=replace(NO_PROPERTIES, locale="de-DE"))
    (change,) = pending(before, image())

    assert change.words == "Locale: de-DE → none"


def test_a_version_of_an_earlier_netboot_has_another_format():
    before = image()
    (change,) = pending_changes(version(before), {**recipe(before), "format": 1}, before)

    assert change.name == "Format of versions"
