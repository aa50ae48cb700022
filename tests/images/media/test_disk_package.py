"""Values filled into scripts: complete, and never a command."""

from dataclasses import replace

import pytest

from netboot.errors import InvalidInput
from netboot.images.media.disk_package import (
    DiskPackage,
    System,
    batch_values,
    check_system,
    fill_in,
    powershell_values,
    shell_values,
    systems_for,
)
from tests.images.media.test_request import version, windows

LAB = DiskPackage(
    version=version(),
    system=System.LINUX,
    base="http://10.0.0.2:8081/v/pe/7",
    arguments="quiet labpe.report=http://10.0.0.2:8081/report/t-0_k.en",
)
WINDOWS = DiskPackage(
    version=windows(),
    system=System.WINDOWS,
    base="http://10.0.0.2:8081/v/pe/7",
    loaders=(r"\Windows\System32\winload.exe", r"\Windows\System32\winload.efi"),
)
SCRIPT = "#!/bin/sh\n# {}\nA='' B=''\n# {}\necho $A\n"
PLACE = ("What follows is filled in by the site that hands this script out.",
         "---- end of what is filled in")  # fmt: skip


def test_values_take_the_place_of_the_empty_ones():
    """What is before and behind stays."""
    text = fill_in(SCRIPT.format(*PLACE), {"A": "A='x'"}, comment="#")

    assert f"#!/bin/sh\n# {PLACE[0]}\nA='x'\n# {PLACE[1]}\necho $A\n" == text


def test_a_script_without_a_place_is_a_bug():
    """It would be handed out empty."""
    with pytest.raises(ValueError, match="no place"):
        fill_in("echo hello\n", {}, comment="#")


def test_every_file_is_named_with_its_digest():
    """Each script has all that it needs to refuse an altered file."""
    for values, package in (
        (shell_values(LAB), LAB),
        (powershell_values(WINDOWS), WINDOWS),
        (batch_values(WINDOWS), WINDOWS),
    ):
        text = "\n".join(values.values())
        held = {file.name: file.digest[7:] for file in package.version.files}
        for name in ("boot.wim", "vmlinuz" if package is LAB else "boot.sdi"):
            assert name in text
            assert held[name] in text


@pytest.mark.parametrize("base", ["http://x/'; reboot #", "http://x/$(id)", "http://x/%PATH%"])
def test_a_value_that_could_become_a_command_is_refused(base):
    """In every language."""
    with pytest.raises(InvalidInput, match="is not allowed in a script"):
        shell_values(replace(LAB, base=base))
    with pytest.raises(InvalidInput, match="is not allowed in a script"):
        powershell_values(replace(WINDOWS, base=base))
    with pytest.raises(InvalidInput, match="is not allowed in a script"):
        batch_values(replace(WINDOWS, base=base))


def test_names_lose_what_shells_would_act_upon():
    """An image may be called as its administrator likes."""
    odd = replace(LAB, version=replace(LAB.version, image='O\'Neil $(reboot) `x` %A% "é"'))

    assert shell_values(odd)["LABEL"].count("'") == 2
    assert not set('$`"%') & set(shell_values(odd)["LABEL"])


def test_each_system_starts_what_its_loaders_can():
    """The Lab PE from Linux machines, Windows PE from Windows machines."""
    assert systems_for(version()) == (System.LINUX,)
    assert systems_for(windows()) == (System.WINDOWS,)
    with pytest.raises(InvalidInput, match="Windows machine"):
        check_system(version(), System.WINDOWS)
