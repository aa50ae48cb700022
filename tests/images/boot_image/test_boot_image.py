"""Boot images: which drivers may enter, and what identifies a build."""

from dataclasses import replace

import pytest

from netboot.errors import (
    AlreadyExists,
    DriverNotEnabled,
    InvalidInput,
    NotBootCritical,
    NotFound,
    WrongArchitecture,
)
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import (
    SERVICING_FORMAT,
    BootImage,
    SourceWim,
    disabled_drivers,
    recipe,
    recipe_digest,
    slug,
    with_driver,
    without_driver,
)
from netboot.images.boot_image.properties import Properties
from tests.samples.drivers import make_driver

SOURCE = SourceWim("sha256:" + "a" * 64, 1000, 1)
IMAGE = BootImage("Windows PE x64", "windows-pe-x64", Architecture.X64, SOURCE)
NETKVM = make_driver("netkvm")
OTHER_CARD = "PCI\\VEN_8086&DEV_15FB"
VIOSTOR = make_driver("viostor", class_name="SCSIAdapter")


def test_an_enabled_driver_enters():
    """The image holds what was added, in the order in which it was added."""
    image = with_driver(with_driver(IMAGE, NETKVM), VIOSTOR)

    assert image.drivers == (NETKVM, VIOSTOR)
    assert image.holds(NETKVM)
    assert not IMAGE.holds(NETKVM)


def test_a_driver_that_is_not_enabled_stays_out():
    """The refusal names driver and image and says what to do first."""
    with pytest.raises(DriverNotEnabled, match=r"netkvm .* cannot be added to Windows PE") as told:
        with_driver(IMAGE, make_driver("netkvm", enabled=False))

    assert "Enable the driver" in told.value.hint


def test_an_extension_enters_with_the_driver_that_it_adds_to():
    """Alone it only enters where an administrator confirms it."""
    extension = make_driver("netkvmext", class_name="Extension")

    with pytest.raises(NotBootCritical, match="an extension INF, which drives no device") as told:
        with_driver(with_driver(IMAGE, make_driver("e1d", ids=(OTHER_CARD,))), extension)

    assert "Add the driver of the same devices first" in told.value.hint
    assert with_driver(with_driver(IMAGE, NETKVM), extension).drivers == (NETKVM, extension)
    assert with_driver(IMAGE, extension, confirmed=True).drivers == (extension,)


def test_a_software_component_enters_with_a_driver_of_its_provider():
    """Its INF does not say to which device it belongs."""
    component = make_driver("tool", class_name="SoftwareComponent", ids=("SWC\\TOOL",))

    with pytest.raises(NotBootCritical, match="a software component, which drives no device"):
        with_driver(IMAGE, component)

    assert with_driver(with_driver(IMAGE, NETKVM), component).holds(component)


def test_a_driver_of_another_architecture_stays_out():
    """The refusal names both architectures."""
    driver = make_driver("netkvm", architecture=Architecture.X86)

    with pytest.raises(WrongArchitecture, match="is for x86, but Windows PE x64 is x64") as told:
        with_driver(IMAGE, driver)

    assert "x64 build" in told.value.hint


@pytest.mark.parametrize("class_name", ["System", "Display"])
def test_what_is_not_needed_for_booting_wants_a_second_word(class_name: str):
    """Neither network nor storage enters only when confirmed."""
    driver = make_driver("extra", class_name=class_name)

    with pytest.raises(NotBootCritical, match="not a network or storage driver") as told:
        with_driver(IMAGE, driver)

    assert "Confirm" in told.value.hint
    assert with_driver(IMAGE, driver, confirmed=True).holds(driver)


def test_confirming_does_not_excuse_the_rest():
    """A second word is no way around enabling or architecture."""
    with pytest.raises(DriverNotEnabled):
        with_driver(IMAGE, make_driver("a", enabled=False, class_name="System"), confirmed=True)


def test_a_driver_enters_once():
    """The same content twice is AlreadyExists."""
    with pytest.raises(AlreadyExists, match="already contains"):
        with_driver(with_driver(IMAGE, NETKVM), NETKVM)


def test_a_driver_leaves():
    """Without the driver the image is what it was."""
    assert without_driver(with_driver(IMAGE, NETKVM), NETKVM.digest) == IMAGE


def test_what_is_not_there_cannot_leave():
    """Removing an unknown driver is NotFound."""
    with pytest.raises(NotFound):
        without_driver(IMAGE, NETKVM.digest)


def test_an_image_tells_of_drivers_disabled_since():
    """Drivers are enabled when they are added, but may be disabled later."""
    disabled = replace(NETKVM, enabled=False)
    image = with_driver(IMAGE, NETKVM)

    assert not disabled_drivers(image)
    assert (disabled,) == disabled_drivers(replace(image, drivers=(disabled,)))


def test_a_recipe_is_plain_and_complete():
    """Source, index, drivers in order and properties; nothing that decides no bytes."""
    image = replace(
        with_driver(with_driver(IMAGE, NETKVM), VIOSTOR),
        properties=Properties(scratch_space_mb=512),
        comment="for the lab",
    )

    assert recipe(image) == {
        "format": SERVICING_FORMAT,
        "name": "Windows PE x64",
        "slug": "windows-pe-x64",
        "architecture": "x64",
        "source": {"digest": SOURCE.digest, "index": 1},
        "drivers": [NETKVM.digest, VIOSTOR.digest],
        "properties": {"scratch_space_mb": 512},
    }


def test_equal_recipes_have_equal_digests():
    """Comment and enablement change nothing; drivers, order, source and properties do."""
    image = with_driver(with_driver(IMAGE, NETKVM), VIOSTOR)
    same = [
        replace(image, comment="another"),
        replace(image, drivers=tuple(replace(driver, enabled=False) for driver in image.drivers)),
    ]
    others = [
        IMAGE,
        replace(image, drivers=image.drivers[::-1]),
        replace(image, properties=Properties(command_shell=True)),
        replace(image, source=replace(SOURCE, image_index=2)),
        replace(image, name="Other"),
    ]

    assert {recipe_digest(image)} == {recipe_digest(one) for one in same}
    assert len({recipe_digest(one) for one in (image, *others)}) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": " "},
        {"name": "a\nb"},
        {"name": "n" * 65},
        {"slug": "Not A Slug"},
        {"slug": "../x"},
        {"slug": ""},
        {"comment": "c" * 1025},
    ],
)
def test_names_that_cannot_be_shown_are_refused(change: dict[str, str]):
    """Names and slugs are checked when the value is made."""
    with pytest.raises(InvalidInput):
        replace(IMAGE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Lab PE x64", "lab-pe-x64"),
        ("  Ärger!! 2 ", "rger-2"),
        ("???", "image"),
        ("a" * 99, "a" * 64),
    ],
)
def test_a_slug_can_stand_in_an_address(name: str, expected: str):
    """Lower case letters, digits and dashes are left."""
    assert slug(name) == expected
