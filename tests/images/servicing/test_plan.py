"""Plans: which steps a recipe becomes, in which order, and what is refused."""

from dataclasses import replace

import pytest

from netboot.errors import InvalidInput, WrongArchitecture
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim, recipe_digest
from netboot.images.boot_image.description import ImageFacts, ImageInWim
from netboot.images.boot_image.properties import ExtraFile, Properties
from netboot.images.drivers.driver import Driver, DriverFile
from netboot.images.servicing.plan import (
    EPOCH,
    AddFile,
    AddTree,
    PlacedFile,
    RemoveTree,
    SetBootIndex,
    SetRegistry,
    WriteFile,
    load_order,
    plan,
)
from tests.samples.drivers import make_driver

DIGEST = "sha256:" + "c" * 64
NETKVM = make_driver("netkvm")
VIOSTOR = make_driver("viostor", class_name="SCSIAdapter")
CHIPSET = make_driver("Chip Set 2.0", class_name="System")
FACTS = ImageFacts(
    size=1000,
    index=1,
    images=(ImageInWim(1, "PE"),),
    boot_index=1,
    architecture=Architecture.X64,
    compression="LZX",
    version="10.0.22621.1",
    modified_at=1_700_000_000,
    startnet="wpeinit\r\n",
    hives=("DEFAULT", "SOFTWARE", "SYSTEM"),
    has_background=True,
)


def image_of(*drivers: Driver, properties: Properties = Properties()) -> BootImage:  # noqa: B008
    source = SourceWim("sha256:" + "a" * 64, 1000, 1)
    return BootImage("PE x64", "pe-x64", Architecture.X64, source, drivers, properties)


def test_drivers_are_laid_out_in_load_order():
    """Storage before network whatever the recipe's order; folders are numbered."""
    steps = plan(FACTS, image_of(NETKVM, CHIPSET, VIOSTOR), 7).steps

    trees = [step for step in steps if isinstance(step, AddTree)]
    assert [tree.target for tree in trees] == [
        "/Windows/BootDrivers/0001-chip-set-2-0",
        "/Windows/BootDrivers/0002-viostor",
        "/Windows/BootDrivers/0003-netkvm",
    ]
    files = {PlacedFile(file.path, file.digest, file.size) for file in NETKVM.files}
    assert files == set(trees[2].files)


def test_files_for_other_architectures_stay_out():
    """A package may bring three programs; the image gets its own, and what all share."""
    x64, x86 = frozenset({Architecture.X64}), frozenset({Architecture.X86})
    more = (DriverFile("x64/a.sys", DIGEST, 5, x64), DriverFile("x86/a.sys", DIGEST, 7, x86))
    driver = replace(NETKVM, files=(*NETKVM.files, *more))
    (tree,) = [step for step in plan(FACTS, image_of(driver), 1).steps if isinstance(step, AddTree)]

    names = {file.path for file in tree.files}
    assert {*(file.path for file in NETKVM.files), "x64/a.sys"} == names


def test_within_a_kind_the_operators_order_stays():
    """Sorting is by kind only."""
    second = make_driver("e1000")

    assert (VIOSTOR, second, NETKVM) == load_order((second, VIOSTOR, NETKVM))


def test_a_plan_says_who_the_image_is_and_makes_it_bootable():
    """nb-image.ini has name, number and recipe; the last step is the boot index."""
    image = image_of(NETKVM)
    made = plan(FACTS, image, 7)

    ini = next(
        step
        for step in made.steps
        if isinstance(step, WriteFile) and step.target.endswith("nb-image.ini")
    )
    assert ini.data.decode().split("\r\n") == [
        "[netboot]",
        "image=PE x64",
        "slug=pe-x64",
        "version=7",
        f"build={recipe_digest(image)}",
        "",
    ]
    assert SetBootIndex(1) == made.steps[-1]


def test_an_empty_recipe_leaves_the_start_up_alone():
    """Only nb-image.ini and the boot index."""
    kinds = [type(step) for step in plan(FACTS, image_of(), 1).steps]

    assert kinds == [WriteFile, SetBootIndex]


def test_everything_added_bears_the_sources_time():
    """The time is the source's own, so that builds are a function of source and recipe."""
    assert plan(FACTS, image_of(), 1).at == 1_700_000_000
    assert plan(replace(FACTS, modified_at=0), image_of(), 1).at == EPOCH


def test_plans_are_equal_for_equal_input():
    """Planning is a function."""
    assert plan(FACTS, image_of(NETKVM, VIOSTOR), 3) == plan(FACTS, image_of(NETKVM, VIOSTOR), 3)


