"""Properties: what is accepted, what is refused, and how they are stored."""

from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest

from netboot.errors import InvalidInput
from netboot.images.boot_image.properties import (
    PROPERTY_WORDS,
    ExtraFile,
    Properties,
    check_image_path,
)

DIGEST = "sha256:" + "b" * 64


def test_all_properties_survive_storage():
    """to_json and from_json are inverse."""
    properties = Properties(
        scratch_space_mb=256,
        background=DIGEST,
        prestart_command=r"%SystemRoot%\prestart\ask.cmd /quiet",
        command_shell=True,
        keyboard="00000407",
        locale="de-DE",
        extra_files=(ExtraFile("/Tools/b.exe", DIGEST, 4), ExtraFile("/Tools/a.exe", DIGEST, 5)),
        report_home="http://192.0.2.1:8081",
        boot_sdi=DIGEST,
        tftp_block_size=1380,
        tftp_window_size=16,
        menu_seconds=30,
        uefi_authority="2023",
    )
    stored = properties.to_json()

    assert len(stored) == 13
    assert stored == Properties.from_json(stored).to_json()
    assert Properties.from_json(stored).extra_files == properties.extra_files[::-1]


def test_every_property_has_a_name_for_people():
    """Pages, the command line and comparisons show it by that."""
    assert {field.name for field in fields(Properties)} == set(PROPERTY_WORDS)


def test_nothing_set_is_nothing_stored():
    """A later property with its empty value changes no older recipe."""
    assert Properties().to_json() == {}
    assert Properties.from_json({}) == Properties()


ANY_VALUES: tuple[Any, ...] = (
    *(None, 1, 1.5, float("nan"), True, "x", "", [], [1], {}, {"a": 1}, 10**30, -1),
    *([{"path": 1, "digest": 2, "size": 3}], [{"path": "/a"}], ["a"]),
    *([{"path": "/a", "digest": DIGEST, "size": size}] for size in ("x", -1, None, True)),
)


@pytest.mark.parametrize("name", [item.name for item in fields(Properties)])
def test_a_value_of_any_type_is_accepted_or_refused(name: str):
    """TOML and JSON can hold anything: what is accepted has the type of the property."""
    for value in ANY_VALUES:
        with suppress(InvalidInput):
            properties = Properties.from_json({name: value})
            assert type(getattr(properties, name)) is type(getattr(Properties(), name))
            assert properties == Properties.from_json(properties.to_json())


def test_an_unknown_property_is_refused():
    """A misspelt name is an error, not silence."""
    with pytest.raises(InvalidInput, match="scratchspace"):
        Properties.from_json({"scratchspace": 1})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"scratch_space_mb": 100}, "100 MB"),
        ({"scratch_space_mb": -32}, "-32 MB"),
        ({"background": "picture.jpg"}, "background"),
        ({"boot_sdi": "x"}, "boot.sdi"),
        ({"prestart_command": "a\r\ndel x"}, "batch file"),
        ({"prestart_command": "ä"}, "batch file"),
        ({"prestart_command": "a" * 241}, "batch file"),
        ({"keyboard": "de"}, "keyboard"),
        ({"locale": "german"}, "locale"),
        ({"report_home": "ftp://x/"}, "report"),
        ({"report_home": 'http://x/" & format c:'}, "report"),
        ({"report_home": "http://192.0.2.1:8081/report/abc"}, "contains a token that would expire"),
        ({"uefi_authority": "2042"}, "not a boot loader authority"),
        ({"tftp_block_size": 100}, "block size"),
        ({"tftp_window_size": 65}, "window size"),
        ({"menu_seconds": -1}, "boot menu timeout"),
        ({"bios_chain": "floppy"}, "is not a boot method"),
        ({"uefi_chain": "Native"}, "is not a boot method"),
        (
            {"extra_files": (ExtraFile("/A", DIGEST, 1), ExtraFile("/a", DIGEST, 1))},
            "is listed twice",
        ),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, object], reason: str):
    """Each refusal names the value."""
    with pytest.raises(InvalidInput, match=reason):
        Properties(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "tool.exe", "C:/x", "/..", "/a/../b", "/a//b", "/a/", "/a\\b", "/a:b", "/a\nb"),
        *("/aux", "/NUL.txt", "/a.", "/a ", "/ a", '/"', "/a|b", "/a?", "/" + "a" * 201),
    ],
)
def test_paths_that_windows_does_not_accept_are_refused(path: str):
    """No path leaves the image, and none tricks another tool."""
    with pytest.raises(InvalidInput):
        check_image_path(path)


@pytest.mark.parametrize("path", ["/a", "/Windows/System32/x.exe", "/Program Files/$x/.y-z"])
def test_ordinary_paths_are_accepted(path: str):
    """Spaces inside, dots in front and dollars are fine."""
    check_image_path(path)


@pytest.mark.parametrize(
    ("home", "address"),
    [
        ("", ""),
        ("http://192.0.2.1:8081", "http://192.0.2.1:8081/report/T"),
        ("http://192.0.2.1:8081/", "http://192.0.2.1:8081/report/T"),
        ("http://collector.example/pe", "http://collector.example/pe"),
    ],
)
def test_a_site_gets_a_token_and_another_collector_its_own_address(home: str, address: str):
    """Without a token there is nothing to add."""
    properties = Properties(report_home=home)

    assert (address, home) == (properties.report_address("T"), properties.report_address(""))
