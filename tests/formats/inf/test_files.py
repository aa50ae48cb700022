"""netboot.formats.inf.files: from install sections to files and their folders."""

import pytest

from netboot.formats.inf.files import Installer, Service, SourceFile, number
from netboot.formats.inf.lexer import cut
from netboot.formats.inf.strings import Strings


def installer(text, architecture="amd64"):
    sections = cut(text.encode())
    return Installer(sections, Strings(sections), architecture)


def files(text, architecture="amd64", section="i"):
    reader = installer(text, architecture)
    reader.install(section)
    return list(reader.payload.files)


LISTED = """
[SourceDisksNames]
1 = %Disk%,drv.cab,,\\common
2 = "Disk; two",,,
[SourceDisksNames.amd64]
1 = %Disk%,,,\\amd64
[SourceDisksFiles]
a.sys = 1
b.dll = 2,sub\\deep
[SourceDisksFiles.x86]
a.sys = 1,x86
[Strings]
Disk = "one"
"""


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("amd64", SourceFile("a.sys", "\\amd64")),
        ("x86", SourceFile("a.sys", "\\common\\x86", "drv.cab")),
        ("arm64", SourceFile("a.sys", "\\common", "drv.cab")),
    ],
)
def test_a_file_lies_where_disk_and_folder_say(architecture, expected):
    """The architecture's own disks and files go before the general ones."""
    assert [expected] == files("[i]\nCopyFiles=@A.SYS".lower() + LISTED, architecture)


def test_copy_files_by_name_and_by_list():
    """A list names targets; a second name is that of the source."""
    found = files("[i]\nCopyFiles = l, @b.dll\n[L]\ntarget.sys, a.sys,,2\nc.sys,,,0x100" + LISTED)
    assert {
        SourceFile("a.sys", "\\amd64"),
        SourceFile("b.dll", "sub\\deep"),
        SourceFile("c.sys", listed=False),
    } == set(found)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ("[i]\n[i.nt]\n[i.ntamd64]\n", ("i.ntamd64", True)),
        ("[i]\n[i.NT]\n[i.ntx86]\n", ("i.nt", True)),
        ("[i]\n[i.ntx86]\n", ("i", False)),
        ("", ("i", False)),
    ],
)
def test_the_install_section_with_the_closest_decoration(sections, expected):
    """Its architecture, then NT, then none."""
    install = installer(sections).install("i")
    assert (install.section, install.decorated) == expected


def test_services_and_function_driver():
    """The service with flag 2 drives the device; its program's bare name is kept."""
    install = installer(
        "[i.nt]\nFeatureScore=0x20\n[i.nt.services]\nAddService = filter,,f\n"
        "AddService = drv, %assoc%, d ; a comment\nAddService = ,2\n"
        "[f]\nServiceBinary = %12%\\filter.sys\n[d]\nServiceBinary=%13%\\Sub\\drv.sys\n"
        "[strings]\nassoc = 0x00000002\n"
    ).install("i")
    assert install.services == (
        Service("filter", is_function_driver=False, binary="filter.sys"),
        Service("drv", is_function_driver=True, binary="drv.sys"),
    )
    assert (install.function_driver, install.feature_score) == ("drv", 0x20)


def test_needs_and_interfaces_lead_on():
    """Sections of the same INF that are needed or add an interface bring their files."""
    reader = installer(
        "[i]\nInclude=a.inf, B.inf\nNeeds=other, not.here\nCopyInf=more.inf\n"
        "[other]\nCopyFiles=@other.sys\nNeeds=i\n"
        "[i.CoInstallers]\nCopyFiles=@co.dll\n"
        "[i.Interfaces]\nAddInterface={guid},,face\n[face]\nCopyFiles=@face.dll\n"
    )
    reader.install("i")
    payload = reader.payload
    assert {"other.sys", "co.dll", "face.dll"} == {file.name for file in payload.files}
    assert (
        list(payload.other_infs),
        list(payload.copied_infs),
        payload.co_installers,
    ) == (["a.inf", "b.inf"], ["more.inf"], True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("0x10", 16), ("0X1F", 31), (" 7 ", 7), ("", 0), ("two", 0), ("0x", 0), ("٣", 0)],
)
def test_numbers(text, value):
    """Decimal and hexadecimal; anything else is nought."""
    assert value == number(text)