def test_properties_become_steps():
    """Each property is written where Windows PE reads it."""
    tool = ExtraFile("/Tools/ask.exe", DIGEST, 9)
    properties = Properties(
        scratch_space_mb=512,
        keyboard="00000407",
        locale="de-DE",
        background=DIGEST,
        extra_files=(tool,),
        prestart_command="X:\\Tools\\ask.exe",
        report_home="http://192.0.2.1:8081",
        tftp_block_size=1380,
        tftp_window_size=8,
        menu_seconds=5,
    )

    made = plan(FACTS, image_of(properties=properties), 1, report_token="t")

    registry = [step for step in made.steps if isinstance(step, SetRegistry)]
    fbwf = "CurrentControlSet\\Services\\FBWF"
    locale = ("Control Panel\\International", "LocaleName")
    assert registry == [
        SetRegistry("SYSTEM", fbwf, "WinPECacheThreshold", 4, b"\0\2\0\0"),
        SetRegistry("DEFAULT", "Keyboard Layout\\Preload", "1", 1, "00000407\0".encode("utf-16le")),
        SetRegistry("DEFAULT", *locale, 1, "de-DE\0".encode("utf-16le")),
    ]
    added = [step for step in made.steps if isinstance(step, AddFile)]
    assert added == [
        AddFile("/Windows/System32/winpe.jpg", DIGEST, 0),
        AddFile("/Tools/ask.exe", DIGEST, 9),
    ]
    scripts = {
        step.target.rpartition("/")[2]: step.data.decode()
        for step in made.steps
        if isinstance(step, WriteFile)
    }
    assert "call X:\\Tools\\ask.exe\r\n" in scripts["nb-start.cmd"]
    assert "nb-report.cmd" in scripts["nb-start.cmd"]
    assert "http://192.0.2.1:8081/report/t" in scripts["nb-report.cmd"]
    assert (
        made.settings.block_size,
        made.settings.window_size,
        made.settings.menu_seconds,
    ) == (1380, 8, 5)


def test_drivers_of_an_earlier_build_are_taken_out_first():
    """A WIM that netboot built before starts from its own content, not from old drivers."""
    facts = replace(FACTS, drivers=("/Windows/BootDrivers/0001-old/old.inf",))

    assert RemoveTree("/Windows/BootDrivers") == plan(facts, image_of(NETKVM), 1).steps[0]


@pytest.mark.parametrize(
    ("facts", "image", "reason"),
    [
        (replace(FACTS, index=2), image_of(), "image 2 was examined"),
        (
            replace(FACTS, hives=("DEFAULT",)),
            image_of(properties=Properties(scratch_space_mb=64)),
            "no SYSTEM hive",
        ),
        (
            replace(FACTS, hives=()),
            image_of(properties=Properties(locale="de-DE")),
            "no DEFAULT hive",
        ),
        (
            replace(FACTS, has_background=False),
            image_of(properties=Properties(background=DIGEST)),
            "does not support a background picture",
        ),
        (
            FACTS,
            image_of(properties=Properties(uefi_authority="2023")),
            "signed by Windows UEFI CA 2023. Available",
        ),
        (
            replace(FACTS, setup_path="%SYSTEMDRIVE%\\setup.exe"),
            image_of(properties=Properties(prestart_command="a")),
            "after the network",
        ),
        (
            FACTS,
            image_of(
                properties=Properties(
                    extra_files=(ExtraFile("/windows/system32/STARTNET.cmd", DIGEST, 1),)
                )
            ),
            "written by netboot itself",
        ),
        (
            FACTS,
            image_of(
                properties=Properties(
                    extra_files=(ExtraFile("/Windows/BootDrivers/x.inf", DIGEST, 1),)
                )
            ),
            "written by netboot itself",
        ),
    ],
)
def test_what_the_image_cannot_take_is_refused(facts: ImageFacts, image: BootImage, reason: str):
    """The refusal comes with the plan, before anything is copied."""
    with pytest.raises(InvalidInput, match=reason) as told:
        plan(facts, image, 1)

    assert not str(told.value).endswith(".")


def test_an_image_of_another_architecture_is_refused():
    """The slot's architecture and the source's must agree."""
    with pytest.raises(WrongArchitecture):
        plan(replace(FACTS, architecture=Architecture.X86), image_of(), 1)


def file(path: str) -> DriverFile:
    return DriverFile(path, DIGEST, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inf_name": "nët.inf"}, "batch file"),
        ({"inf_name": 'a".inf'}, "batch file"),
        ({"files": (file("x.sys"),)}, "its own INF"),
        ({"files": (file("netkvm.inf"), file("A.sys"), file("a.sys"))}, "differ only in case"),
        ({"files": (file("netkvm.inf"), file("../../x.sys"))}, "is not a valid Windows name"),
        ({"files": (file("netkvm.inf"), file("d/" * 90 + "x.sys"))}, "not a path in an image"),
    ],
)
def test_packages_that_cannot_be_laid_out_are_refused(change: dict[str, object], reason: str):
    """Names that a batch file or Windows cannot hold never reach an image."""
    driver = replace(NETKVM, **change)  # type: ignore[arg-type]

    with pytest.raises(InvalidInput, match=reason):
        plan(FACTS, image_of(driver), 1)


def test_doubts_about_drivers_are_told():
    """A driver for a later Windows and one without catalog are findings, not refusals."""
    late = make_driver("late", minimum_build=26100)
    unsigned = make_driver("unsigned", catalog_file="")

    late_finding, unsigned_finding = plan(FACTS, image_of(late, unsigned), 1).findings

    assert "build 26100" in late_finding
    assert "build 22621" in late_finding
    assert "no catalog file" in unsigned_finding
