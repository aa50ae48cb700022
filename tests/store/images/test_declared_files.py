"""Declarations as files."""

import pytest

from netboot.errors import InvalidInput
from netboot.images.boot_image.properties import ExtraFile, Properties
from netboot.images.declared import Assignment, Declaration, DeclaredDriver, DeclaredImage
from netboot.store.images.declared_files import read_files, write_files

DIGEST = "sha256:" + "a" * 64
DRIVER = DeclaredDriver(DIGEST, 'a "quoted" name', "1.0", enabled=True, categories=("Lab",))
PROPERTIES = Properties(
    scratch_space_mb=64, command_shell=True, extra_files=(ExtraFile("/tool.exe", DIGEST, 7),)
)
IMAGE = DeclaredImage("Lab PE x64", "x64", DIGEST, 2, (DIGEST,), PROPERTIES, "two\nlines",
                      {DIGEST: "name 1.0"})  # fmt: skip
ALL = Declaration(
    {DIGEST: DRIVER},
    {IMAGE.name: IMAGE},
    {"x64": "Lab PE x64"},
    {"52:54:00:00:00:01": Assignment("Lab PE x64", "desk 4")},
)


def test_what_was_written_is_read_again(tmp_path):
    """Quotes, line feeds, lists of files."""
    write_files(tmp_path, ALL)
    found = read_files(tmp_path)
    (driver,), (image,) = found.drivers, found.images

    assert (DIGEST, DRIVER.name, True, ("Lab",)) == (
        driver.ref.digest,
        driver.ref.name,
        driver.enabled,
        driver.categories,
    )
    assert (IMAGE.name, IMAGE.comment, PROPERTIES, 2) == (
        image.name,
        image.comment,
        image.properties,
        image.source_index,
    )
    assert [ref.digest for ref in image.drivers] == [DIGEST]
    assert (ALL.defaults, ALL.machines) == (found.defaults, found.machines)


def test_a_file_of_an_image_that_is_gone_goes_too(tmp_path):
    """The folder is the site as it is."""
    write_files(tmp_path, ALL)
    write_files(tmp_path, Declaration())

    assert list((tmp_path / "images").iterdir()) == []


def test_a_machine_may_be_one_line(tmp_path):
    """As people write it."""
    (tmp_path / "assignments.toml").write_text('[machines]\n"52:54:00:00:00:01" = "PE"\n')

    assert {"52:54:00:00:00:01": Assignment("PE")} == read_files(tmp_path).machines
    assert read_files(tmp_path).images is None


@pytest.mark.parametrize(
    "text",
    [
        "machines = 3",
        "[machines]\nx = 3",
        "[machines.x]\nimage = 1",
        "[other]",
        "\xff",
        "defaults = []",
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_file(tmp_path, text):
    """Never a traceback."""
    (tmp_path / "assignments.toml").write_text(text, encoding="latin-1")

    with pytest.raises(InvalidInput, match="assignments.toml"):
        read_files(tmp_path)


ANY_VALUES = ("1", "true", "nan", '"x"', "[]", "[1]", "{}", "1979-05-27", '["a"]', "{a = 1}", '""')


@pytest.mark.parametrize("value", ANY_VALUES)
def test_any_value_in_any_place_is_read_or_refused_by_the_name_of_its_file(tmp_path, value):
    """Never a traceback."""
    (tmp_path / "images").mkdir()
    image = "name = 'a'\narchitecture = 'x64'\n"
    texts = [
        ("drivers.toml", f"driver = {value}"),
        *(
            ("drivers.toml", f"[[driver]]\nname = 'x'\n{name} = {value}")
            for name in ("version", "digest", "enabled", "categories")
        ),
        *(
            ("images/pe.toml", f"{name} = {value}")
            for name in ("name", "architecture", "comment", "source", "properties", "driver")
        ),
        *(
            ("images/pe.toml", f"{image}[source]\n{name} = {value}")
            for name in ("digest", "index", "file")
        ),
        *(
            ("images/pe.toml", f"{image}[properties]\n{name} = {value}")
            for name in ("prestart_command", "extra_files", "menu_seconds")
        ),
    ]
    for name, text in texts:
        path = tmp_path / name
        path.write_text(text)
        refused = ""
        try:
            read_files(tmp_path)
        except InvalidInput as fault:
            refused = str(fault)
        assert not refused or path.name in refused
        path.unlink()
